/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outside - what asks others for us: names, keys, accounts, federation lists, Redis,
 * health of upstreams.
 *
 * Made anew with each configuration, which must outlive it.  The struct may be moved.  For the
 * control thread.
 */
#ifndef SCHLEUSE_PROXY_OUTSIDE_H
#define SCHLEUSE_PROXY_OUTSIDE_H

#include "lib/matrix/destination.h"
#include "lib/matrix/keyring.h"
#include "lib/store/redis.h"
#include "proxy/fedlink.h"
#include "proxy/health.h"
#include "proxy/homeserver.h"

struct outside {
	struct resolver *resolver;
	struct fetcher *fetcher;
	struct fetcher *abroad; /* for other servers: through outbound.proxy, if there is one */
	struct discovery *discovery;
	struct destinations *destinations;
	struct keyring *keyring;
	struct homeserver *homeserver;
	struct redis *redis; /* NULL: none is configured */
	struct health *health;
	struct fedlink *links; /* by federation */
	size_t n_links;
	struct misses *misses;
};

/* `old`: what is in force until now, or a zeroed one; lists that still count under the new
 * configuration are held on to.  false: everything is closed again and the reason logged. */
bool outside_open(struct outside *o, const struct outside *old, struct loop *loop,
    struct proxy_conf *conf, const struct fedlink_events *events, health_fn *health,
    void *arg) MUST_CHECK;
void outside_close(struct outside *o);                  /* a zeroed one is allowed */
void outside_tell_federations(const struct outside *o); /* calls the events as things are now */
/* Looks for no new lists and certificates: those held stay as they are, in memory and on disk. */
void outside_pause_federations(const struct outside *o);
void outside_resume_federations(const struct outside *o);

#endif
