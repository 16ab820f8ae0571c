# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += \
	lib/net/certcheck.c lib/net/certcheck.h \
	lib/net/loop.c lib/net/loop.h
