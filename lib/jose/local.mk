# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += \
	lib/jose/b64.c lib/jose/b64.h \
	lib/jose/claims.c lib/jose/claims.h \
	lib/jose/jws.c lib/jose/jws.h \
	lib/jose/x5c.c lib/jose/x5c.h
