/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certs_vzd - of all instances the one that holds the claim asks the VZD; while the store is away
 * nobody can hold it, and each asks for itself.
 *
 * What came is in force at once.  The store gets it as a whole, again and again until it has it;
 * until then what it holds of the VZD's counts for less than what we have.
 */
#include <stdlib.h>

#include "lib/base/log.h"
#include "regsvc/certs_int.h"

#define CLAIM_TTL_MS (30 * 1000)
#define RETRY_MIN_MS (10 * 1000)
#define WRITE_RETRY_MS (10 * 1000)

/* --- writing --- */

static void
on_written(void *arg, enum err err)
{
	struct certs *c = arg;

	c->writing = NULL;
	if (err != OK) {
		c->dirty = true;
		log_warn("passport certificates of the VZD cannot be written to the store: "
			 "reason=%s: %s; trying again",
		    err_name(err), err_text(err));
		timer_set(c->loop, &c->write, WRITE_RETRY_MS);
		return;
	}
	if (c->dirty) { /* more has changed meanwhile */
		timer_set(c->loop, &c->write, 0);
		return;
	}
	LIST_FOR(node, &c->certs)
		LIST_ENTRY(node, struct cert, node)->erase = false;
	certs_reap(c);
}

struct batch {
	struct store_op *ops;
	char (*keys)[CERTS_KEY_MAX];
	struct buf *values;
	size_t n;
};

static bool
batch_add(struct batch *b, const struct cert *x)
{
	struct buf *value = &b->values[b->n];

	buf_init(value, CERTS_RECORD_MAX);
	b->ops[b->n].key = certs_record_key(false, x->c.fingerprint, b->keys[b->n]);
	b->n++;
	if (!x->vzd)
		return true;
	if (!certs_record_print(x->c.pem, NULL, NULL, x->gone, value))
		return false;
	b->ops[b->n - 1].value = buf_str(value);
	return true;
}

static bool
batch_fill(struct batch *b, const struct certs *c, size_t max)
{
	b->ops = calloc(max + 1, sizeof(*b->ops));
	b->keys = calloc(max + 1, sizeof(*b->keys));
	b->values = calloc(max + 1, sizeof(*b->values));
	if (b->ops == NULL || b->keys == NULL || b->values == NULL)
		return false;
	LIST_FOR(node, &c->certs) {
		const struct cert *x = LIST_ENTRY(node, struct cert, node);

		if ((x->vzd || x->erase) && !batch_add(b, x))
			return false;
	}
	return true;
}

static void
batch_fini(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		buf_fini(&b->values[i]);
	free(b->ops);
	free(b->keys);
	free(b->values);
}

static void
write_all(void *arg)
{
	struct certs *c = arg;
	struct batch b = { 0 };
	size_t max = 0;

	if (c->writing != NULL) /* on_written() sees that there is more */
		return;
	LIST_FOR(node, &c->certs)
		max++;
	if (batch_fill(&b, c, max) && b.n > 0)
		c->writing = store_apply(c->store, b.ops, b.n, STR(CERTS_CHANNEL), on_written, c);
	c->dirty = c->writing == NULL;
	if (c->dirty)
		timer_set(c->loop, &c->write, WRITE_RETRY_MS);
	batch_fini(&b);
}

void
certs_vzd_keep(struct certs *c)
{
	c->dirty = true;
	timer_set(c->loop, &c->write, 0);
}

/* --- asking --- */

static bool
is_ours(const struct certs *c)
{
	enum err state = store_state(c->store);

	return (c->claim != NULL && store_claim_held(c->claim)) ||
	       (state != OK && state != ERR_COUNT);
}

static bool
may_ask(const struct certs *c)
{
	return c->cfg.conf != NULL && c->cfg.conf->vzd && c->cfg.trust != NULL &&
	       vzd_configured(c->vzd);
}

/* Again after the interval; after a failure sooner, but less and less so. */
static void
ask_later(struct certs *c)
{
	clock_ms wait = c->cfg.conf->interval, soon = RETRY_MIN_MS;

	for (unsigned i = 1; i < c->failures && soon < wait; i++)
		soon *= 2;
	timer_set(c->loop, &c->ask, c->failures > 0 && soon < wait ? soon : wait);
}

static void
sweep(void *arg)
{
	struct certs *c = arg;
	clock_ms next = c->cfg.conf != NULL && is_ours(c) ? certs_sweep(c) : 0;

	if (next > 0)
		timer_set(c->loop, &c->sweep, next);
}

static void
on_given(void *arg, const struct vzd_verdict *verdict, const struct str *pem, size_t n)
{
	struct certs *c = arg;

	c->question = NULL;
	c->error = verdict->err;
	c->failures = verdict->err != OK ? c->failures + 1 : 0;
	if (verdict->err == OK) {
		c->fetched = clock_wall_s();
		certs_given(c, pem, n);
		timer_set(c->loop, &c->sweep, 0);
	}
	ask_later(c);
}

static void
ask(void *arg)
{
	struct certs *c = arg;

	if (!may_ask(c) || c->question != NULL)
		return;
	if (!is_ours(c)) { /* to see whether that has changed */
		timer_set(c->loop, &c->ask, RETRY_MIN_MS);
		return;
	}
	c->asked = clock_wall_s();
	c->question = vzd_certificates(c->vzd, on_given, c);
	if (c->question == NULL) {
		c->failures++;
		ask_later(c);
	}
}

static void
on_claim(void *arg, bool held)
{
	struct certs *c = arg;

	if (!held)
		return;
	timer_set(c->loop, &c->ask, 0);
	timer_set(c->loop, &c->sweep, 0);
}

/* --- all of it --- */

void
certs_vzd_open(struct certs *c)
{
	timer_init(&c->ask, ask, c);
	timer_init(&c->sweep, sweep, c);
	timer_init(&c->write, write_all, c);
}

void
certs_vzd_leave(struct certs *c)
{
	c->dirty = c->dirty || c->writing != NULL;
	store_cancel(c->writing);
	store_claim_release(c->claim);
	c->writing = NULL;
	c->claim = NULL;
	if (c->dirty)
		timer_set(c->loop, &c->write, 0);
}

void
certs_vzd_close(struct certs *c)
{
	vzd_cancel(c->question);
	certs_vzd_leave(c);
	timer_clear(&c->ask);
	timer_clear(&c->sweep);
	timer_clear(&c->write);
}

/* Who will not ask does not stand for election. */
void
certs_vzd_adopt(struct certs *c)
{
	vzd_cancel(c->question);
	c->question = NULL;
	c->failures = 0;
	if (may_ask(c) && c->claim == NULL) {
		c->claim = store_claim(c->store, STR(CERTS_CHANNEL), CLAIM_TTL_MS, on_claim, c);
		if (c->claim == NULL)
			log_error("passport certificates: the VZD is not asked: out of memory");
	} else if (!may_ask(c)) {
		store_claim_release(c->claim);
		c->claim = NULL;
		timer_clear(&c->ask);
		return;
	}
	timer_set(c->loop, &c->ask, 0);
	timer_set(c->loop, &c->sweep, 0);
}
