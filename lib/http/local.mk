# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += \
	lib/http/fetch.c lib/http/fetch.h
