/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fact - a bounded cache of things that must be looked up.
 *
 * One cache holds one kind of fact (signing keys by server name, a user by token hash) and belongs
 * to one loop.  A miss starts the look-up function once, however many ask (single flight); the
 * answer, good or bad, is kept for its lifetime.  Workers have small caches whose look-up function
 * asks the control thread by letter; the control thread has caches whose look-up function goes out.
 *
 * Values are immutable, counted snapshots, shared between threads.
 */
#ifndef SCHLEUSE_FACT_FACT_H
#define SCHLEUSE_FACT_FACT_H

#include "lib/base/err.h"
#include "lib/base/list.h"
#include "lib/base/snapshot.h"
#include "lib/base/str.h"
#include "lib/net/loop.h"

struct fact_cache;

/* Embed as the first member of the kind's value struct. */
struct fact {
	struct snapshot snap;
	enum err err;          /* OK, or why there is no value: a negative fact */
	clock_ms fresh_until;  /* served without asking until then (monotonic, process-wide) */
	clock_ms usable_until; /* served while a refresh runs; == fresh_until: never stale */
	clock_ms grace_until;  /* later than usable_until: served until then if a look-up fails */
	clock_ms looked_up;    /* when the answer was made */
	bool final; /* negative, and sure: takes the place even of what could still be served */
};

/* A negative fact of no further content, one reference held by the caller; NULL: out of memory. */
struct fact *fact_negative(enum err err, clock_ms ttl_ms);

/* Another reference to one that fact_get() or fact_peek() gave. */
static inline const struct fact *
fact_hold(const struct fact *f)
{
	return snapshot_hold((struct snapshot *)(uintptr_t)&f->snap);
}

/* Gives it back; the slot is NULL then, and may be before. */
static inline void
fact_drop(const struct fact **slot)
{
	snapshot_drop((struct snapshot *)(uintptr_t)*slot);
	*slot = NULL;
}

/* What the cache's owner may count; any may be NULL. */
struct fact_stats {
	uint64_t hits, misses, stale, negative, coalesced, evicted, overflow;
};

struct fact_config {
	const char *name;
	size_t max_entries;  /* least recently used ones go first; those being looked up never */
	size_t max_pending;  /* look-ups in flight at once; beyond, ERR_OVERLOAD is the answer */
	clock_ms timeout_ms; /* a look-up without answer by then counts as ERR_TIMEOUT; 0: none */
	clock_ms negative_ttl_ms; /* how long a time-out is remembered */
	/* Starts one look-up.  `input` is what the first asker passed to fact_get() (valid during
	 * this call only; for secrets that must not be the key).  Must end in exactly one
	 * fact_answer() for this key, which may come at once; the cache never starts a second
	 * look-up for a key before that. */
	void (*look_up)(void *arg, struct fact_cache *c, struct str key, const void *input);
	void *arg;
};

struct fact_cache *fact_cache_new(struct loop *loop, const struct fact_config *cfg) MUST_CHECK;
/* Others, from now on; entries beyond go at once. */
void fact_set_limits(struct fact_cache *c, size_t max_entries, clock_ms timeout_ms);
void fact_cache_free(struct fact_cache *c); /* waiting askers are cancelled without a call */
const struct fact_stats *fact_cache_stats(const struct fact_cache *c);
size_t fact_cache_count(const struct fact_cache *c);

/* A waiting asker; embedded in the asker. */
struct fact_wait {
	struct list node;
	/* f: valid during the call; hold it to keep it. */
	void (*fn)(void *arg, const struct fact *f);
	void *arg;
	struct fact_cache *cache;
};

void fact_wait_init(struct fact_wait *w);
void fact_cancel(struct fact_wait *w); /* may be called any time */

/* The fact if it can be served at once (starting a background refresh where it is stale), else
 * NULL.  Not counted for the caller: valid until control returns to the loop. */
const struct fact *fact_peek(struct fact_cache *c, struct str key, const void *input);

/* Asks; fn is called later exactly once unless cancelled, never before this function has returned.
 * `younger_than`: if not 0, a fact looked up before that time does not do (used when a key ID is
 * unknown). */
void fact_get(struct fact_cache *c, struct str key, const void *input, clock_ms younger_than,
    struct fact_wait *w, void (*fn)(void *arg, const struct fact *f), void *arg);

/* The look-up's answer; takes over the caller's reference.  f == NULL counts as ERR_MEMORY. */
void fact_answer(struct fact_cache *c, struct str key, struct fact *f);

void fact_clear(struct fact_cache *c); /* forgets everything; askers still get their answers */

#endif
