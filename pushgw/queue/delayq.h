/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delayq - pushes wait here: first the random delay, then until their provider has room.
 *
 * Every push gets a delay of its own when it is put, uniform over 0 to delay_max, from the CSPRNG,
 * counted on a clock that never goes back (ML-123618-3, O-16).  Pushes of one pushkey (of one app;
 * with Web Push also of one endpoint, see mark_endpoint()) are handed out one at a time and in the
 * order in which they were put, so a push may wait for the one before it, but by their delays never
 * longer than delay_max after it was put itself.  Nothing that was put is lost: it stays until it
 * is finished, a crash of this process notwithstanding, and may then be handed out a second time.
 *
 * Two back ends behind one interface: a journal in a folder (delayq_file.h), and Redis, which any
 * number of gateways share (delayq_redis.h).  The back end also remembers for a while which
 * (app_id, pushkey, event) it has seen, so that a repeated notification is not put again and never
 * draws a second delay; and which pushkeys their provider rejected.
 *
 * Runs on one loop.  A lane is an entry of the configured apps: each lane is handed out by itself,
 * so one whose provider is slow holds up no other.
 */
#ifndef SCHLEUSE_PUSHGW_DELAYQ_H
#define SCHLEUSE_PUSHGW_DELAYQ_H

#include "lib/base/buf.h"
#include "lib/net/loop.h"
#include "pushgw/push.h"

#define DELAYQ_NO_LANE (~0U) /* an app that is not configured any more */

struct delayq;
struct delayq_call;

struct delayq_limits {
	clock_ms delay_max;
	uint64_t count_max;       /* pushes held in all */
	uint64_t bytes_max;       /* of them, as the back end counts */
	uint64_t per_pushkey_max; /* pushes waiting for one pushkey */
	clock_ms duplicates;      /* how long a push that was put is remembered */
	clock_ms rejected;        /* how long a rejected pushkey is remembered */
	uint64_t rejected_max;    /* rejected pushkeys remembered */
};

/* A push in hand: handed out and neither finished nor put off.  Belongs to the queue; valid until
 * delayq_finish() or delayq_later(), also across delayq_adopt(). */
struct delayq_job {
	struct push push;
	clock_ms due;      /* monotonic: when its delay was over */
	unsigned attempts; /* how often it was put off before, as far as this is known */
	struct list node;  /* for whoever has it in hand */
};

struct delayq_config {
	struct delayq_limits limits;
	const char *const *lanes; /* their names, as configured; copied */
	size_t n_lanes;
	/* Which lane an app has, or DELAYQ_NO_LANE; for what was put by an earlier configuration */
	unsigned (*lane)(void *arg, struct str app_id);
	/* How many more pushes of the lane can be taken in hand now.  For DELAYQ_NO_LANE: any
	 * number is asked for and refused by nobody, it is not called. */
	size_t (*room)(void *arg, unsigned lane);
	/* Takes a push in hand.  Called from the loop; may finish it or put it off at once. */
	void (*due)(void *arg, struct delayq_job *job);
	/* What delayq_state() tells has changed; may be NULL. */
	void (*state)(void *arg, enum err why);
	void *arg;
};

void delayq_free(struct delayq *q); /* jobs in hand stay queued; callers are not called */

/* Lanes and limits of a new configuration; queued pushes are assigned to its lanes.  The functions
 * and arg may change as well.  false: out of memory, the old ones stay. */
bool delayq_adopt(struct delayq *q, const struct delayq_config *cfg) MUST_CHECK;

/* OK: works.  Else why nothing can be put at present, as store_state() in lib/store/store.h. */
enum err delayq_state(const struct delayq *q);

/* --- putting --- */

enum delayq_outcome {
	DELAYQ_QUEUED,
	DELAYQ_DUPLICATE, /* seen already: nothing was put */
	DELAYQ_REJECTED   /* the pushkey is dead: nothing was put */
};

/* OK: everything said in `of` is kept safe, as far as the back end's settings promise. Else
 * nothing was put (or, after ERR_TIMEOUT and ERR_CONNECT, perhaps all of it: putting it again is
 * harmless): ERR_QUEUE_FULL, ERR_MEMORY or a reason of delayq_state().  `of` has one for each push
 * and is valid during the call. */
typedef void delayq_put_fn(void *arg, enum err err, const enum delayq_outcome *of, size_t n);

/* Puts all or none.  Copies.  fn is called later exactly once unless cancelled.  NULL: out of
 * memory, nobody is called. */
struct delayq_call *delayq_put(
    struct delayq *q, const struct push *pushes, size_t n, delayq_put_fn *fn, void *arg) MUST_CHECK;
void delayq_cancel(struct delayq_call *c); /* what was begun goes on; NULL is allowed */

/* --- taking --- */

/* It is delivered, or given up.  rejected: its pushkey is dead, and remembered as such from now:
 * until its time is over, or a notification names the pushkey with a later pushkey_ts.  Pushes
 * waiting for that pushkey are dropped with it; how many is returned (0 where not known). */
size_t delayq_finish(struct delayq *q, struct delayq_job *job, bool rejected);
/* Not now: it is due again after that time, and keeps its place before others of its pushkey. */
void delayq_later(struct delayq *q, struct delayq_job *job, clock_ms after);
/* The lane has room again, or may have. */
void delayq_kick(struct delayq *q, unsigned lane);

/* --- measuring --- */

struct delayq_gauges {
	uint64_t count, bytes;   /* held, those in hand included */
	uint64_t in_hand;        /* of this process */
	uint64_t rejected, seen; /* remembered; 0 where the back end does not know */
	uint64_t disk;           /* bytes of files; 0 for Redis */
	clock_ms oldest_overdue; /* for how long the longest due push has been waiting */
};
void delayq_measure(const struct delayq *q, struct delayq_gauges *out);

#endif
