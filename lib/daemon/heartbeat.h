/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heartbeat - whether all loops of a daemon still turn.
 *
 * A letter goes to each watched loop and comes back; when all are back, and only then, beat() is
 * called and the next round begins after the interval.  One loop that hangs stops the beat, and so
 * does our own.  Lives on the loop that watches; must be freed after all of the loops, which may
 * hold its letters.
 */
#ifndef SCHLEUSE_DAEMON_HEARTBEAT_H
#define SCHLEUSE_DAEMON_HEARTBEAT_H

#include "lib/net/loop.h"

struct heartbeat;

struct heartbeat *heartbeat_new(struct loop *own, size_t n, clock_ms interval,
    void (*beat)(void *arg), void *arg) MUST_CHECK;           /* NULL: out of memory */
void heartbeat_watch(struct heartbeat *h, struct loop *loop); /* n times */
void heartbeat_start(struct heartbeat *h);
void heartbeat_stop(struct heartbeat *h); /* no beat any more; NULL is allowed */
void heartbeat_free(struct heartbeat *h); /* NULL is allowed */

#endif
