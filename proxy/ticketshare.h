/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ticketshare - keys of session tickets which several proxies have in common, kept in Redis.
 *
 * Time is cut into periods.  Each has one key, stored under a name with the period's number: SET NX
 * decides which proxy's proposal counts, so nobody needs a lock.  The key of the next period is
 * stored half a period before it is used, so a short absence of Redis is not even noticed.  The
 * clocks of the proxies must agree to a fraction of a period.
 *
 * What is stored is encrypted and bound to its name (XChaCha20-Poly1305 with a key made from the
 * common secret): Redis can neither read sessions nor bring back an old key.  While Redis is away
 * or holds what cannot be opened, known keys go on and keys for new periods are made here alone;
 * those are proposed when Redis is back.  For the control thread.
 */
#ifndef SCHLEUSE_PROXY_TICKETSHARE_H
#define SCHLEUSE_PROXY_TICKETSHARE_H

#include "lib/net/ticketkeys.h"
#include "lib/store/redis.h"

struct ticketshare;

struct ticketshare_config {  /* copied */
	struct redis *redis; /* not owned, must outlive it */
	const char *prefix;  /* of names in Redis */
	struct str secret;   /* of all proxies that share */
	clock_ms period;
	/* The keys have changed; the first encrypts. */
	void (*changed)(void *arg, const struct tls_ticket_key *keys, size_t n);
	void *arg;
};

/* Begins with the keys in `now`, of which the first is proposed for the present.  NULL: out of
 * memory. */
struct ticketshare *ticketshare_new(struct loop *loop, const struct ticketshare_config *cfg,
    const struct tls_tickets *now) MUST_CHECK;
void ticketshare_free(struct ticketshare *t); /* NULL is allowed */

#endif
