# SPDX-License-Identifier: Apache-2.0
libproxy_a_SOURCES += proxy/outbound/aim.c
libproxy_a_SOURCES += proxy/outbound/aim.h
