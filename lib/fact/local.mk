# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += \
	lib/fact/backoff.c lib/fact/backoff.h \
	lib/fact/fact.c lib/fact/fact.h
