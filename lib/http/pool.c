/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/pool.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

struct pool {
	struct loop *loop;
	struct pool_config cfg;
	struct list idle;  /* last used first: the rest can time out */
	struct list busy;  /* connecting or taken */
	struct list queue; /* pool_waits without a connection */
	size_t n_idle, n_all, n_queue;
	bool freed;
};

static void serve_queue(struct pool *p);

static void
upstream_free(void *arg)
{
	struct upstream *up = arg;

	buf_fini(&up->in);
	free(up);
}

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
	loop_bury(p->loop, &up->grave, upstream_free, up);
	if (p->freed && p->n_all == 0)
		free(p);
}

/* Drops a connection that was counted as busy: who waits in the queue may have its place. */
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
	if (!list_empty(&w->node)) {
		list_remove(&w->node);
		w->pool->n_queue--;
	}
	w->connecting = NULL;
	w->pool = NULL;
	w->fn(w->arg, up, why);
}

static void
on_wait_timer(void *arg)
{
	struct pool_wait *w = arg;
	struct upstream *up = w->connecting;

	if (up == NULL) {
		/* Queued too long, or refused on the spot and told only now. */
		wait_done(w, NULL, ERR_UPSTREAM_BUSY);
		return;
	}
	up->wait = NULL;
	make_room(up);
	wait_done(w, NULL, ERR_UPSTREAM_SLOW);
}

static void
on_refused(void *arg)
{
	wait_done(arg, NULL, ERR_UPSTREAM_DOWN);
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
	struct pool *p = up->pool;
	struct pool_wait *w = up->wait;

	if (up->fn != NULL) {
		up->fn(up->arg, what);
		return;
	}
	if (w == NULL) {
		/* Idle: neither an end nor unasked-for bytes leave a usable connection. */
		p->n_idle--;
		drop(up);
		return;
	}
	if (stream_failed(up->stream)) {
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
	struct upstream *up = arg;

	up->pool->n_idle--;
	drop(up);
}

static int
dial(const struct pool_config *cfg, bool *connecting)
{
	int one = 1,
	    fd = socket(cfg->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (cfg->address.ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	*connecting = false;
	if (connect(fd, (const struct sockaddr *)&cfg->address, cfg->address_len) == 0)
		return fd;
	if (errno == EINPROGRESS) {
		*connecting = true;
		return fd;
	}
	close(fd);
	return -1;
}

static bool
open_for(struct pool *p, struct pool_wait *w)
{
	struct upstream *up = calloc(1, sizeof(*up));
	bool connecting;
	int fd = up != NULL ? dial(&p->cfg, &connecting) : -1;

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
		return false;
	}
	timer_init(&up->timer, on_idle_timer, up);
	list_append(&p->busy, &up->node);
	p->n_all++;
	w->connecting = up;
	timer_set(p->loop, &w->timer, p->cfg.connect_timeout);
	stream_want(up->stream, STREAM_WRITE);
	return true;
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
	return p;
}

void
pool_free(struct pool *p)
{
	struct list *node;

	if (p == NULL)
		return;
	while ((node = list_first(&p->queue)) != NULL) {
		list_remove(node);
		refuse_later(p, LIST_ENTRY(node, struct pool_wait, node), on_refused);
	}
	p->n_queue = 0;
	p->n_all++; /* keeps the struct while we empty it */
	while ((node = list_first(&p->idle)) != NULL)
		drop(LIST_ENTRY(node, struct upstream, node));
	p->n_idle = 0;
	p->freed = true;
	if (--p->n_all == 0)
		free(p);
}

void
pool_set_limits(struct pool *p, const struct pool_config *cfg)
{
	struct sockaddr_storage address = p->cfg.address;
	socklen_t len = p->cfg.address_len;

	p->cfg = *cfg;
	p->cfg.address = address;
	p->cfg.address_len = len;
}

struct upstream *
pool_take(struct pool *p, stream_fn *fn, void *arg)
{
	struct list *node = list_first(&p->idle);
	struct upstream *up;

	if (node == NULL)
		return NULL;
	up = LIST_ENTRY(node, struct upstream, node);
	list_remove(&up->node);
	list_append(&p->busy, &up->node);
	p->n_idle--;
	timer_clear(&up->timer);
	up->reused = true;
	upstream_own(up, fn, arg);
	return up;
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

static void
enqueue(struct pool *p, struct pool_wait *w)
{
	list_append(&p->queue, &w->node);
	p->n_queue++;
	timer_set(p->loop, &w->timer, p->cfg.queue_timeout);
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
	if (p->n_all >= p->cfg.connections_max && fresh && !list_empty(&p->idle)) {
		p->n_idle--;
		drop(LIST_ENTRY(p->idle.prev, struct upstream, node));
	}
	if (p->n_all < p->cfg.connections_max) {
		if (!open_for(p, w))
			refuse_later(p, w, on_refused);
	} else if (p->n_queue < p->cfg.queue_max) {
		enqueue(p, w);
	} else {
		refuse_later(p, w, on_wait_timer);
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
	if (!list_empty(&w->node)) {
		list_remove(&w->node);
		p->n_queue--;
	}
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

		list_remove(node);
		p->n_queue--;
		if (!open_for(p, w))
			refuse_later(p, w, on_refused);
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
	    (w != NULL && w->fresh)) {
		make_room(up);
		return;
	}
	up->reused = true;
	if (w != NULL) {
		list_remove(node);
		p->n_queue--;
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
	list_remove(&up->node);
	list_prepend(&p->idle, &up->node);
	p->n_idle++;
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
