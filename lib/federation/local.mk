# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += lib/federation/fedlist.c
libschleuse_a_SOURCES += lib/federation/fedlist.h
libschleuse_a_SOURCES += lib/federation/fedstore.c
libschleuse_a_SOURCES += lib/federation/fedstore.h
libschleuse_a_SOURCES += lib/federation/jread.c
libschleuse_a_SOURCES += lib/federation/jread.h
