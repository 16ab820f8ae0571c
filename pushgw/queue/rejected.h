/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rejected - which pushkeys their provider has rejected, and when.
 *
 * For `lifetime`, and at most `max` of them: the longest known goes first.  No I/O; time is passed
 * in, as wall-clock seconds, for it is compared with the time at which a pushkey was set.
 */
#ifndef SCHLEUSE_PUSHGW_REJECTED_H
#define SCHLEUSE_PUSHGW_REJECTED_H

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/hash.h"
#include "lib/base/list.h"
#include "pushgw/queue/mark.h"

struct rejected_key {
	struct hash_node node;
	struct list age;
	struct mark mark;
	int64_t since;
	uint32_t segment; /* of the journal, which holds it; for the owner */
};

struct rejected {
	struct hash keys;
	struct list ages; /* the oldest first */
	int64_t lifetime; /* seconds */
	uint64_t max;
};

void rejected_init(struct rejected *r, clock_ms lifetime, uint64_t max);
void rejected_fini(struct rejected *r);
void rejected_limit(struct rejected *r, clock_ms lifetime, uint64_t max);
void rejected_pass(struct rejected *r, int64_t now); /* forgets what is too old */

/* From `since` on.  NULL: out of memory, or max is 0. */
struct rejected_key *rejected_add(struct rejected *r, struct mark m, int64_t since) MUST_CHECK;

/* Whether the pushkey is dead.  If it was set again after it was rejected (pushkey_ts, 0: unknown),
 * it is not, and the rejection is forgotten. */
bool rejected_has(struct rejected *r, struct mark m, int64_t pushkey_ts);

static inline uint64_t
rejected_count(const struct rejected *r)
{
	return r->keys.count;
}

#endif
