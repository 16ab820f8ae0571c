/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backlog - the pushes that wait, in memory.
 *
 * Pushes of one pushkey (of one app, and see mark_endpoint()) form a chain in the order in which
 * they were added; only the first of a chain can be taken, and no push is due before the one ahead
 * of it was.  The first ones of all chains of a lane lie in a heap by the time at which they are
 * due.
 *
 * A push is made, then added or unmade; taken, then put off or removed.  Made ones count already,
 * so that what is promised fits, and adding, taking and removing need no memory.  No I/O, no clock:
 * times are passed in.  Used by one thread.
 */
#ifndef SCHLEUSE_PUSHGW_BACKLOG_H
#define SCHLEUSE_PUSHGW_BACKLOG_H

#include "lib/base/clock.h"
#include "lib/base/hash.h"
#include "pushgw/push.h"
#include "pushgw/queue/kinds.h"
#include "pushgw/queue/place.h"

/* One block of memory for each; a million of them is the measure of every member. */
struct backlog_push {
	struct hash_node node;     /* in `chains`, while it is the last of its chain */
	struct backlog_push *next; /* in its chain; the last one's is the first */
	struct kind *kind;
	uint64_t seq; /* in the order of putting */
	struct place place;
	uint64_t when : 40;   /* it may be taken; when its delay is over, or after it was put off */
	uint64_t size : 24;   /* of the record */
	uint32_t late;        /* ms by which `when` is later than its delay was over */
	uint32_t length : 22; /* of its chain, while it is the last of it */
	uint32_t attempts : 8;
	uint32_t taken : 1;
	char record[]; /* push_record, but for what the kind says */
};

struct backlog_lane {
	struct backlog_push **heap; /* the first is due first */
	size_t n, room;
	uint64_t members; /* pushes made for it: so many may have to lie in the heap at once */
};

struct backlog {
	struct kinds kinds;
	struct hash chains;
	struct backlog_lane *lanes; /* the last one: of apps that are not configured */
	unsigned n_lanes;
	unsigned (*lane)(void *arg, struct str app_id);
	void *arg;
	uint64_t count, bytes; /* made and added; bytes as backlog_cost() counts */
};

#define BACKLOG_CHAIN_MAX ((1U << 22) - 1) /* pushes of one chain */
#define BACKLOG_RECORD_MAX ((1U << 24) - 1)

/* lane: which an app has, below n_lanes, or something else.  false: out of memory. */
bool backlog_init(struct backlog *b, unsigned n_lanes,
    unsigned (*lane)(void *arg, struct str app_id), void *arg) MUST_CHECK;
void backlog_fini(struct backlog *b); /* frees what was added; nothing may be made */

/* Other lanes from now on.  false: out of memory, the old ones stay. */
bool backlog_adopt(struct backlog *b, unsigned n_lanes,
    unsigned (*lane)(void *arg, struct str app_id), void *arg) MUST_CHECK;

/* --- putting --- */

uint64_t backlog_cost(const struct push *p);                           /* bytes it will need */
uint64_t backlog_chain(const struct backlog *b, const struct push *p); /* waiting for its pushkey */

/* A copy.  `when` is the end of its own delay.  NULL: out of memory. */
struct backlog_push *backlog_make(
    struct backlog *b, const struct push *p, uint64_t seq, clock_ms when) MUST_CHECK;
void backlog_unmake(struct backlog *b, struct backlog_push *p);
void backlog_add(struct backlog *b, struct backlog_push *p);

/* --- taking --- */

/* The one of the lane that may be taken first; NULL: none waits.  Lane n_lanes: of apps without. */
struct backlog_push *backlog_peek(const struct backlog *b, unsigned lane);
void backlog_take(struct backlog *b, unsigned lane); /* the one backlog_peek() shows */
void backlog_put_off(struct backlog *b, struct backlog_push *p, clock_ms when);
/* A taken one.  Removes and frees it; the next of its chain takes its place. */
void backlog_remove(struct backlog *b, struct backlog_push *p);
/* The one that waits behind a taken one, or NULL; and removes it. */
struct backlog_push *backlog_behind(const struct backlog_push *p);
void backlog_remove_behind(struct backlog *b, struct backlog_push *p);

/* What it says; the slices live as long as p.  The lane is that of now. */
void backlog_read(const struct backlog *b, const struct backlog_push *p, struct push *out);

#endif
