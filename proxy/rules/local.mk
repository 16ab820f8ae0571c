# SPDX-License-Identifier: Apache-2.0
libproxy_a_SOURCES += \
	proxy/rules/authorization.c \
	proxy/rules/displayname.c \
	proxy/rules/invite.c \
	proxy/rules/membership.c \
	proxy/rules/rules.h \
	proxy/rules/signature.c \
	proxy/rules/token.c \
	proxy/rules/transaction.c
