/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fact - entries by key; an idle entry waits in the LRU list, a busy one has a look-up in flight,
 * askers to be called or an old value to be let go, and is never evicted.
 *
 * Askers are called from one deferred task, never from within fact_get() or fact_answer(), so a
 * callback may ask, cancel, drop, or free the whole cache.  A value that is replaced or dropped is
 * let go in the same task: what fact_peek() returned stays valid until control is back in the loop.
 *
 * A look-up that timed out stays the only one for its key until it answers: askers after the
 * time-out join it, with a new deadline.
 */
#include "lib/fact/fact.h"

#include <stdlib.h>

#include "lib/base/hash.h"

struct entry {
	struct hash_node node;
	struct grave grave;
	struct list place;  /* in the cache's idle list or its busy list */
	struct list queued; /* in the cache's queue, else alone */
	struct list waits;  /* askers for the look-up's answer */
	struct list ready;  /* askers to be called from the task */
	struct fact *fact;  /* what is held, may be NULL */
	struct fact *was;   /* replaced in this turn */
	struct fact_cache *cache;
	struct timer deadline;
	clock_ms retry_at; /* after a failed refresh: none before that */
	bool looking;
	bool forget; /* fact_drop() during a look-up: deliver its answer, do not keep it */
	size_t key_len;
	char key[];
};

struct fact_cache {
	struct loop *loop;
	struct fact_config cfg;
	struct fact_stats stats;
	struct hash entries;
	struct list idle; /* most recently used first */
	struct list busy;
	struct list queue;   /* entries the task has work for */
	struct list calling; /* askers being called with `value` */
	struct list refused; /* askers to be told ERR_OVERLOAD */
	struct list starved; /* askers to be told ERR_MEMORY */
	struct fact *overload, *memory;
	struct task task;
	size_t pending;
	bool *gone; /* set to true by fact_cache_free() inside a callback */
};

static void
free_negative(struct snapshot *s)
{
	free(s);
}

struct fact *
fact_negative(enum err err, clock_ms ttl_ms)
{
	struct fact *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	snapshot_init(&f->snap, free_negative);
	f->err = err;
	f->looked_up = clock_now();
	f->fresh_until = f->usable_until = f->looked_up + ttl_ms;
	return f;
}

static void
fact_let_go(struct fact *f)
{
	if (f != NULL)
		snapshot_drop(&f->snap);
}

/* --- entries --- */

static struct entry *
find(const struct fact_cache *c, struct str key, uint64_t hash)
{
	struct hash_node *n;

	for (n = hash_first(&c->entries, hash); n != NULL; n = hash_next(n)) {
		struct entry *e = HASH_ENTRY(n, struct entry, node);

		if (str_eq(str_of(e->key, e->key_len), key))
			return e;
	}
	return NULL;
}

static void
bury_entry(void *arg)
{
	struct entry *e = arg;

	fact_let_go(e->fact);
	fact_let_go(e->was);
	free(e);
}

static void
remove_entry(struct entry *e)
{
	timer_clear(&e->deadline);
	list_remove(&e->place);
	list_remove(&e->queued);
	hash_remove(&e->cache->entries, &e->node);
	loop_bury(e->cache->loop, &e->grave, bury_entry, e);
}

/* Evicts the least recently used idle entries while there are more than allowed. */
static void
trim(struct fact_cache *c, size_t max)
{
	while (c->entries.count > max && !list_empty(&c->idle)) {
		c->stats.evicted++;
		remove_entry(LIST_ENTRY(c->idle.prev, struct entry, place));
	}
}

static bool /* whether it is busy */
touch(struct entry *e)
{
	bool busy =
	    e->looking || e->was != NULL || !list_empty(&e->ready) || !list_empty(&e->waits);

	list_remove(&e->place);
	list_prepend(busy ? &e->cache->busy : &e->cache->idle, &e->place);
	return busy;
}

/* Where an entry belongs after something about it has changed; one without use is removed. */
static void
settle(struct entry *e)
{
	if (!touch(e) && e->fact == NULL)
		remove_entry(e);
	else
		trim(e->cache, e->cache->cfg.max_entries);
}

void
fact_set_limits(struct fact_cache *c, size_t max_entries, clock_ms timeout_ms)
{
	c->cfg.max_entries = max_entries;
	c->cfg.timeout_ms = timeout_ms;
	trim(c, max_entries);
}

static void on_deadline(void *arg);

static struct entry *
add(struct fact_cache *c, struct str key, uint64_t hash)
{
	struct entry *e = calloc(1, sizeof(*e) + key.n);

	if (e == NULL)
		return NULL;
	if (!hash_insert(&c->entries, &e->node, hash)) {
		free(e);
		return NULL;
	}
	e->cache = c;
	list_init(&e->place);
	list_init(&e->queued);
	list_init(&e->waits);
	list_init(&e->ready);
	timer_init(&e->deadline, on_deadline, e);
	e->key_len = key.n;
	if (key.n > 0)
		memcpy(e->key, key.p, key.n);
	return e;
}

static void
queue(struct entry *e)
{
	if (list_empty(&e->queued))
		list_append(&e->cache->queue, &e->queued);
	task_defer(e->cache->loop, &e->cache->task);
}

static void
hold(struct entry *e, struct fact *f) /* takes over the reference; NULL holds nothing */
{
	if (e->fact != NULL) {
		fact_let_go(e->was);
		e->was = e->fact;
		queue(e);
	}
	e->fact = f;
}

/* --- calling the askers --- */

static void
splice(struct list *to, struct list *from)
{
	struct list *node;

	while ((node = list_first(from)) != NULL) {
		list_remove(node);
		list_append(to, node);
	}
}

/* Calls everyone on `who` with f.  False: the cache was freed meanwhile. */
static bool
call(struct fact_cache *c, struct list *who, struct fact *f)
{
	bool gone = false;
	struct list *node;

	snapshot_hold(&f->snap);
	splice(&c->calling, who);
	c->gone = &gone;
	while (!gone && (node = list_first(&c->calling)) != NULL) {
		struct fact_wait *w = LIST_ENTRY(node, struct fact_wait, node);

		list_remove(node);
		w->cache = NULL;
		w->fn(w->arg, f);
	}
	if (!gone)
		c->gone = NULL;
	fact_let_go(f);
	return !gone;
}

/* The task: one entry after the other.  Nothing of it is touched once its askers are called. */
static void
deliver(void *arg)
{
	struct fact_cache *c = arg;
	struct list *node;

	if (!list_empty(&c->refused) && !call(c, &c->refused, c->overload))
		return;
	if (!list_empty(&c->starved) && !call(c, &c->starved, c->memory))
		return;
	while ((node = list_first(&c->queue)) != NULL) {
		struct entry *e = LIST_ENTRY(node, struct entry, queued);
		struct fact *f = e->fact != NULL ? e->fact : e->was; /* `was`: not to be kept */
		struct list who;

		list_remove(node);
		list_init(&who);
		splice(&who, &e->ready);
		if (f != NULL)
			snapshot_hold(&f->snap);
		fact_let_go(e->was);
		e->was = NULL;
		settle(e);
		if (f != NULL) {
			bool alive = call(c, &who, f);

			fact_let_go(f);
			if (!alive)
				return;
		}
	}
}

/* --- look-ups --- */

static bool
usable(const struct entry *e, clock_ms now)
{
	return e->fact != NULL && now < e->fact->usable_until;
}

/* Whether e's fact goes on being served although a look-up has just failed. */
static bool
outlasts(const struct entry *e, clock_ms now)
{
	return usable(e, now) || (e->fact != NULL && now < e->fact->grace_until);
}

static void
answer_waiting(struct entry *e)
{
	splice(&e->ready, &e->waits);
	queue(e);
	touch(e);
}

static void
on_deadline(void *arg)
{
	struct entry *e = arg;
	struct fact_cache *c = e->cache;
	clock_ms now = loop_now(c->loop);

	e->retry_at = now + c->cfg.negative_ttl_ms;
	if (!outlasts(e, now)) {
		struct fact *f = fact_negative(ERR_TIMEOUT, c->cfg.negative_ttl_ms);

		if (f == NULL) {
			splice(&c->starved, &e->waits);
			task_defer(c->loop, &c->task);
			return;
		}
		hold(e, f);
	}
	answer_waiting(e);
}

static void
arm(struct entry *e)
{
	if (e->cache->cfg.timeout_ms > 0 && e->deadline.due == 0)
		timer_set(e->cache->loop, &e->deadline, e->cache->cfg.timeout_ms);
}

/* Starts the look-up unless one runs; false: too many run already. */
static bool
look_up(struct entry *e, const void *input)
{
	struct fact_cache *c = e->cache;

	if (e->looking)
		return true;
	if (c->pending >= c->cfg.max_pending) {
		c->stats.overflow++;
		return false;
	}
	c->pending++;
	e->looking = true;
	arm(e);
	touch(e);
	c->cfg.look_up(c->cfg.arg, c, str_of(e->key, e->key_len), input);
	return true;
}

void
fact_answer(struct fact_cache *c, struct str key, struct fact *f)
{
	struct entry *e = find(c, key, hash_str(key));
	clock_ms now = loop_now(c->loop);
	bool forget;

	if (e == NULL || !e->looking) { /* answered twice */
		fact_let_go(f);
		return;
	}
	if (f == NULL)
		f = snapshot_hold(&c->memory->snap);
	forget = e->forget;
	e->looking = e->forget = false;
	c->pending--;
	timer_clear(&e->deadline);
	if (f->err != OK && !f->final && outlasts(e, now) && e->fact->err == OK) {
		e->retry_at = f->fresh_until;
		fact_let_go(f); /* the old one goes on being served */
	} else {
		e->retry_at = 0;
		hold(e, f);
		if (forget)
			hold(e, NULL);
	}
	answer_waiting(e);
}

/* --- asking --- */

/* Whether e's fact can be served now; if it is stale, *refresh is set. */
static bool
serves(const struct entry *e, clock_ms now, clock_ms younger_than, bool *refresh)
{
	bool tried = now < e->retry_at;

	*refresh = false;
	if (!usable(e, now) && !(tried && outlasts(e, now)))
		return false;
	if (e->fact->looked_up < younger_than && !tried)
		return false;
	*refresh = now >= e->fact->fresh_until && !tried && !e->looking;
	return true;
}

static void
count(struct fact_cache *c, const struct fact *f, clock_ms now)
{
	if (f->err != OK)
		c->stats.negative++;
	else if (now >= f->fresh_until)
		c->stats.stale++;
	else
		c->stats.hits++;
}

const struct fact *
fact_peek(struct fact_cache *c, struct str key, const void *input)
{
	struct entry *e = find(c, key, hash_str(key));
	clock_ms now = loop_now(c->loop);
	bool refresh;

	if (e == NULL || !serves(e, now, 0, &refresh))
		return NULL;
	count(c, e->fact, now);
	touch(e);
	if (refresh)
		(void)look_up(e, input);
	return e->fact;
}

static void
wait_on(struct fact_cache *c, struct list *where, struct fact_wait *w)
{
	list_append(where, &w->node);
	w->cache = c;
	task_defer(c->loop, &c->task);
}

static void
ask(struct fact_cache *c, struct entry *e, const void *input, struct fact_wait *w)
{
	if (e->looking)
		c->stats.coalesced++;
	else
		c->stats.misses++;
	list_append(&e->waits, &w->node);
	w->cache = c;
	if (e->looking) {
		arm(e); /* the first deadline may have passed */
	} else if (!look_up(e, input)) {
		list_remove(&w->node);
		wait_on(c, &c->refused, w);
		settle(e);
	}
}

void
fact_get(struct fact_cache *c, struct str key, const void *input, clock_ms younger_than,
    struct fact_wait *w, void (*fn)(void *arg, const struct fact *f), void *arg)
{
	uint64_t hash = hash_str(key);
	struct entry *e = find(c, key, hash);
	clock_ms now = loop_now(c->loop);
	bool refresh;

	fact_cancel(w);
	w->fn = fn;
	w->arg = arg;
	if (e == NULL) {
		e = add(c, key, hash);
		if (e == NULL) {
			wait_on(c, &c->starved, w);
			return;
		}
		trim(c, c->cfg.max_entries);
	}
	if (!serves(e, now, younger_than, &refresh)) {
		ask(c, e, input, w);
		return;
	}
	count(c, e->fact, now);
	list_append(&e->ready, &w->node);
	w->cache = c;
	queue(e);
	touch(e);
	if (refresh)
		(void)look_up(e, input);
}

void
fact_wait_init(struct fact_wait *w)
{
	*w = (struct fact_wait){ 0 };
	list_init(&w->node);
}

void
fact_cancel(struct fact_wait *w)
{
	list_remove(&w->node);
	w->cache = NULL;
}

static void
forget(struct entry *e)
{
	e->forget = e->looking;
	e->retry_at = 0;
	hold(e, NULL);
	settle(e);
}

void
fact_clear(struct fact_cache *c)
{
	struct list *first;

	/* Each becomes busy until the task has run; one may also evict another. */
	while ((first = list_first(&c->idle)) != NULL)
		forget(LIST_ENTRY(first, struct entry, place));
	LIST_FOR(node, &c->busy)
		forget(LIST_ENTRY(node, struct entry, place));
}

/* --- the cache --- */

struct fact_cache *
fact_cache_new(struct loop *loop, const struct fact_config *cfg)
{
	struct fact_cache *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->loop = loop;
	c->cfg = *cfg;
	hash_init(&c->entries);
	list_init(&c->idle);
	list_init(&c->busy);
	list_init(&c->queue);
	list_init(&c->calling);
	list_init(&c->refused);
	list_init(&c->starved);
	task_init(&c->task, deliver, c);
	c->overload = fact_negative(ERR_OVERLOAD, 0);
	c->memory = fact_negative(ERR_MEMORY, 0);
	if (c->overload == NULL || c->memory == NULL) {
		fact_cache_free(c);
		return NULL;
	}
	c->memory->usable_until = 0; /* held by an entry, it must not serve even this millisecond */
	return c;
}

static void
cancel_all(struct list *waits)
{
	struct list *node;

	while ((node = list_first(waits)) != NULL)
		fact_cancel(LIST_ENTRY(node, struct fact_wait, node));
}

static void
clear_entries(struct list *entries)
{
	struct list *node;

	while ((node = list_first(entries)) != NULL) {
		struct entry *e = LIST_ENTRY(node, struct entry, place);

		cancel_all(&e->waits);
		cancel_all(&e->ready);
		remove_entry(e);
	}
}

void
fact_cache_free(struct fact_cache *c)
{
	if (c == NULL)
		return;
	if (c->gone != NULL)
		*c->gone = true;
	cancel_all(&c->calling);
	cancel_all(&c->refused);
	cancel_all(&c->starved);
	clear_entries(&c->busy);
	clear_entries(&c->idle);
	task_cancel(&c->task);
	hash_fini(&c->entries);
	fact_let_go(c->overload);
	fact_let_go(c->memory);
	free(c);
}

const struct fact_stats *
fact_cache_stats(const struct fact_cache *c)
{
	return &c->stats;
}

size_t
fact_cache_count(const struct fact_cache *c)
{
	return c->entries.count;
}
