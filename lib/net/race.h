/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race - one connected socket out of several addresses (RFC 8305, happy eyeballs).
 *
 * Addresses are tried in the order given: the next one starts when the one before has failed or has
 * been silent for `delay`, which goes on meanwhile.  The first that stands wins, the others are
 * closed.  There is no deadline: the owner cancels.  For the thread of its loop.
 */
#ifndef SCHLEUSE_NET_RACE_H
#define SCHLEUSE_NET_RACE_H

#include "lib/net/address.h"
#include "lib/net/loop.h"

#define RACE_MAX 32 /* addresses; further ones are not tried */

struct race;

/* fn is called later exactly once unless cancelled: with a connected, non-blocking socket that is
 * the receiver's, or -1 and errno of the first address that failed.  The addresses are copied.
 * NULL: out of memory, nobody is called. */
struct race *race_start(struct loop *loop, const struct address *at, size_t n, clock_ms delay,
    void (*fn)(void *arg, int fd, int err), void *arg) MUST_CHECK;
void race_cancel(struct race *r); /* NULL is allowed; invalid once fn was called */

#endif
