# SPDX-License-Identifier: Apache-2.0
libproxy_a_SOURCES += \
	proxy/config.h \
	proxy/passport.h \
	proxy/routes.c proxy/routes.h
	proxy/config.c proxy/config.h \
	proxy/config_check.c proxy/config_check.h \
	proxy/config_files.c \
	proxy/config_rows.c

sbin_PROGRAMS += schleuse-proxy
schleuse_proxy_SOURCES = proxy/main.c
schleuse_proxy_LDADD = libproxy.a libschleuse.a $(DEPS_LIBS)

include proxy/rules/local.mk
