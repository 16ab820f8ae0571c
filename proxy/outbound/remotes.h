/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remotes - one worker's connections to other servers: a pool for each destination.
 *
 * A destination is known by its key, and by whether TLS is spoken.  While it is where it was (the
 * same addresses in whatever order and the same name in the certificate; behind an HTTP proxy: the
 * addresses of that and what CONNECT names), its pool and the connections in it stay.  When it has
 * moved there is a new pool; the old one closes what is idle and goes when nobody holds it.
 *
 * At most outbound.destinations_max are known: those used longest ago and by nobody now go first.
 * Idle connections are bounded in each pool (idle_max) and in all together (idle_total_max).  TLS
 * contexts belong to the trust anchors of one configuration: with others, pools are made anew.  No
 * TLS session is ever resumed, so every connection has been verified by itself (FD-5.2.1.2-9).
 *
 * One thread.  Counts go to the metrics.
 */
#ifndef SCHLEUSE_PROXY_OUTBOUND_REMOTES_H
#define SCHLEUSE_PROXY_OUTBOUND_REMOTES_H

#include "lib/http/pool.h"
#include "lib/matrix/destination.h"
#include "proxy/config.h"

struct remotes;
struct remote; /* one of them, counted */

/* What is needed of the configuration is copied.  NULL: out of memory. */
struct remotes *remotes_new(struct loop *loop, const struct proxy_conf *conf) MUST_CHECK;
/* Puts limits, anchors and the proxy's credentials of another configuration in force.  false: out
 * of memory, the old ones stay. */
bool remotes_adopt(struct remotes *r, const struct proxy_conf *conf) MUST_CHECK;
void remotes_free(struct remotes *r); /* those that are held live until dropped */

/* Where d is now, held for the caller; d is only used during the call.  `proxy`: the addresses of
 * the HTTP proxy on the way, NULL: none.  `tls`: the peer is verified; else the connection is
 * plain. NULL: *why is what the fact of d says (counted by class; ERR_OUT_TARGET for no server
 * name, ERR_REMOTE_TIMEOUT for a look-up not answered in time), ERR_REMOTE_PROXY (that of the proxy
 * says so), ERR_REMOTE_BUSY (destinations_max are in use), ERR_MEMORY. */
struct remote *remotes_get(struct remotes *r, const struct destination *d,
    const struct destination *proxy, bool tls, enum err *why) MUST_CHECK;

/* Who takes or waits for a connection of the pool, or uses the target, holds the remote until the
 * connection is given back. */
struct remote *remote_hold(struct remote *m);
void remote_drop(struct remote *m); /* NULL is allowed */

struct pool *remote_pool(const struct remote *m);
/* For a connection that is not pooled: a tunnel that passes as it is. */
const struct connector_target *remote_target(const struct remote *m);
/* Counts what the connector of such a one came to. */
void remote_count(enum err why);

#endif
