# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += lib/store/redis.c
libschleuse_a_SOURCES += lib/store/redis.h
libschleuse_a_SOURCES += lib/store/redis_conn.c
libschleuse_a_SOURCES += lib/store/redis_int.h
