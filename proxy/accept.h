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

/* Starts accepting on the sockets, one for each configured listener; takes them over. */
bool accept_listen(struct worker *w, const int *sockets, size_t n) MUST_CHECK;
void accept_stop(struct worker *w); /* accepts no more */
void accept_closed(struct worker *w, const struct http_conn *c); /* it counts no longer */

#endif
