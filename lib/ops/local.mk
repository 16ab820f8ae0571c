# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += lib/ops/metrics.c
libschleuse_a_SOURCES += lib/ops/metrics.h
