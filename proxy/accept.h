/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accept - a worker's listeners, and which connections it takes from them.
 *
 * A connection counts from its accept() to accept_closed(): in the sum of the process
 * (limits.connections_max; when it is reached idle connections give way, then the listeners pause)
 * and, once the client's address is known, for that address.
 */
#ifndef SCHLEUSE_PROXY_ACCEPT_H
#define SCHLEUSE_PROXY_ACCEPT_H

#include "proxy/worker.h"

void accept_init(struct worker *w);

/* Accepts where the set says; what is not in it any more is closed when its queue is empty, and its
 * connections end with their next answers. */
void accept_adopt(struct worker *w, const struct listeners *set);
/* Accepts no more; sweep: but what waits already.  Those of load balancers that have not yet named
 * the client go on. */
void accept_stop(struct worker *w, bool sweep);
void accept_close(struct worker *w);                             /* ends those too */
void accept_closed(struct worker *w, const struct http_conn *c); /* it counts no longer */
bool accept_waits(const struct worker *w);                       /* for the name of a client */

#endif
