# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES +=
