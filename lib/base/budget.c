/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/budget.h"

void
budget_give(struct budget *b, uint64_t n)
{
	b->used -= n < b->used ? n : b->used;
}

static void
refill(struct budget *b, uint64_t max, clock_ms period, clock_ms now)
{
	clock_ms passed = now - b->at;
	uint64_t back = passed < period ? passed * max / period : max;

	/* Only whole tokens move the clock on: small steps must not lose the fractions. */
	if (back > 0) {
		budget_give(b, back);
		b->at = b->used > 0 && passed < period ? b->at + back * period / max : now;
	}
}

uint64_t
budget_left(struct budget *b, uint64_t max, clock_ms period, clock_ms now)
{
	refill(b, max, period, now);
	return b->used < max ? max - b->used : 0;
}

bool
budget_take(struct budget *b, uint64_t max, clock_ms period, clock_ms now)
{
	refill(b, max, period, now);
	if (b->used >= max)
		return false;
	b->used++;
	return true;
}
