/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_claim - standing for election, in rounds: each takes or renews the claim.
 *
 * A claim counts from the moment its round was begun, not from the answer, so it is over here
 * before it is over in Redis, as far as both clocks go at the same speed.
 */
#include <sodium.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/store/store_int.h"

#define ROUNDS 3 /* within the time a claim lives */
#define TOKEN 16

struct store_claim {
	struct store *store;
	clock_ms ttl, asked, until; /* until: held so long; 0: not held */
	struct timer round, lapse;
	struct task tell;
	bool told;
	struct store_call *call;
	void (*fn)(void *arg, bool held);
	void *arg;
	char token[2 * TOKEN + 1];
	size_t n;
	char name[];
};

bool
store_claim_held(const struct store_claim *c)
{
	return c->until > clock_now();
}

static void
on_tell(void *arg)
{
	struct store_claim *c = arg;
	bool held = store_claim_held(c);

	if (held == c->told)
		return;
	c->told = held;
	c->fn(c->arg, held);
}

static void
on_lapse(void *arg)
{
	struct store_claim *c = arg;

	c->until = 0;
	task_defer(c->store->loop, &c->tell);
}

static void
on_claimed(void *arg, enum err err, bool held)
{
	struct store_claim *c = arg;

	c->call = NULL;
	if (err != OK) /* it may be ours or not: what we know of it runs out */
		return;
	c->until = held ? c->asked + c->ttl : 0;
	if (store_claim_held(c))
		timer_set(c->store->loop, &c->lapse, c->until - clock_now());
	else
		timer_clear(&c->lapse);
	task_defer(c->store->loop, &c->tell);
}

static void
on_round(void *arg)
{
	struct store_claim *c = arg;

	timer_set(c->store->loop, &c->round, c->ttl / ROUNDS);
	if (c->call != NULL)
		return;
	c->asked = clock_now();
	c->call = store_ask_claim(
	    c->store, str_of(c->name, c->n), str_z(c->token), c->ttl, on_claimed, c);
}

struct store_claim *
store_claim(
    struct store *s, struct str name, clock_ms ttl, void (*fn)(void *arg, bool held), void *arg)
{
	struct store_claim *c = store_key_ok(name) ? calloc(1, sizeof(*c) + name.n) : NULL;
	unsigned char random[TOKEN];

	if (c == NULL)
		return NULL;
	c->store = s;
	c->ttl = ttl;
	c->fn = fn;
	c->arg = arg;
	c->n = name.n;
	memcpy(c->name, name.p, name.n);
	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(c->token, sizeof(c->token), random, sizeof(random));
	timer_init(&c->round, on_round, c);
	timer_init(&c->lapse, on_lapse, c);
	task_init(&c->tell, on_tell, c);
	timer_set(s->loop, &c->round, 0);
	return c;
}

static void
on_released(void *arg, enum err err, bool held)
{
	(void)arg;
	(void)err;
	(void)held;
}

void
store_claim_release(struct store_claim *c)
{
	struct store_call *last = NULL;

	if (c == NULL)
		return;
	/* Also where it is not known to be held: a round under way may take it. */
	if (c->until > 0 || c->call != NULL)
		last = store_ask_claim(
		    c->store, str_of(c->name, c->n), str_z(c->token), 0, on_released, NULL);
	(void)last; /* what cannot be told runs out by itself */
	store_cancel(c->call);
	timer_clear(&c->round);
	timer_clear(&c->lapse);
	task_cancel(&c->tell);
	free(c);
}
