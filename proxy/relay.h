/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay - takes a request that may pass to its next hop: dials, forwards.
 *
 * The hop says where that is: the homeserver (hop_home.c) or another server
 * (outbound/hop_remote.c).  Where a reused connection turned out to be closed, and forward says it
 * may be repeated, the request goes once more over a fresh one.
 *
 * Embedded in the passage, on its worker's thread; `exchange` and `judged` are the passage's.
 */
#ifndef SCHLEUSE_PROXY_RELAY_H
#define SCHLEUSE_PROXY_RELAY_H

#include "lib/http/forward.h"
#include "proxy/outbound/aim.h"
#include "proxy/rules/rules.h"
#include "proxy/worker.h"

struct relay;

struct relay_hop {
	void (*start)(struct relay *r);              /* finds out where to */
	struct pool *(*pool)(const struct relay *r); /* whose connections to use now */
	void (*reached)(struct relay *r);            /* it could be connected to */
	bool (*missed)(struct relay *r); /* it could not; true: pool() is another one now */
	bool (*address)(
	    struct relay *r, struct forward_request *how); /* fields; false: no memory */
	/* A request is sent a second time only if the first cannot have been read; else also if
	 * that does no harm. */
	bool strict;
	void (*repeated)(void);           /* counts */
	enum err (*reason)(enum err err); /* what the failure is called for this hop */
};

extern const struct relay_hop hop_home, hop_remote;

struct relay {
	const struct relay_hop *hop;
	struct worker *w;
	const struct proxy_conf *conf;
	struct exchange *ex;
	const struct judged *j;
	bool whole_body; /* j->body is the request's body, already read */
	bool retried;
	/* home */
	struct upstreams *upstreams; /* one reference */
	const struct upstream_conf *to;
	size_t address; /* which of its addresses */
	uint64_t key;   /* requests with the same one belong together; 0: none */
	uint64_t tried; /* bits of the addresses that could not be connected to */
	/* remote */
	const struct aim *aim;
	/* both */
	struct timer total;
	clock_ms forwarded; /* when the request went on; 0: it did not */
	struct pool_wait dial;
	struct forward forward;
	void (*fn)(void *arg, enum err err);
	void *arg;
};

/* `r` is zeroed; conf lives as long as the relay. */
void relay_init(struct relay *r, struct worker *w, const struct proxy_conf *conf,
    struct exchange *ex, const struct judged *j);
void relay_fini(struct relay *r); /* any time; closes what is under way */

/* OK: fn follows once, unless relay_fini() comes first: with OK the response is complete and waits
 * for exchange_end().  Otherwise why it cannot be. */
enum err relay_start(struct relay *r, const struct relay_hop *hop, bool whole_body,
    void (*fn)(void *arg, enum err err), void *arg) MUST_CHECK;

/* The owner passes the exchange's events on. */
void relay_on_body(struct relay *r);
void relay_on_room(struct relay *r);

int relay_status(const struct relay *r); /* of the response; 0: none came */

#endif
