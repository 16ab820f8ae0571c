/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/delivery/breaker.h"

#include <string.h>

void
breaker_init(struct breaker *b, const struct delivery_conf *conf)
{
	memset(b, 0, sizeof(*b));
	b->window =
	    conf->breaker_window < BREAKER_WINDOW_MAX ? conf->breaker_window : BREAKER_WINDOW_MAX;
	b->share = conf->breaker_share;
	b->pause = conf->breaker_pause;
}

bool
breaker_allows(const struct breaker *b, clock_ms now)
{
	return !b->open || (!b->probing && now >= b->probe_at);
}

void
breaker_try(struct breaker *b)
{
	b->probing = b->open;
}

static void
remember(struct breaker *b, bool suspect)
{
	uint8_t *byte = &b->suspects[b->at / 8], bit = (uint8_t)(1U << b->at % 8);

	if (b->n == b->window)
		b->n_suspects -= (*byte & bit) != 0;
	else
		b->n++;
	*byte = (uint8_t)(suspect ? *byte | bit : *byte & ~bit);
	b->n_suspects += suspect;
	b->at = (b->at + 1) % b->window;
}

static bool
too_many(const struct breaker *b)
{
	return b->n_suspects * 100 >= b->share * b->n;
}

static void
stop(struct breaker *b, enum verdict v, clock_ms now)
{
	b->open = true;
	b->probing = false;
	if (v == VERDICT_FAULT || v == VERDICT_SUSPECT)
		b->refused = v == VERDICT_FAULT;
	b->probe_at = b->refused ? now + b->pause : now;
}

/* It works: what was before says nothing about the settings that are right now. */
static void
go_on(struct breaker *b)
{
	b->open = b->probing = b->refused = false;
	b->n = b->at = b->n_suspects = 0;
}

static enum breaker_event
note_open(struct breaker *b, enum verdict v, clock_ms now)
{
	if (v != VERDICT_DELIVERED && v != VERDICT_DEAD) {
		stop(b, v, now);
		return BREAKER_SAME;
	}
	go_on(b);
	remember(b, false);
	return BREAKER_CLOSED;
}

enum breaker_event
breaker_note(struct breaker *b, enum verdict v, clock_ms now)
{
	if (b->open)
		return note_open(b, v, now);
	if (v == VERDICT_DELIVERED || v == VERDICT_DEAD || v == VERDICT_SUSPECT)
		remember(b, v == VERDICT_SUSPECT);
	if (v == VERDICT_FAULT ||
	    (v == VERDICT_SUSPECT && b->n >= BREAKER_EVIDENCE && too_many(b))) {
		stop(b, v, now);
		return BREAKER_OPENED;
	}
	return BREAKER_SAME;
}

void
breaker_forget(struct breaker *b)
{
	b->probing = false;
}

bool
breaker_believes(const struct breaker *b)
{
	return !b->open && !too_many(b);
}
