/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signals - a daemon's signals as events of its loop.
 *
 * Open it before any thread is started: all threads inherit that the signals are blocked, so they
 * come nowhere else.  SIGPIPE is ignored.
 */
#ifndef SCHLEUSE_DAEMON_SIGNALS_H
#define SCHLEUSE_DAEMON_SIGNALS_H

#include "lib/net/loop.h"

struct signals;

/* SIGHUP, SIGTERM, SIGINT, and SIGUSR2 if `usr2`.  NULL: out of memory or descriptors. */
struct signals *signals_new(
    struct loop *loop, bool usr2, void (*fn)(void *arg, int number), void *arg) MUST_CHECK;
void signals_free(struct signals *s); /* they stay blocked; NULL is allowed */

#endif
