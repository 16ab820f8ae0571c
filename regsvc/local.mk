# SPDX-License-Identifier: Apache-2.0
libregsvc_a_SOURCES += regsvc/api.c
libregsvc_a_SOURCES += regsvc/api.h
libregsvc_a_SOURCES += regsvc/certs.h
libregsvc_a_SOURCES += regsvc/certs_conf.h
libregsvc_a_SOURCES += regsvc/certs_set.h
libregsvc_a_SOURCES += regsvc/config.c
libregsvc_a_SOURCES += regsvc/config.h
libregsvc_a_SOURCES += regsvc/config_check.c
libregsvc_a_SOURCES += regsvc/config_check.h
libregsvc_a_SOURCES += regsvc/config_rows.c
libregsvc_a_SOURCES += regsvc/control.c
libregsvc_a_SOURCES += regsvc/control.h
libregsvc_a_SOURCES += regsvc/door.c
libregsvc_a_SOURCES += regsvc/door.h
libregsvc_a_SOURCES += regsvc/parts.c
libregsvc_a_SOURCES += regsvc/parts.h
libregsvc_a_SOURCES += regsvc/problem.c
libregsvc_a_SOURCES += regsvc/problem.h
libregsvc_a_SOURCES += regsvc/series.c
libregsvc_a_SOURCES += regsvc/series.h

sbin_PROGRAMS += schleuse-regsvc
schleuse_regsvc_SOURCES = regsvc/main.c
schleuse_regsvc_LDADD = libregsvc.a libschleuse.a $(DEPS_LIBS)
