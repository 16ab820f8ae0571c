# SPDX-License-Identifier: Apache-2.0
libproxy_a_SOURCES += proxy/accept.c
libproxy_a_SOURCES += proxy/accept.h
libproxy_a_SOURCES += proxy/config.c
libproxy_a_SOURCES += proxy/config.h
libproxy_a_SOURCES += proxy/config_check.c
libproxy_a_SOURCES += proxy/config_check.h
libproxy_a_SOURCES += proxy/config_files.c
libproxy_a_SOURCES += proxy/config_rows.c
libproxy_a_SOURCES += proxy/control.c
libproxy_a_SOURCES += proxy/control.h
libproxy_a_SOURCES += proxy/fedsource.c
libproxy_a_SOURCES += proxy/fedsource.h
libproxy_a_SOURCES += proxy/homeserver.c
libproxy_a_SOURCES += proxy/homeserver.h
libproxy_a_SOURCES += proxy/inbound.c
libproxy_a_SOURCES += proxy/inbound.h
libproxy_a_SOURCES += proxy/invites.c
libproxy_a_SOURCES += proxy/invites.h
libproxy_a_SOURCES += proxy/judge.c
libproxy_a_SOURCES += proxy/judge.h
libproxy_a_SOURCES += proxy/lookups.c
libproxy_a_SOURCES += proxy/lookups.h
libproxy_a_SOURCES += proxy/outside.c
libproxy_a_SOURCES += proxy/outside.h
libproxy_a_SOURCES += proxy/passage.c
libproxy_a_SOURCES += proxy/passage.h
libproxy_a_SOURCES += proxy/passport.c
libproxy_a_SOURCES += proxy/passport.h
libproxy_a_SOURCES += proxy/ratelimit.c
libproxy_a_SOURCES += proxy/ratelimit.h
libproxy_a_SOURCES += proxy/refusal.c
libproxy_a_SOURCES += proxy/refusal.h
libproxy_a_SOURCES += proxy/routes.c
libproxy_a_SOURCES += proxy/routes.h
libproxy_a_SOURCES += proxy/series.c
libproxy_a_SOURCES += proxy/series.h
libproxy_a_SOURCES += proxy/worker.c
libproxy_a_SOURCES += proxy/worker.h

sbin_PROGRAMS += schleuse-proxy
schleuse_proxy_SOURCES = proxy/main.c
schleuse_proxy_LDADD = libproxy.a libschleuse.a $(DEPS_LIBS)

include proxy/rules/local.mk
