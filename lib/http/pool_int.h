/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool_int - what the files of pool share; nobody else includes it.
 */
#ifndef SCHLEUSE_HTTP_POOL_INT_H
#define SCHLEUSE_HTTP_POOL_INT_H

#include "lib/http/pool.h"

struct pool {
	struct loop *loop;
	struct pool_config cfg;
	struct list idle;  /* last used first: the rest can time out */
	struct list busy;  /* connecting or taken */
	struct list queue; /* pool_waits without a connection */
	size_t n_idle, n_all, n_queue;
	struct timer again; /* for takers that are stalled */
	bool freed;
};

void pool_count(const struct pool *p, enum pool_count what, int n);

/* --- pool.c: connections --- */

struct upstream *pool_add(struct pool *p) MUST_CHECK; /* busy, without a stream */
void pool_drop(struct upstream *up);                  /* of one that is not idle */
void pool_drop_idle(struct upstream *up);
/* Drops a connection that was in use: who waits in the queue may have its place. */
void pool_make_room(struct upstream *up);
void pool_on_event(void *arg, unsigned what); /* of a connection's stream */

/* --- pool_wait.c: waiting takers, and connecting for them --- */

/* Tells a failure on the next tick: never from inside the call that asked. */
void pool_refuse_later(struct pool *p, struct pool_wait *w, enum err why);
enum err pool_reason(const struct pool *p, enum err upstream, enum err remote);
void pool_dequeue(struct pool *p, struct pool_wait *w);
void pool_serve_queue(struct pool *p);
/* The stream of a connection that somebody waits for can be used, or failed. */
void pool_on_connected(struct upstream *up);
void pool_on_again(void *pool);

#endif
