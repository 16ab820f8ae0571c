/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool - one worker's connections to one upstream: reuse, bounds, a queue with a deadline.
 *
 * An upstream is a homeserver, which is dialled, or another server, which a connector brings.  A
 * connection taken from the pool belongs to the taker until pool_release().  Idle ones are watched:
 * one that closes or speaks out of turn is dropped; messages of TLS itself are neither.
 */
#ifndef SCHLEUSE_HTTP_POOL_H
#define SCHLEUSE_HTTP_POOL_H

#include <sys/socket.h>

#include "lib/base/buf.h"
#include "lib/net/connector.h"
#include "lib/net/stream.h"

/* What a pool counts; the embedder turns it into metrics. */
enum pool_count {
	POOL_BUSY, /* connections connecting or taken, idle ones, takers in the queue: by +1 and -1
		    */
	POOL_IDLE,
	POOL_QUEUED,
	POOL_QUEUE_FULL, /* takers refused */
	POOL_QUEUE_TIMEOUT,
	POOL_CONNECT_FAILED,
	POOL_CONNECT_TIMEOUT,
	/* to other servers only */
	POOL_CONNECT_PROXY,
	POOL_CONNECT_TLS,
	POOL_CONNECT_TLS_NAME,
	POOL_CONNECT_TLS_CHAIN,
	POOL_CONNECT_TLS_EXPIRED,
	POOL_COUNTS
};

/* Bounds the idle connections of several pools together: the one that was used longest ago goes.
 * Outlives them. */
struct pool_shared {
	struct list idle; /* last used first */
	size_t n, max;
};

struct pool_config {
	struct sockaddr_storage address; /* not used with `to` */
	socklen_t address_len;
	/* Another server, over TLS: how to connect.  Must live as long as the pool. */
	const struct connector_target *to;
	struct pool_shared *shared; /* or NULL */
	size_t connections_max, idle_max, queue_max;
	clock_ms connect_timeout; /* with `to`, that of the target counts */
	clock_ms idle_timeout, queue_timeout;
	size_t buffer_max;                          /* ceiling of an upstream's input buffer */
	void (*count)(enum pool_count what, int n); /* may be NULL */
};

struct pool;

struct upstream {
	struct list node;
	struct list shared; /* while idle, if the pool shares a bound */
	struct pool *pool;
	struct stream *stream;       /* NULL while `connector` is at work */
	struct connector *connector; /* to another server */
	struct buf in;               /* bytes received and not yet understood */
	bool reused;                 /* has carried a request before */
	stream_fn *fn;               /* the taker's; NULL while idle or connecting */
	void *arg;
	struct timer timer;
	struct pool_wait *wait; /* who the connect is for */
	struct grave grave;
	bool dead;
};

/* A waiting taker; embedded. */
struct pool_wait {
	struct list node;
	struct pool *pool;
	struct upstream *connecting;
	struct timer timer;
	bool fresh;   /* a reused connection will not do */
	bool stalled; /* a first attempt was put off: the listen queue was full */
	enum err why; /* about to be told */
	void (*fn)(void *arg, struct upstream *up, enum err why); /* up NULL: why tells */
	void *arg;
};

struct pool *pool_new(struct loop *loop, const struct pool_config *cfg) MUST_CHECK;
void pool_free(struct pool *p); /* closes idle connections; those in use close when released; who is
				   queued is refused */
/* New limits, from now on: what is beyond them goes when it is released or idle.  Address, target
 * and shared bound stay. */
void pool_set_limits(struct pool *p, const struct pool_config *cfg);

/* An idle connection at once, or NULL.  `certain`: each is looked at once more (a system call), for
 * a request that could not be sent a second time. */
struct upstream *pool_take(struct pool *p, bool certain) MUST_CHECK;

/* A connection later: a new one, or, at the bound, the next one released.  `fresh`: never a reused
 * one.  A unix socket whose listen queue is full is tried again until connect_timeout.  fn is
 * called once, not before this returns, with ERR_UPSTREAM_DOWN, ERR_UPSTREAM_SLOW (connecting),
 * ERR_UPSTREAM_BUSY (queue full or waited too long); to another server with the connector's
 * reasons, or ERR_REMOTE_BUSY. */
void pool_wait_init(struct pool_wait *w);
void pool_acquire(struct pool *p, bool fresh, struct pool_wait *w,
    void (*fn)(void *arg, struct upstream *up, enum err why), void *arg);
void pool_cancel(struct pool_wait *w); /* may be called any time */

/* Sets who gets the stream's events from now on. */
void upstream_own(struct upstream *up, stream_fn *fn, void *arg);

/* Gives the connection back; not reusable: it is closed. */
void pool_release(struct upstream *up, bool reusable);

void pool_shared_init(struct pool_shared *s, size_t max);
void pool_shared_set(struct pool_shared *s, size_t max); /* what is beyond goes at once */

size_t pool_connections(const struct pool *p);
size_t pool_waiting(const struct pool *p);
size_t pool_load(const struct pool *p); /* connections in use, and takers waiting */

#endif
