# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += lib/net/address.c lib/net/address.h
libschleuse_a_SOURCES += lib/net/listener.c lib/net/listener.h
libschleuse_a_SOURCES += lib/net/loop.c lib/net/loop.h
libschleuse_a_SOURCES += lib/net/resolver.c lib/net/resolver.h
libschleuse_a_SOURCES += lib/net/stream.c lib/net/stream.h
libschleuse_a_SOURCES += lib/net/tls.c lib/net/tls.h
libschleuse_a_SOURCES += \
	lib/net/certcheck.c lib/net/certcheck.h \
	lib/net/loop.c lib/net/loop.h
	lib/net/listener.c lib/net/listener.h \
	lib/net/loop.c lib/net/loop.h \
	lib/net/stream.c lib/net/stream.h \
	lib/net/tls.c lib/net/tls.h
	lib/net/address.c lib/net/address.h \
	lib/net/loop.c lib/net/loop.h \
	lib/net/resolver.c lib/net/resolver.h
