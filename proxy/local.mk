# SPDX-License-Identifier: Apache-2.0
libproxy_a_SOURCES += proxy/config.c proxy/config.h
libproxy_a_SOURCES += proxy/config_check.c proxy/config_check.h
libproxy_a_SOURCES += proxy/config_files.c
libproxy_a_SOURCES += proxy/config_rows.c
libproxy_a_SOURCES += proxy/control.c proxy/control.h
libproxy_a_SOURCES += proxy/inbound.c proxy/inbound.h
libproxy_a_SOURCES += proxy/lookups.c proxy/lookups.h
libproxy_a_SOURCES += proxy/passage.c proxy/passage.h
libproxy_a_SOURCES += proxy/routes.c proxy/routes.h
libproxy_a_SOURCES += proxy/series.c proxy/series.h
libproxy_a_SOURCES += proxy/worker.c proxy/worker.h
libproxy_a_SOURCES += \
	proxy/passport.c proxy/passport.h
	proxy/config.c proxy/config.h \
	proxy/config_check.c proxy/config_check.h \
	proxy/config_files.c \
	proxy/config_rows.c \
	proxy/fedsource.c proxy/fedsource.h \
	proxy/homeserver.c proxy/homeserver.h \
	proxy/invites.c proxy/invites.h \
	proxy/passport.h \
	proxy/routes.c proxy/routes.h

sbin_PROGRAMS += schleuse-proxy
schleuse_proxy_SOURCES = proxy/main.c
schleuse_proxy_LDADD = libproxy.a libschleuse.a $(DEPS_LIBS)

include proxy/rules/local.mk
