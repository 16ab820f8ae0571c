# SPDX-License-Identifier: Apache-2.0
libschleuse_a_SOURCES += \
	lib/conf/address.c lib/conf/address.h \
	lib/conf/load.c lib/conf/load.h \
	lib/conf/option.c lib/conf/option.h \
	lib/conf/print.c lib/conf/print.h \
	lib/conf/tree.c lib/conf/tree.h
