# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += lib/fact/backoff.c
libschleuse_a_SOURCES += lib/fact/backoff.h
libschleuse_a_SOURCES += lib/fact/fact.c
libschleuse_a_SOURCES += lib/fact/fact.h
libschleuse_a_SOURCES += lib/fact/recall.c
libschleuse_a_SOURCES += lib/fact/recall.h
