/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rates - how often something may happen, for very many names at once, in bounded memory.
 *
 * A token bucket per name, as GCRA keeps it: one time, at which the bucket will be full again.  The
 * table has a fixed number of places in sets of RATES_WAYS; where a set is full, the name nearest
 * to a full bucket gives way, so that a crowd of strangers cannot wash out the ones that ask too
 * much. Names are keyed hashes (hash_str()); nothing else of them is kept.
 *
 * Shared by all threads; each set has one of RATES_LOCKS locks.
 */
#ifndef SCHLEUSE_BASE_RATES_H
#define SCHLEUSE_BASE_RATES_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"

#define RATES_WAYS 8
#define RATES_LOCKS 64

struct rates;

struct rate {
	uint64_t per_minute; /* > 0 */
	uint64_t burst;      /* > 0: so many at once */
};

/* Room for at least `places` names.  NULL: out of memory. */
struct rates *rates_new(size_t places) MUST_CHECK;
void rates_free(struct rates *r);

/* 0: it may happen, and is counted; else after how many milliseconds it could, and nothing is
 * counted. */
clock_ms rates_take(
    struct rates *r, uint64_t name, const struct rate *rate, clock_ms now) MUST_CHECK;

#endif
