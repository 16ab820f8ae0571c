/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preface - connections of load balancers that have yet to name the client (proxyproto.h).
 *
 * The header is looked at in the socket and then taken from it to the byte, so that whoever speaks
 * next, TLS for one, finds its own first byte.  One thread, the loop's.
 */
#ifndef SCHLEUSE_NET_PREFACE_H
#define SCHLEUSE_NET_PREFACE_H

#include "lib/net/loop.h"
#include "lib/net/proxyproto.h"

enum preface_end {
	PREFACE_DONE,
	PREFACE_BAD,  /* what came is no header */
	PREFACE_SLOW, /* the header did not come in time */
	PREFACE_GONE, /* the peer left */
	PREFACE_CUT   /* prefaces_close() */
};

/* `fd` is the receiver's again, whatever the end.  DONE: `client` is whom the header names; else,
 * and where it names nobody (`named` is false), the peer. */
typedef void preface_fn(
    void *arg, int fd, enum preface_end end, const struct address *client, bool named);

struct prefaces {
	struct loop *loop;
	preface_fn *fn;
	struct list waiting;
};

void prefaces_init(struct prefaces *all, struct loop *loop, preface_fn *fn);
void prefaces_close(struct prefaces *all); /* ends those that wait */

/* Takes fd (non-blocking) over until fn is called with arg.  false: out of memory; fd is still the
 * caller's. */
bool preface_await(struct prefaces *all, int fd, const struct address *peer, clock_ms timeout,
    void *arg) MUST_CHECK;

#endif
