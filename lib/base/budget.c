/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/budget.h"

void
budget_give(struct budget *b, uint64_t n)
{
	b->used -= n < b->used ? n : b->used;
}

bool
budget_take(struct budget *b, uint64_t max, clock_ms period, clock_ms now)
{
	clock_ms passed = now - b->at;
	uint64_t back = passed < period ? passed * max / period : max;

	/* Only whole tokens move the clock on: small steps must not lose the fractions. */
	if (back > 0) {
		budget_give(b, back);
		b->at = b->used > 0 && passed < period ? b->at + back * period / max : now;
	}
	if (b->used >= max)
		return false;
	b->used++;
	return true;
}
