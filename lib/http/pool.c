/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool - connections: idle, taken, given back, dropped.
 */
#include "lib/http/pool.h"

#include <stdlib.h>

#include "lib/http/pool_int.h"

void
pool_count(const struct pool *p, enum pool_count what, int n)
{
	if (p->cfg.count != NULL)
		p->cfg.count(what, n);
}

/* --- idle and busy --- */

static void
add_idle(struct pool *p, struct upstream *up)
{
	list_remove(&up->node);
	list_prepend(&p->idle, &up->node);
	p->n_idle++;
	if (p->cfg.shared != NULL) {
		list_prepend(&p->cfg.shared->idle, &up->shared);
		p->cfg.shared->n++;
	}
	pool_count(p, POOL_BUSY, -1);
	pool_count(p, POOL_IDLE, 1);
}

static void
leave_idle(struct pool *p, struct upstream *up)
{
	list_remove(&up->node);
	list_append(&p->busy, &up->node);
	p->n_idle--;
	if (p->cfg.shared != NULL) {
		list_remove(&up->shared);
		p->cfg.shared->n--;
	}
	pool_count(p, POOL_IDLE, -1);
	pool_count(p, POOL_BUSY, 1);
}

static void
on_idle_timer(void *arg)
{
	pool_drop_idle(arg);
}

struct upstream *
pool_add(struct pool *p)
{
	struct upstream *up = calloc(1, sizeof(*up));

	if (up == NULL)
		return NULL;
	up->pool = p;
	buf_init(&up->in, p->cfg.buffer_max);
	timer_init(&up->timer, on_idle_timer, up);
	list_init(&up->shared);
	list_append(&p->busy, &up->node);
	p->n_all++;
	pool_count(p, POOL_BUSY, 1);
	return up;
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

void
pool_drop(struct upstream *up)
{
	struct pool *p = up->pool;

	if (up->dead)
		return;
	up->dead = true;
	up->fn = NULL;
	timer_clear(&up->timer);
	list_remove(&up->node);
	connector_cancel(up->connector);
	up->connector = NULL;
	stream_close(up->stream);
	p->n_all--;
	pool_count(p, POOL_BUSY, -1);
	loop_bury(p->loop, &up->grave, upstream_free, up);
	if (p->freed && p->n_all == 0)
		pool_end(p);
}

void
pool_drop_idle(struct upstream *up)
{
	leave_idle(up->pool, up);
	pool_drop(up);
}

void
pool_make_room(struct upstream *up)
{
	struct pool *p = up->pool;
	bool last = p->freed && p->n_all == 1; /* then the pool goes with it */

	pool_drop(up);
	if (!last)
		pool_serve_queue(p);
}

static void
bound_idle(struct pool *p)
{
	while (p->n_idle > p->cfg.idle_max)
		pool_drop_idle(LIST_ENTRY(p->idle.prev, struct upstream, node));
}

static void
bound_shared(struct pool_shared *s)
{
	while (s->n > s->max)
		pool_drop_idle(LIST_ENTRY(s->idle.prev, struct upstream, shared));
}

/* --- events --- */

/* Neither an end nor unasked-for bytes leave a usable connection. */
static void
on_idle_event(struct upstream *up)
{
	if (stream_quiet(up->stream))
		stream_rest(up->stream);
	else
		pool_drop_idle(up);
}

void
pool_on_event(void *arg, unsigned what)
{
	struct upstream *up = arg;

	if (up->fn != NULL)
		up->fn(up->arg, what);
	else if (up->wait != NULL)
		pool_on_connected(up);
	else
		on_idle_event(up);
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
	timer_init(&p->again, pool_on_again, p);
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

		pool_dequeue(p, w);
		pool_refuse_later(p, w, pool_reason(p, ERR_UPSTREAM_DOWN, ERR_REMOTE_CONNECT));
	}
	p->n_all++; /* keeps the struct while we empty it */
	while ((node = list_first(&p->idle)) != NULL)
		pool_drop_idle(LIST_ENTRY(node, struct upstream, node));
	p->freed = true;
	if (--p->n_all == 0)
		pool_end(p);
}

void
pool_set_limits(struct pool *p, const struct pool_config *cfg)
{
	struct pool_config now = *cfg;

	now.address = p->cfg.address;
	now.address_len = p->cfg.address_len;
	now.to = p->cfg.to;
	now.shared = p->cfg.shared;
	p->cfg = now;
	bound_idle(p);
	pool_serve_queue(p);
}

struct upstream *
pool_take(struct pool *p, bool certain)
{
	struct list *node;

	while ((node = list_first(&p->idle)) != NULL) {
		struct upstream *up = LIST_ENTRY(node, struct upstream, node);

		if (certain && !stream_quiet(up->stream)) {
			pool_drop_idle(up);
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

static bool
may_keep(const struct pool *p)
{
	return p->n_idle < p->cfg.idle_max && (p->cfg.shared == NULL || p->cfg.shared->max > 0);
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
		pool_make_room(up);
		return;
	}
	up->reused = true;
	if (w != NULL) {
		pool_dequeue(p, w);
		up->wait = w;
		w->connecting = up;
		stream_want(up->stream, STREAM_WRITE); /* hands over at the end of this turn */
		return;
	}
	if (!may_keep(p)) {
		pool_drop(up);
		return;
	}
	buf_release(&up->in);
	add_idle(p, up);
	stream_rest(up->stream);
	stream_want(up->stream, STREAM_READ);
	timer_set(p->loop, &up->timer, p->cfg.idle_timeout);
	if (p->cfg.shared != NULL)
		bound_shared(p->cfg.shared);
}

void
pool_shared_init(struct pool_shared *s, size_t max)
{
	*s = (struct pool_shared){ .max = max };
	list_init(&s->idle);
}

void
pool_shared_set(struct pool_shared *s, size_t max)
{
	s->max = max;
	bound_shared(s);
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
