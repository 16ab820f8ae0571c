# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += \
	lib/net/listener.c lib/net/listener.h \
	lib/net/loop.c lib/net/loop.h \
	lib/net/stream.c lib/net/stream.h \
	lib/net/tls.c lib/net/tls.h
	lib/net/address.c lib/net/address.h \
	lib/net/loop.c lib/net/loop.h \
	lib/net/resolver.c lib/net/resolver.h
