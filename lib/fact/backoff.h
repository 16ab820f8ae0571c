/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backoff - how long to leave alone what keeps failing.
 *
 * Per key: the first failure counts `min`, every further one twice the one before, up to `max`.
 * Bounded: the key that failed longest ago is forgotten first.  Used by one thread.
 */
#ifndef SCHLEUSE_FACT_BACKOFF_H
#define SCHLEUSE_FACT_BACKOFF_H

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

struct backoff;

struct backoff *backoff_new(clock_ms min_ms, clock_ms max_ms, size_t max_keys) MUST_CHECK;
void backoff_free(struct backoff *b);
clock_ms backoff_fail(struct backoff *b, struct str key); /* the wait; min_ms when out of memory */
void backoff_forget(struct backoff *b, struct str key);   /* it works again */

#endif
