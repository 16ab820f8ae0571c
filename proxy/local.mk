# SPDX-License-Identifier: Apache-2.0
libproxy_a_SOURCES += \
	proxy/passport.c proxy/passport.h

sbin_PROGRAMS += schleuse-proxy
schleuse_proxy_SOURCES = proxy/main.c
schleuse_proxy_LDADD = libproxy.a libschleuse.a $(DEPS_LIBS)

include proxy/rules/local.mk
