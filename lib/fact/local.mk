# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += \
	lib/fact/fact.c lib/fact/fact.h
