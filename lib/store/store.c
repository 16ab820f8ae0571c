/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store - what all back ends have in common: names, limits, the state, watchers.
 */
#include "lib/store/store.h"

#include <stdlib.h>

#include "lib/store/store_int.h"

struct store_watch {
	struct list node;
	struct store *store;
	struct task told;
	void (*fn)(void *arg);
	void *arg;
	size_t n;
	char channel[];
};

/* --- names --- */

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (str_lower(c) >= 'a' && str_lower(c) <= 'z');
}

static bool
has_plain_bytes(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]) && (i == 0 || memchr(":._-", s.p[i], 4) == NULL))
			return false;
	return s.n <= STORE_KEY_MAX;
}

bool
store_key_ok(struct str key)
{
	return key.n > 0 && has_plain_bytes(key);
}

/* --- for back ends --- */

static void
on_tell(void *arg)
{
	struct store *s = arg;

	if (s->known == s->now)
		return;
	s->known = s->now;
	if (s->cfg.state != NULL)
		s->cfg.state(s->cfg.arg, s->known);
}

void
store_init(struct store *s, const struct store_backend *backend, struct loop *loop,
    const struct store_config *cfg)
{
	s->backend = backend;
	s->holders = 1;
	s->loop = loop;
	s->cfg = *cfg;
	s->known = s->now = ERR_COUNT;
	task_init(&s->tell, on_tell, s);
	list_init(&s->watches);
}

void
store_fini(struct store *s)
{
	task_cancel(&s->tell);
}

void
store_report(struct store *s, enum err why)
{
	s->now = why;
	if (s->now != s->known)
		task_defer(s->loop, &s->tell);
}

static struct str
channel_of(const struct store_watch *w)
{
	return str_of(w->channel, w->n);
}

void
store_announced(struct store *s, struct str channel)
{
	LIST_FOR(node, &s->watches) {
		struct store_watch *w = LIST_ENTRY(node, struct store_watch, node);

		if (channel.n == 0 || str_eq(channel_of(w), channel))
			task_defer(s->loop, &w->told);
	}
}

/* --- public --- */

void
store_free(struct store *s)
{
	if (s != NULL && --s->holders == 0)
		s->backend->free(s);
}

struct store *
store_hold(struct store *s)
{
	s->holders++;
	return s;
}

enum err
store_state(const struct store *s)
{
	return s->now;
}

static struct store_call *
begun(struct store *s, struct store_call *c, void *arg)
{
	if (c != NULL) {
		c->store = s;
		c->arg = arg;
	}
	return c;
}

struct store_call *
store_get(struct store *s, struct str key, store_value_fn *fn, void *arg)
{
	struct store_call *c = store_key_ok(key) ? begun(s, s->backend->get(s, key), arg) : NULL;

	if (c != NULL)
		c->fn.value = fn;
	return c;
}

static bool
are_ok(const struct store *s, const struct store_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!store_key_ok(ops[i].key) || ops[i].value.n > s->cfg.value_max)
			return false;
	return n > 0 && n <= STORE_OPS_MAX;
}

struct store_call *
store_apply(struct store *s, const struct store_op *ops, size_t n, struct str channel,
    store_done_fn *fn, void *arg)
{
	struct store_call *c = NULL;

	if (are_ok(s, ops, n) && (channel.n == 0 || store_key_ok(channel)))
		c = begun(s, s->backend->apply(s, ops, n, channel), arg);
	if (c != NULL)
		c->fn.done = fn;
	return c;
}

struct store_call *
store_list(struct store *s, struct str prefix, store_keys_fn *fn, void *arg)
{
	struct store_call *c =
	    has_plain_bytes(prefix) ? begun(s, s->backend->list(s, prefix), arg) : NULL;

	if (c != NULL)
		c->fn.keys = fn;
	return c;
}

struct store_call *
store_ask_claim(struct store *s, struct str name, struct str token, clock_ms ttl,
    store_claimed_fn *fn, void *arg)
{
	struct store_call *c = begun(s, s->backend->claim(s, name, token, ttl), arg);

	if (c != NULL)
		c->fn.claimed = fn;
	return c;
}

void
store_cancel(struct store_call *c)
{
	if (c != NULL)
		c->store->backend->cancel(c);
}

/* --- watchers --- */

static bool
is_watched(struct store *s, struct str channel)
{
	LIST_FOR(node, &s->watches) {
		if (str_eq(channel_of(LIST_ENTRY(node, struct store_watch, node)), channel))
			return true;
	}
	return false;
}

static void
on_told(void *arg)
{
	struct store_watch *w = arg;

	w->fn(w->arg);
}

struct store_watch *
store_watch(struct store *s, struct str channel, void (*fn)(void *arg), void *arg)
{
	struct store_watch *w;

	if (!store_key_ok(channel))
		return NULL;
	if (!is_watched(s, channel) && !s->backend->watch(s, channel))
		return NULL;
	w = calloc(1, sizeof(*w) + channel.n);
	if (w == NULL) {
		if (!is_watched(s, channel))
			s->backend->unwatch(s, channel);
		return NULL;
	}
	*w = (struct store_watch){ .store = s, .fn = fn, .arg = arg, .n = channel.n };
	memcpy(w->channel, channel.p, channel.n);
	task_init(&w->told, on_told, w);
	list_append(&s->watches, &w->node);
	task_defer(s->loop, &w->told); /* it has seen nothing yet */
	return w;
}

void
store_unwatch(struct store_watch *w)
{
	if (w == NULL)
		return;
	task_cancel(&w->told);
	list_remove(&w->node);
	if (!is_watched(w->store, channel_of(w)))
		w->store->backend->unwatch(w->store, channel_of(w));
	free(w);
}
