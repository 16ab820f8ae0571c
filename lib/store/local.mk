# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += lib/store/redis.c
libschleuse_a_SOURCES += lib/store/redis.h
