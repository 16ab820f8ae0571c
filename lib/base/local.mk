# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += \
	lib/base/arena.c lib/base/arena.h \
	lib/base/buf.c lib/base/buf.h \
	lib/base/clock.c lib/base/clock.h \
	lib/base/err.c lib/base/err.h \
	lib/base/fsutil.c lib/base/fsutil.h \
	lib/base/hash.c lib/base/hash.h \
	lib/base/list.h \
	lib/base/log.c lib/base/log.h \
	lib/base/mailbox.c lib/base/mailbox.h \
	lib/base/snapshot.h \
	lib/base/str.c lib/base/str.h \
	lib/base/utf8.c lib/base/utf8.h
