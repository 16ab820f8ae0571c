/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backlog - a chain is a ring that the table knows by its last push: so it is appended to and
 * removed from at once, with one pointer in each push.
 */
#include "pushgw/queue/backlog.h"

#include <assert.h>
#include <stdlib.h>

#include "pushgw/queue/backlog_heap.h"
#include "pushgw/queue/mark.h"
#include "pushgw/queue/push_record.h"

#define ATTEMPTS_MAX 255
/* Of memory for each push beside its own: of the heap, the tables and malloc. */
#define OVERHEAD 60

/* --- pushes --- */

static struct push
without_kind(const struct push *p)
{
	struct push part = *p;

	part.app_id = part.data = STR_NONE;
	return part;
}

uint64_t
backlog_cost(const struct push *p)
{
	struct push part = without_kind(p);

	return sizeof(struct backlog_push) + push_record_size(&part) + OVERHEAD;
}

static uint64_t
cost_of(const struct backlog_push *p)
{
	return sizeof(*p) + p->size + OVERHEAD;
}

void
backlog_read(const struct backlog *b, const struct backlog_push *p, struct push *out)
{
	bool ok = push_record_read_part(str_of(p->record, p->size), out);

	assert(ok);
	(void)ok;
	out->app_id = str_of(p->kind->app->id, p->kind->app->n);
	out->data = str_of(p->kind->data, p->kind->n);
	out->lane = p->kind->app->lane < b->n_lanes ? p->kind->app->lane : ~0U;
}

static struct str
pushkey_of(const struct backlog_push *p)
{
	struct push part;

	return push_record_read_part(str_of(p->record, p->size), &part) ? part.pushkey : STR_NONE;
}

static unsigned
lane_at(const struct backlog *b, const struct kind_app *a)
{
	return a->lane < b->n_lanes ? a->lane : b->n_lanes;
}

static struct backlog_lane *
lane_of(const struct backlog *b, const struct backlog_push *p)
{
	return &b->lanes[lane_at(b, p->kind->app)];
}

/* --- chains --- */

/* What the pushes of a chain have in common. */
struct device_name {
	const struct kind_app *app;
	struct str pushkey, endpoint;
};

static struct device_name
name_of(const struct backlog_push *p)
{
	return (struct device_name){ p->kind->app, pushkey_of(p),
		mark_endpoint(str_of(p->kind->data, p->kind->n)) };
}

static uint64_t
hash_of(const struct device_name *d)
{
	uint64_t hash = hash_str(d->pushkey) ^ d->app->node.hash;

	return d->endpoint.n > 0 ? hash + hash_str(d->endpoint) : hash;
}

/* The last push of the chain, or NULL. */
static struct backlog_push *
chain_of(const struct backlog *b, const struct device_name *d)
{
	for (struct hash_node *n = hash_first(&b->chains, hash_of(d)); n != NULL;
	     n = hash_next(n)) {
		struct backlog_push *p = HASH_ENTRY(n, struct backlog_push, node);
		struct device_name of = name_of(p);

		if (of.app == d->app && str_eq(of.pushkey, d->pushkey) &&
		    str_eq(of.endpoint, d->endpoint))
			return p;
	}
	return NULL;
}

/* `last` is the end of the chain instead of `old`, of which it has the table's place. */
static void
set_last(struct backlog *b, struct backlog_push *old, struct backlog_push *last, uint32_t length)
{
	hash_remove(&b->chains, &old->node);
	if (!hash_insert(&b->chains, &last->node, old->node.hash))
		assert(!"a table with buckets takes any number");
	last->length = length & BACKLOG_CHAIN_MAX;
}

uint64_t
backlog_chain(const struct backlog *b, const struct push *p)
{
	const struct device_name d = { kinds_app(&b->kinds, p->app_id), p->pushkey,
		mark_endpoint(p->data) };
	const struct backlog_push *last = d.app != NULL ? chain_of(b, &d) : NULL;

	return last != NULL ? last->length : 0;
}

/* --- putting --- */

/* So that the heap has room for all that may ever have to lie in it. */
static bool
reserve(struct backlog *b, const struct kind_app *a)
{
	struct backlog_lane *l = &b->lanes[lane_at(b, a)];

	return backlog_heap_reserve(l, l->members + 1);
}

static struct kind *
hold_kind(struct backlog *b, const struct push *p)
{
	bool is_new;
	struct kind *kind = kinds_hold(&b->kinds, p->app_id, p->data, &is_new);

	if (kind == NULL)
		return NULL;
	if (is_new)
		kind->app->lane = b->lane(b->arg, p->app_id);
	if (reserve(b, kind->app))
		return kind;
	kinds_drop(&b->kinds, kind);
	return NULL;
}

struct backlog_push *
backlog_make(struct backlog *b, const struct push *push, uint64_t seq, clock_ms when)
{
	struct push part = without_kind(push);
	size_t size = push_record_size(&part);
	struct backlog_push *p;

	if (size > BACKLOG_RECORD_MAX)
		return NULL;
	p = malloc(offsetof(struct backlog_push, record) + size);
	if (p == NULL)
		return NULL;
	memset(p, 0, offsetof(struct backlog_push, record));
	p->kind = hold_kind(b, push);
	if (p->kind == NULL) {
		free(p);
		return NULL;
	}
	p->seq = seq;
	p->when = when & ((1ULL << 40) - 1);
	p->size = size & BACKLOG_RECORD_MAX;
	push_record_write(&part, p->record);
	lane_of(b, p)->members++;
	b->count++;
	b->bytes += cost_of(p);
	return p;
}

void
backlog_unmake(struct backlog *b, struct backlog_push *p)
{
	lane_of(b, p)->members--;
	b->count--;
	b->bytes -= cost_of(p);
	kinds_drop(&b->kinds, p->kind);
	free(p);
}

void
backlog_add(struct backlog *b, struct backlog_push *p)
{
	const struct device_name d = name_of(p);
	struct backlog_push *last = chain_of(b, &d);

	if (last == NULL) {
		p->next = p;
		p->length = 1;
		if (!hash_insert(&b->chains, &p->node, hash_of(&d)))
			assert(!"a table with buckets takes any number");
		backlog_heap_push(lane_of(b, p), p);
		return;
	}
	p->next = last->next;
	last->next = p;
	if (p->when < last->when - last->late)
		p->when = last->when - last->late;
	set_last(b, last, p, last->length + 1);
}

/* --- taking --- */

struct backlog_push *
backlog_peek(const struct backlog *b, unsigned lane)
{
	return b->lanes[lane].n > 0 ? b->lanes[lane].heap[0] : NULL;
}

void
backlog_take(struct backlog *b, unsigned lane)
{
	backlog_heap_pop(&b->lanes[lane])->taken = 1;
}

void
backlog_put_off(struct backlog *b, struct backlog_push *p, clock_ms when)
{
	clock_ms due = p->when - p->late;

	p->late = when - due < UINT32_MAX ? (uint32_t)(when - due) : UINT32_MAX;
	p->when = (due + p->late) & ((1ULL << 40) - 1);
	if (p->attempts < ATTEMPTS_MAX)
		p->attempts++;
	p->taken = 0;
	backlog_heap_push(lane_of(b, p), p);
}

/* The last push of the chain that begins with p; NULL: p is alone. */
static struct backlog_push *
last_of(const struct backlog *b, const struct backlog_push *p)
{
	const struct device_name d = name_of(p);

	return p->next == p ? NULL : chain_of(b, &d);
}

void
backlog_remove(struct backlog *b, struct backlog_push *p)
{
	struct backlog_push *last = last_of(b, p), *next = p->next;

	assert(p->taken);
	if (last == NULL) {
		hash_remove(&b->chains, &p->node);
	} else {
		last->next = next;
		last->length--;
		backlog_heap_push(lane_of(b, next), next);
	}
	backlog_unmake(b, p);
}

struct backlog_push *
backlog_behind(const struct backlog_push *p)
{
	return p->next != p ? p->next : NULL;
}

void
backlog_remove_behind(struct backlog *b, struct backlog_push *p)
{
	struct backlog_push *last = last_of(b, p), *gone = p->next;

	p->next = gone->next;
	if (gone == last)
		set_last(b, last, p, last->length - 1);
	else
		last->length--;
	backlog_unmake(b, gone);
}

/* --- lanes --- */

static void
free_lanes(struct backlog_lane *lanes, unsigned n)
{
	for (unsigned i = 0; lanes != NULL && i <= n; i++)
		free(lanes[i].heap);
	free(lanes);
}

bool
backlog_init(
    struct backlog *b, unsigned n_lanes, unsigned (*lane)(void *arg, struct str app_id), void *arg)
{
	struct hash_node first;

	*b = (struct backlog){ .n_lanes = n_lanes, .lane = lane, .arg = arg };
	kinds_init(&b->kinds);
	hash_init(&b->chains);
	b->lanes = calloc(n_lanes + 1, sizeof(*b->lanes));
	if (b->lanes == NULL || !hash_insert(&b->chains, &first, 0)) {
		free(b->lanes);
		b->lanes = NULL;
		return false;
	}
	hash_remove(&b->chains, &first); /* the table has buckets from now on */
	return true;
}

static void
free_chain(struct backlog *b, struct backlog_push *last)
{
	struct backlog_push *p = last->next, *next;

	for (;; p = next) {
		next = p->next;
		backlog_unmake(b, p);
		if (p == last)
			return;
	}
}

void
backlog_fini(struct backlog *b)
{
	for (size_t i = 0; i < b->chains.size; i++)
		while (b->chains.buckets[i] != NULL) {
			struct hash_node *n = b->chains.buckets[i];

			hash_remove(&b->chains, n);
			free_chain(b, HASH_ENTRY(n, struct backlog_push, node));
		}
	hash_fini(&b->chains);
	kinds_fini(&b->kinds);
	free_lanes(b->lanes, b->n_lanes);
}

/* How many pushes each of the new lanes may have to hold. */
static void
count_app(void *arg, struct kind_app *a)
{
	struct backlog *b = arg;
	unsigned lane = b->lane(b->arg, str_of(a->id, a->n));

	b->lanes[lane < b->n_lanes ? lane : b->n_lanes].members += a->pushes;
}

static void
assign_app(void *arg, struct kind_app *a)
{
	struct backlog *b = arg;

	a->lane = b->lane(b->arg, str_of(a->id, a->n));
}

static void
refill(const struct backlog *from, struct backlog *to)
{
	for (unsigned i = 0; i <= from->n_lanes; i++)
		for (size_t k = 0; k < from->lanes[i].n; k++)
			backlog_heap_push(
			    lane_of(to, from->lanes[i].heap[k]), from->lanes[i].heap[k]);
}

bool
backlog_adopt(
    struct backlog *b, unsigned n_lanes, unsigned (*lane)(void *arg, struct str app_id), void *arg)
{
	struct backlog old = *b;
	bool ok;

	b->lanes = calloc(n_lanes + 1, sizeof(*b->lanes));
	b->n_lanes = n_lanes;
	b->lane = lane;
	b->arg = arg;
	ok = b->lanes != NULL;
	if (ok)
		kinds_each(&b->kinds, count_app, b);
	for (unsigned i = 0; i <= n_lanes && ok; i++)
		ok = backlog_heap_reserve(&b->lanes[i], b->lanes[i].members);
	if (!ok) {
		free_lanes(b->lanes, n_lanes);
		*b = old;
		return false;
	}
	kinds_each(&b->kinds, assign_app, b);
	refill(&old, b);
	free_lanes(old.lanes, old.n_lanes);
	return true;
}
