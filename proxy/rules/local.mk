# SPDX-License-Identifier: Apache-2.0
libproxy_a_SOURCES +=
