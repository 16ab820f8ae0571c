# SPDX-License-Identifier: Apache-2.0
libpushgw_a_SOURCES += pushgw/config.h
libpushgw_a_SOURCES += pushgw/push.h
libpushgw_a_SOURCES += pushgw/notify/notification.h
libpushgw_a_SOURCES += pushgw/providers/provider.h
libpushgw_a_SOURCES += pushgw/queue/delay.c
libpushgw_a_SOURCES += pushgw/queue/delay.h
libpushgw_a_SOURCES += pushgw/queue/delayq.h
