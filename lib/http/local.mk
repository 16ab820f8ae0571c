# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += lib/http/exchange.c
libschleuse_a_SOURCES += lib/http/exchange.h
libschleuse_a_SOURCES += lib/http/fetch.c
libschleuse_a_SOURCES += lib/http/fetch.h
libschleuse_a_SOURCES += lib/http/forward.c
libschleuse_a_SOURCES += lib/http/forward.h
libschleuse_a_SOURCES += lib/http/h1.c
libschleuse_a_SOURCES += lib/http/h1.h
libschleuse_a_SOURCES += lib/http/h1_body.c
libschleuse_a_SOURCES += lib/http/h1_fields.c
libschleuse_a_SOURCES += lib/http/h1_int.h
libschleuse_a_SOURCES += lib/http/h1_write.c
libschleuse_a_SOURCES += lib/http/h1conn.c
libschleuse_a_SOURCES += lib/http/h1conn.h
libschleuse_a_SOURCES += lib/http/pool.c
libschleuse_a_SOURCES += lib/http/pool.h
libschleuse_a_SOURCES += \
	lib/http/exchange.c lib/http/exchange.h \
	lib/http/fetch.c lib/http/fetch.h \
	lib/http/forward.c lib/http/forward.h \
	lib/http/h1.c lib/http/h1.h \
	lib/http/h1_body.c \
	lib/http/h1_fields.c \
	lib/http/h1_int.h \
	lib/http/h1_write.c \
	lib/http/h1conn.c lib/http/h1conn.h \
	lib/http/pool.c lib/http/pool.h
