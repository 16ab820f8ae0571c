/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstreams - where one worker sends requests: a pool for each address, and which of them to use.
 *
 * A struct upstreams belongs to one configuration and is counted: a request keeps the one it began
 * under, in which addresses have their numbers.  The targets in it are counted too and move on to
 * the next configuration where service, upstream and address stay the same, with their connections
 * and what is known of them.  One thread, so no atomics.
 *
 * An address is avoided while the control thread's checks say it is down (proxy/health), and for a
 * while after it could not be connected to.  When all are to be avoided, one is tried anyway: the
 * checks may be wrong.
 */
#ifndef SCHLEUSE_PROXY_UPSTREAMS_H
#define SCHLEUSE_PROXY_UPSTREAMS_H

#include "lib/http/pool.h"
#include "proxy/config.h"

struct target { /* one address */
	unsigned refs;
	struct pool *pool;
	char *name; /* service, upstream and address: what it is known by */
	uint64_t seed;
	bool unhealthy;      /* says the control thread */
	unsigned failures;   /* to connect, in a row */
	clock_ms down_until; /* avoided until then because of them */
};

struct upstreams {
	unsigned refs;
	struct loop *loop;
	size_t turn; /* among equally busy addresses */
	size_t n;
	struct target *of[]; /* by number of the address */
};

/* Those of a configuration; what `old` (or NULL) has of them is shared.  NULL: out of memory. */
struct upstreams *upstreams_new(
    struct loop *loop, const struct proxy_conf *conf, const struct upstreams *old) MUST_CHECK;
/* Puts the limits of the configuration in force; the control thread will say again which addresses
 * are unhealthy. */
void upstreams_adopt(struct upstreams *u, const struct proxy_conf *conf);
struct upstreams *upstreams_hold(struct upstreams *u);
void upstreams_drop(struct upstreams *u); /* NULL is allowed */

/* Which of the addresses of `up` a request goes to: its index there, or SIZE_MAX: none is left.
 * `key`: requests with the same one go to the same address while that is up; 0: to the least busy
 * one.  `tried`: bits of those that could not be connected to, for this request. */
size_t upstreams_choose(
    struct upstreams *u, const struct upstream_conf *up, uint64_t key, uint64_t tried);

struct target *upstreams_target(
    const struct upstreams *u, const struct upstream_conf *up, size_t index);

/* What connecting to it came to. */
void upstreams_failed(const struct upstreams *u, const struct upstream_conf *up, size_t index);
void upstreams_worked(struct target *t);

void upstreams_set_health(struct upstreams *u, size_t number, bool up);

#endif
