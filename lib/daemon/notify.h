/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify - tells the service manager how we are: the protocol of sd_notify(3), without its library.
 *
 * One datagram for each message to the socket named by NOTIFY_SOCKET; without that variable nothing
 * happens.  Never waits: a message the manager has no room for is lost.  Control thread only.
 */
#ifndef SCHLEUSE_DAEMON_NOTIFY_H
#define SCHLEUSE_DAEMON_NOTIFY_H

#include <stdbool.h>

#include "lib/base/clock.h"

/* Lines of NAME=value.  false: nobody wants it, or it could not be sent. */
bool notify_send(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* RELOADING=1 with the time it needs. */
void notify_reloading(void);

/* How often the service manager wants WATCHDOG=1 at the latest; 0: not at all. */
clock_ms notify_watchdog(void);

#endif
