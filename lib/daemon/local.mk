# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += lib/daemon/admin.c lib/daemon/admin.h
