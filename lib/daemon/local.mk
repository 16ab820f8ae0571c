# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += lib/daemon/admin.c
libschleuse_a_SOURCES += lib/daemon/admin.h
libschleuse_a_SOURCES += lib/daemon/heartbeat.c
libschleuse_a_SOURCES += lib/daemon/heartbeat.h
libschleuse_a_SOURCES += lib/daemon/notify.c
libschleuse_a_SOURCES += lib/daemon/notify.h
