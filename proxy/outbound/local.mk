# SPDX-License-Identifier: Apache-2.0
libproxy_a_SOURCES += proxy/outbound/aim.c
libproxy_a_SOURCES += proxy/outbound/aim.h
libproxy_a_SOURCES += proxy/outbound/place.c
libproxy_a_SOURCES += proxy/outbound/place.h
libproxy_a_SOURCES += proxy/outbound/remotes.c
libproxy_a_SOURCES += proxy/outbound/remotes.h
