/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/pace.h"

#define SECOND_US UINT64_C(1000000)

void
pace_init(struct pace *p, const struct pace_rule *r)
{
	*p = (struct pace){ .credit_us = (int64_t)r->window * 1000 };
}

static void
settle(struct pace *p, clock_ms now)
{
	if (p->since == 0)
		return;
	p->credit_us -= (int64_t)(now - p->since) * 1000;
	p->since = now;
}

void
pace_earn(struct pace *p, const struct pace_rule *r, clock_ms now, uint64_t bytes)
{
	uint64_t window_us = r->window * 1000;

	if (r->rate == 0)
		return;
	settle(p, now);
	/* Bytes for more than a window fill it; else the product would not fit for very many. */
	if (bytes >= r->window * r->rate / 1000)
		p->credit_us += (int64_t)window_us;
	else
		p->credit_us += (int64_t)(bytes * SECOND_US / r->rate);
	if (p->credit_us > (int64_t)window_us)
		p->credit_us = (int64_t)window_us;
}

clock_ms
pace_left(const struct pace *p, const struct pace_rule *r, clock_ms now)
{
	int64_t left = p->credit_us;

	if (r->rate == 0 || p->since == 0)
		return UINT64_MAX;
	left -= (int64_t)(now - p->since) * 1000;
	return left > 0 ? (clock_ms)((left + 999) / 1000) : 0;
}

clock_ms
pace_deadline(const struct pace *p, const struct pace_rule *r, clock_ms now, clock_ms after)
{
	clock_ms left = pace_left(p, r, now);

	return left < after ? left + 1 : after;
}

enum err
pace_look(struct pace_reader *reader, const struct pace_rule *r, clock_ms now, uint64_t backlog)
{
	uint64_t taken = reader->handed > backlog ? reader->handed - backlog : 0;
	bool moved = taken > reader->taken;

	if (moved) {
		pace_earn(&reader->pace, r, now, taken - reader->taken);
		reader->taken = taken;
	}
	if (pace_left(&reader->pace, r, now) == 0)
		return ERR_CLIENT_RATE;
	return moved ? OK : ERR_CLIENT_SLOW;
}
