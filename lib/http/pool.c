/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/net/dial.h"

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

static void serve_queue(struct pool *p);

static void
count(const struct pool *p, enum pool_count what, int n)
{
	if (p->cfg.count != NULL)
		p->cfg.count(what, n);
}

/* --- lists, and how many are on them --- */

static void
add_idle(struct pool *p, struct upstream *up)
{
	list_remove(&up->node);
	list_prepend(&p->idle, &up->node);
	p->n_idle++;
	count(p, POOL_BUSY, -1);
	count(p, POOL_IDLE, 1);
}

static void
leave_idle(struct pool *p, struct upstream *up)
{
	list_remove(&up->node);
	list_append(&p->busy, &up->node);
	p->n_idle--;
	count(p, POOL_IDLE, -1);
	count(p, POOL_BUSY, 1);
}

static void
enqueue(struct pool *p, struct pool_wait *w, bool first)
{
	if (first)
		list_prepend(&p->queue, &w->node);
	else
		list_append(&p->queue, &w->node);
	p->n_queue++;
	count(p, POOL_QUEUED, 1);
}

static void
dequeue(struct pool *p, struct pool_wait *w)
{
	list_remove(&w->node);
	p->n_queue--;
	count(p, POOL_QUEUED, -1);
}

/* --- the end of a connection --- */

static void
upstream_free(void *arg)
{
	struct upstream *up = arg;

	buf_fini(&up->in);
	free(up);
}

static void
pool_end(struct pool *p)
{
	timer_clear(&p->again);
	free(p);
}

/* Of a connection that is not idle. */
static void
drop(struct upstream *up)
{
	struct pool *p = up->pool;

	if (up->dead)
		return;
	up->dead = true;
	up->fn = NULL;
	timer_clear(&up->timer);
	list_remove(&up->node);
	stream_close(up->stream);
	p->n_all--;
	count(p, POOL_BUSY, -1);
	loop_bury(p->loop, &up->grave, upstream_free, up);
	if (p->freed && p->n_all == 0)
		pool_end(p);
}

static void
drop_idle(struct upstream *up)
{
	leave_idle(up->pool, up);
	drop(up);
}

/* Drops a connection that was in use: who waits in the queue may have its place. */
static void
make_room(struct upstream *up)
{
	struct pool *p = up->pool;
	bool last = p->freed && p->n_all == 1; /* then the pool goes with it */

	drop(up);
	if (!last)
		serve_queue(p);
}

/* --- waiting takers --- */

static void
wait_done(struct pool_wait *w, struct upstream *up, enum err why)
{
	timer_clear(&w->timer);
	if (!list_empty(&w->node))
		dequeue(w->pool, w);
	w->connecting = NULL;
	w->pool = NULL;
	w->fn(w->arg, up, why);
}

static void
on_wait_timer(void *arg)
{
	struct pool_wait *w = arg;
	struct upstream *up = w->connecting;

	if (up == NULL && !w->stalled) {
		count(w->pool, POOL_QUEUE_TIMEOUT, 1);
		wait_done(w, NULL, ERR_UPSTREAM_BUSY);
		return;
	}
	count(w->pool, POOL_CONNECT_TIMEOUT, 1);
	if (up != NULL) {
		up->wait = NULL;
		make_room(up);
	}
	wait_done(w, NULL, ERR_UPSTREAM_SLOW);
}

static void
on_refused(void *arg)
{
	wait_done(arg, NULL, ERR_UPSTREAM_DOWN);
}

static void
on_full(void *arg)
{
	wait_done(arg, NULL, ERR_UPSTREAM_BUSY);
}

/* Tells a failure on the next tick: never from inside the call that asked. */
static void
refuse_later(struct pool *p, struct pool_wait *w, void (*fn)(void *))
{
	timer_clear(&w->timer);
	w->timer.fn = fn;
	timer_set(p->loop, &w->timer, 0);
}

/* --- events of a connection --- */

static void
hand_over(struct upstream *up, struct pool_wait *w)
{
	up->wait = NULL;
	stream_want(up->stream, 0);
	wait_done(w, up, OK);
}

static void
on_event(void *arg, unsigned what)
{
	struct upstream *up = arg;
	struct pool_wait *w = up->wait;

	if (up->fn != NULL) {
		up->fn(up->arg, what);
		return;
	}
	if (w == NULL) {
		/* Idle: neither an end nor unasked-for bytes leave a usable connection. */
		drop_idle(up);
		return;
	}
	if (stream_failed(up->stream)) {
		count(up->pool, POOL_CONNECT_FAILED, 1);
		up->wait = NULL;
		make_room(up);
		wait_done(w, NULL, ERR_UPSTREAM_DOWN);
		return;
	}
	hand_over(up, w);
}

static void
on_idle_timer(void *arg)
{
	drop_idle(arg);
}

/* --- connecting --- */

/* false with errno. */
static bool
connect_for(struct pool *p, struct pool_wait *w)
{
	struct upstream *up = calloc(1, sizeof(*up));
	bool connecting;
	int fd = up != NULL ? dial(&p->cfg.address, p->cfg.address_len, &connecting) : -1;

	if (fd < 0) {
		free(up);
		return false;
	}
	up->pool = p;
	up->wait = w;
	buf_init(&up->in, p->cfg.buffer_max);
	up->stream = stream_new(p->loop, fd, NULL, connecting, on_event, up);
	if (up->stream == NULL) {
		close(fd);
		free(up);
		errno = ENOMEM;
		return false;
	}
	timer_init(&up->timer, on_idle_timer, up);
	list_append(&p->busy, &up->node);
	p->n_all++;
	count(p, POOL_BUSY, 1);
	w->connecting = up;
	if (!w->stalled)
		timer_set(p->loop, &w->timer, p->cfg.connect_timeout);
	stream_want(up->stream, STREAM_WRITE);
	return true;
}

/* Begins to connect.  false: the listen queue is full; w heads the queue, and it is tried again on
 * the next tick. */
static bool
open_for(struct pool *p, struct pool_wait *w)
{
	if (connect_for(p, w))
		return true;
	if (errno != EAGAIN || p->cfg.address.ss_family != AF_UNIX) {
		count(p, POOL_CONNECT_FAILED, 1);
		refuse_later(p, w, on_refused);
		return true;
	}
	if (!w->stalled)
		timer_set(p->loop, &w->timer, p->cfg.connect_timeout);
	w->stalled = true;
	enqueue(p, w, true);
	timer_set(p->loop, &p->again, 0);
	return false;
}

static void
on_again(void *arg)
{
	serve_queue(arg);
}

/* --- public --- */

struct pool *
pool_new(struct loop *loop, const struct pool_config *cfg)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->loop = loop;
	p->cfg = *cfg;
	list_init(&p->idle);
	list_init(&p->busy);
	list_init(&p->queue);
	timer_init(&p->again, on_again, p);
	return p;
}

void
pool_free(struct pool *p)
{
	struct list *node;

	if (p == NULL)
		return;
	while ((node = list_first(&p->queue)) != NULL) {
		struct pool_wait *w = LIST_ENTRY(node, struct pool_wait, node);

		dequeue(p, w);
		refuse_later(p, w, on_refused);
	}
	p->n_all++; /* keeps the struct while we empty it */
	while ((node = list_first(&p->idle)) != NULL)
		drop_idle(LIST_ENTRY(node, struct upstream, node));
	p->freed = true;
	if (--p->n_all == 0)
		pool_end(p);
}

void
pool_set_limits(struct pool *p, const struct pool_config *cfg)
{
	struct sockaddr_storage address = p->cfg.address;
	socklen_t len = p->cfg.address_len;

	p->cfg = *cfg;
	p->cfg.address = address;
	p->cfg.address_len = len;
	serve_queue(p);
}

/* Whether the peer has neither closed nor said anything since. */
static bool
is_silent(const struct upstream *up)
{
	char byte;

	return recv(stream_fd(up->stream), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	       (errno == EAGAIN || errno == EWOULDBLOCK);
}

struct upstream *
pool_take(struct pool *p, bool certain)
{
	struct list *node;

	while ((node = list_first(&p->idle)) != NULL) {
		struct upstream *up = LIST_ENTRY(node, struct upstream, node);

		if (certain && !is_silent(up)) {
			drop_idle(up);
			continue;
		}
		leave_idle(p, up);
		timer_clear(&up->timer);
		up->reused = true;
		up->in.max = p->cfg.buffer_max;
		return up;
	}
	return NULL;
}

void
upstream_own(struct upstream *up, stream_fn *fn, void *arg)
{
	up->fn = fn;
	up->arg = arg;
}

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
		drop_idle(LIST_ENTRY(p->idle.prev, struct upstream, node));
	if (p->n_all < p->cfg.connections_max && p->n_queue == 0) {
		(void)open_for(p, w);
	} else if (p->n_queue < p->cfg.queue_max) {
		enqueue(p, w, false);
		timer_set(p->loop, &w->timer, p->cfg.queue_timeout);
	} else {
		count(p, POOL_QUEUE_FULL, 1);
		refuse_later(p, w, on_full);
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
		dequeue(p, w);
	if (up != NULL) {
		up->wait = NULL;
		w->connecting = NULL;
		make_room(up);
	}
}

static void
serve_queue(struct pool *p)
{
	struct list *node;

	while (!p->freed && p->n_all < p->cfg.connections_max &&
	       (node = list_first(&p->queue)) != NULL) {
		struct pool_wait *w = LIST_ENTRY(node, struct pool_wait, node);

		dequeue(p, w);
		if (!open_for(p, w))
			break;
	}
}

void
pool_release(struct upstream *up, bool reusable)
{
	struct pool *p = up->pool;
	struct list *node = list_first(&p->queue);
	struct pool_wait *w = node != NULL ? LIST_ENTRY(node, struct pool_wait, node) : NULL;

	up->fn = NULL;
	if (!reusable || p->freed || stream_failed(up->stream) || buf_len(&up->in) > 0 ||
	    (w != NULL && w->fresh) || p->n_all > p->cfg.connections_max) {
		make_room(up);
		return;
	}
	up->reused = true;
	if (w != NULL) {
		dequeue(p, w);
		up->wait = w;
		w->connecting = up;
		stream_want(up->stream, STREAM_WRITE); /* hands over at the end of this turn */
		return;
	}
	if (p->n_idle >= p->cfg.idle_max) {
		drop(up);
		return;
	}
	buf_release(&up->in);
	add_idle(p, up);
	stream_want(up->stream, STREAM_READ);
	timer_set(p->loop, &up->timer, p->cfg.idle_timeout);
}

size_t
pool_connections(const struct pool *p)
{
	return p->n_all;
}

size_t
pool_waiting(const struct pool *p)
{
	return p->n_queue;
}

size_t
pool_load(const struct pool *p)
{
	return p->n_all - p->n_idle + p->n_queue;
}
