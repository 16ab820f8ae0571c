/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool_wait - takers that wait, in the queue or for a connection that is being made for them.
 */
#include <errno.h>
#include <unistd.h>

#include "lib/http/pool_int.h"
#include "lib/net/dial.h"

enum err
pool_reason(const struct pool *p, enum err upstream, enum err remote)
{
	return p->cfg.to != NULL ? remote : upstream;
}

/* --- the queue --- */

static void
enqueue(struct pool *p, struct pool_wait *w, bool first)
{
	if (first)
		list_prepend(&p->queue, &w->node);
	else
		list_append(&p->queue, &w->node);
	p->n_queue++;
	pool_count(p, POOL_QUEUED, 1);
}

void
pool_dequeue(struct pool *p, struct pool_wait *w)
{
	list_remove(&w->node);
	p->n_queue--;
	pool_count(p, POOL_QUEUED, -1);
}

/* --- the end of waiting --- */

static void
wait_done(struct pool_wait *w, struct upstream *up, enum err why)
{
	timer_clear(&w->timer);
	if (!list_empty(&w->node))
		pool_dequeue(w->pool, w);
	w->connecting = NULL;
	w->pool = NULL;
	w->fn(w->arg, up, why);
}

static void
on_wait_timer(void *arg)
{
	struct pool_wait *w = arg;
	struct pool *p = w->pool;
	struct upstream *up = w->connecting;
	enum err why = pool_reason(p, ERR_UPSTREAM_SLOW, ERR_REMOTE_TIMEOUT);

	if (up == NULL && !w->stalled) {
		pool_count(p, POOL_QUEUE_TIMEOUT, 1);
		wait_done(w, NULL, pool_reason(p, ERR_UPSTREAM_BUSY, ERR_REMOTE_BUSY));
		return;
	}
	pool_count(p, POOL_CONNECT_TIMEOUT, 1);
	if (up != NULL) {
		up->wait = NULL;
		pool_make_room(up);
	}
	wait_done(w, NULL, why);
}

static void
on_refused(void *arg)
{
	struct pool_wait *w = arg;

	wait_done(w, NULL, w->why);
}

void
pool_refuse_later(struct pool *p, struct pool_wait *w, enum err why)
{
	timer_clear(&w->timer);
	w->why = why;
	w->timer.fn = on_refused;
	timer_set(p->loop, &w->timer, 0);
}

static void
connect_failed(struct upstream *up, enum err why)
{
	struct pool_wait *w = up->wait;

	up->wait = NULL;
	pool_make_room(up);
	wait_done(w, NULL, why);
}

static void
hand_over(struct upstream *up)
{
	struct pool_wait *w = up->wait;

	up->wait = NULL;
	stream_want(up->stream, 0);
	wait_done(w, up, OK);
}

void
pool_on_connected(struct upstream *up)
{
	if (!stream_failed(up->stream)) {
		hand_over(up);
		return;
	}
	pool_count(up->pool, POOL_CONNECT_FAILED, 1);
	connect_failed(up, pool_reason(up->pool, ERR_UPSTREAM_DOWN, ERR_REMOTE_CONNECT));
}

/* --- another server --- */

static enum pool_count
failure(enum err why)
{
	switch (why) {
	case ERR_REMOTE_TIMEOUT:
		return POOL_CONNECT_TIMEOUT;
	case ERR_REMOTE_PROXY:
		return POOL_CONNECT_PROXY;
	case ERR_REMOTE_TLS:
		return POOL_CONNECT_TLS;
	case ERR_REMOTE_TLS_NAME:
		return POOL_CONNECT_TLS_NAME;
	case ERR_REMOTE_TLS_CHAIN:
		return POOL_CONNECT_TLS_CHAIN;
	case ERR_REMOTE_TLS_EXPIRED:
		return POOL_CONNECT_TLS_EXPIRED;
	default:
		return POOL_CONNECT_FAILED;
	}
}

static void
on_brought(void *arg, struct stream *s, enum err why)
{
	struct upstream *up = arg;

	up->connector = NULL;
	up->stream = s;
	if (s != NULL) {
		stream_own(s, pool_on_event, up);
		hand_over(up);
		return;
	}
	pool_count(up->pool, failure(why), 1);
	connect_failed(up, why);
}

static bool
send_for(struct pool *p, struct upstream *up, struct pool_wait *w)
{
	up->connector = connector_start(p->loop, p->cfg.to, on_brought, up);
	timer_clear(&w->timer); /* the connector has its own */
	return up->connector != NULL;
}

/* --- a homeserver --- */

/* false with errno. */
static bool
dial_for(struct pool *p, struct upstream *up, struct pool_wait *w)
{
	bool connecting;
	int fd = dial(&p->cfg.address, p->cfg.address_len, &connecting);

	if (fd < 0)
		return false;
	up->stream = stream_new(p->loop, fd, NULL, connecting, pool_on_event, up);
	if (up->stream == NULL) {
		close(fd);
		errno = ENOMEM;
		return false;
	}
	if (!w->stalled)
		timer_set(p->loop, &w->timer, p->cfg.connect_timeout);
	stream_want(up->stream, STREAM_WRITE);
	return true;
}

/* --- connecting --- */

/* false with errno. */
static bool
connect_for(struct pool *p, struct pool_wait *w)
{
	struct upstream *up = pool_add(p);
	int err;

	if (up == NULL) {
		errno = ENOMEM;
		return false;
	}
	up->wait = w;
	w->connecting = up;
	if (p->cfg.to != NULL ? send_for(p, up, w) : dial_for(p, up, w))
		return true;
	err = p->cfg.to != NULL ? ENOMEM : errno;
	up->wait = NULL;
	w->connecting = NULL;
	pool_drop(up);
	errno = err;
	return false;
}

/* Begins to connect.  false: the listen queue is full; w heads the queue, and it is tried again on
 * the next tick. */
static bool
open_for(struct pool *p, struct pool_wait *w)
{
	if (connect_for(p, w))
		return true;
	if (errno != EAGAIN || p->cfg.address.ss_family != AF_UNIX) {
		pool_count(p, POOL_CONNECT_FAILED, 1);
		pool_refuse_later(p, w, pool_reason(p, ERR_UPSTREAM_DOWN, ERR_MEMORY));
		return true;
	}
	if (!w->stalled)
		timer_set(p->loop, &w->timer, p->cfg.connect_timeout);
	w->stalled = true;
	enqueue(p, w, true);
	timer_set(p->loop, &p->again, 0);
	return false;
}

void
pool_serve_queue(struct pool *p)
{
	struct list *node;

	while (!p->freed && p->n_all < p->cfg.connections_max &&
	       (node = list_first(&p->queue)) != NULL) {
		struct pool_wait *w = LIST_ENTRY(node, struct pool_wait, node);

		pool_dequeue(p, w);
		if (!open_for(p, w))
			break;
	}
}

void
pool_on_again(void *pool)
{
	pool_serve_queue(pool);
}

/* --- public --- */

void
pool_wait_init(struct pool_wait *w)
{
	*w = (struct pool_wait){ 0 };
	list_init(&w->node);
	timer_init(&w->timer, on_wait_timer, w);
}

void
pool_acquire(struct pool *p, bool fresh, struct pool_wait *w,
    void (*fn)(void *arg, struct upstream *up, enum err why), void *arg)
{
	pool_wait_init(w);
	w->pool = p;
	w->fresh = fresh;
	w->fn = fn;
	w->arg = arg;
	/* At the bound an idle connection makes room for a fresh one. */
	if (p->n_all >= p->cfg.connections_max && fresh && !list_empty(&p->idle))
		pool_drop_idle(LIST_ENTRY(p->idle.prev, struct upstream, node));
	if (p->n_all < p->cfg.connections_max && p->n_queue == 0) {
		(void)open_for(p, w);
	} else if (p->n_queue < p->cfg.queue_max) {
		enqueue(p, w, false);
		timer_set(p->loop, &w->timer, p->cfg.queue_timeout);
	} else {
		pool_count(p, POOL_QUEUE_FULL, 1);
		pool_refuse_later(p, w, pool_reason(p, ERR_UPSTREAM_BUSY, ERR_REMOTE_BUSY));
	}
}

void
pool_cancel(struct pool_wait *w)
{
	struct pool *p = w->pool;
	struct upstream *up = w->connecting;

	if (p == NULL)
		return;
	w->pool = NULL;
	timer_clear(&w->timer);
	if (!list_empty(&w->node))
		pool_dequeue(p, w);
	if (up != NULL) {
		up->wait = NULL;
		w->connecting = NULL;
		pool_make_room(up);
	}
}
