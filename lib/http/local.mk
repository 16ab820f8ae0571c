# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += \
	lib/http/exchange.c lib/http/exchange.h \
	lib/http/forward.c lib/http/forward.h \
	lib/http/h1conn.c lib/http/h1conn.h \
	lib/http/pool.c lib/http/pool.h
	lib/http/h1.c lib/http/h1.h \
	lib/http/h1_body.c \
	lib/http/h1_fields.c \
	lib/http/h1_int.h \
	lib/http/h1_write.c
	lib/http/fetch.c lib/http/fetch.h
