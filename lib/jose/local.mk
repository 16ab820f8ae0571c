# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += lib/jose/claims.c
libschleuse_a_SOURCES += lib/jose/claims.h
libschleuse_a_SOURCES += lib/jose/jws.c
libschleuse_a_SOURCES += lib/jose/jws.h
libschleuse_a_SOURCES += lib/jose/x5c.c
libschleuse_a_SOURCES += lib/jose/x5c.h
