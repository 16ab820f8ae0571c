# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += \
	lib/federation/fedlist.c lib/federation/fedlist.h \
	lib/federation/fedstore.c lib/federation/fedstore.h \
	lib/federation/jread.c lib/federation/jread.h
