/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget - how often somebody may do something: `max` times at once, and as often again in each
 * period.
 *
 * A token bucket that counts what was used, so that a zeroed struct is a full budget.  max and
 * period come with each call: a changed setting counts from then on.  No memory, no clock of its
 * own.
 */
#ifndef SCHLEUSE_BASE_BUDGET_H
#define SCHLEUSE_BASE_BUDGET_H

#include <stdbool.h>

#include "lib/base/clock.h"

struct budget {
	uint64_t used;
	clock_ms at; /* up to when used was refilled */
};

/* Takes one; false: none is left. */
bool budget_take(struct budget *b, uint64_t max, clock_ms period, clock_ms now);
/* How many are left now. */
uint64_t budget_left(struct budget *b, uint64_t max, clock_ms period, clock_ms now);
/* Gives n back, at most what was used. */
void budget_give(struct budget *b, uint64_t n);

#endif
