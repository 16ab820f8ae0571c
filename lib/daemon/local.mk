# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += lib/daemon/admin.c
libschleuse_a_SOURCES += lib/daemon/admin.h
