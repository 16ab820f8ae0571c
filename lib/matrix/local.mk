# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += \
	lib/matrix/base64.c lib/matrix/base64.h \
	lib/matrix/canonical.c lib/matrix/canonical.h \
	lib/matrix/canonical_rewrite.c lib/matrix/canonical_rewrite.h \
	lib/matrix/json_read.c \
	lib/matrix/jsontext.c lib/matrix/jsontext.h \
	lib/matrix/name.c lib/matrix/name.h \
	lib/matrix/reply.c lib/matrix/reply.h \
	lib/matrix/xmatrix.c lib/matrix/xmatrix.h
