/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delegation - one `struct quest` per host being asked; it may try several times.
 */
#include "lib/matrix/delegation.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/fact/backoff.h"
#include "lib/fact/recall.h"

#define BACKOFF_MIN ((clock_ms)5 * 60 * 1000)
#define BACKOFF_MAX ((clock_ms)60 * 60 * 1000)
#define RETRY_PAUSE 500
#define REDIRECTS 5

struct delegations {
	struct loop *loop;
	struct delegations_config cfg;
	struct fact_cache *cache;
	struct backoff *backoff; /* hosts that cannot be asked */
	struct recall *lately;   /* hosts that had a valid answer */
	struct list quests;
};

struct quest {
	struct list node;
	struct delegations *d;
	struct fetch *fetch;
	struct timer pause;
	unsigned tries;
	size_t key_len;
	char key[NAME_MAX_LEN + 1];
};

static struct str
key_of(const struct quest *q)
{
	return str_of(q->key, q->key_len);
}

static void
free_quest(struct quest *q)
{
	fetch_cancel(q->fetch);
	timer_clear(&q->pause);
	list_remove(&q->node);
	free(q);
}

static void
end(struct quest *q, struct fact *f)
{
	struct delegations *d = q->d;
	char key[NAME_MAX_LEN + 1];
	size_t n = q->key_len;

	memcpy(key, q->key, n);
	free_quest(q);
	fact_answer(d->cache, str_of(key, n), f);
}

static void
free_delegation(struct snapshot *s)
{
	free(s);
}

static void
take(struct quest *q, struct str to, clock_ms lifetime)
{
	struct delegation *d = calloc(1, sizeof(*d));
	struct delegations *all = q->d;

	backoff_forget(all->backoff, key_of(q));
	if (d != NULL) {
		snapshot_init(&d->fact.snap, free_delegation);
		d->fact.looked_up = clock_now();
		d->fact.usable_until = d->fact.looked_up + lifetime;
		d->fact.fresh_until = d->fact.usable_until - lifetime / 5;
		d->fact.grace_until = d->fact.usable_until + all->cfg.grace;
		str_put(d->to, to);
		recall_note(all->lately, key_of(q), d->fact.grace_until);
	}
	end(q, d != NULL ? &d->fact : NULL);
}

/* final: the host says so itself, an older answer no longer counts. */
static void
none(struct quest *q, clock_ms lifetime, bool final)
{
	struct fact *f = fact_negative(ERR_NOT_FOUND, delegation_jitter(lifetime));

	if (f != NULL)
		f->final = final;
	end(q, f);
}

static void
on_answer(void *arg, const struct fetch_result *r)
{
	struct quest *q = arg;
	struct delegations *d = q->d;
	char name[NAME_MAX_LEN + 1];
	struct str to = STR_NONE;
	struct delegation_verdict v;

	q->fetch = NULL;
	q->tries++;
	if (r->err == OK && r->status == 200)
		to = delegation_read(r->body, name);
	v = delegation_judge(
	    r, to, recall_has(d->lately, key_of(q), clock_now()), q->tries, clock_wall_s());
	switch (v.what) {
	case DELEGATION_TAKE:
		take(q, to, delegation_jitter(v.lifetime));
		break;
	case DELEGATION_AGAIN:
		timer_set(d->loop, &q->pause, d->cfg.retry_pause);
		break;
	case DELEGATION_NONE:
		backoff_forget(d->backoff, key_of(q));
		none(q, v.lifetime, true);
		break;
	case DELEGATION_FAULT:
		if (v.lifetime == 0)
			v.lifetime = backoff_fail(d->backoff, key_of(q));
		none(q, v.lifetime, false);
		break;
	}
}

static void
ask(void *arg)
{
	struct quest *q = arg;
	char url[NAME_MAX_LEN + 64];
	const struct fetch_request req = { .url = url,
		.redirects = REDIRECTS,
		.max_bytes = DELEGATION_BODY_MAX,
		.timeout_ms = q->d->cfg.timeout_ms };

	snprintf(
	    url, sizeof(url), "https://" STR_FMT "/.well-known/matrix/server", STR_ARG(key_of(q)));
	q->fetch = fetch_start(q->d->cfg.fetcher, &req, on_answer, q);
	if (q->fetch == NULL)
		end(q, NULL);
}

/* --- the cache --- */

static void
look_up(void *arg, struct fact_cache *c, struct str key, const void *input)
{
	struct delegations *d = arg;
	struct quest *q = key.n <= NAME_MAX_LEN ? calloc(1, sizeof(*q)) : NULL;

	(void)input;
	if (q == NULL) {
		fact_answer(c, key, NULL);
		return;
	}
	q->d = d;
	q->key_len = key.n;
	str_put(q->key, key);
	timer_init(&q->pause, ask, q);
	list_init(&q->node);
	list_append(&d->quests, &q->node);
	ask(q);
}

struct delegations *
delegations_new(struct loop *loop, const struct delegations_config *cfg)
{
	struct delegations *d = calloc(1, sizeof(*d));
	const struct fact_config facts = { .name = "delegations",
		.max_entries = cfg->max_entries,
		.max_pending = cfg->max_pending,
		/* One request ends by itself; this is for several, with an old answer to serve. */
		.timeout_ms = cfg->timeout_ms + cfg->timeout_ms / 4,
		.negative_ttl_ms = BACKOFF_MIN,
		.look_up = look_up,
		.arg = d };

	if (d == NULL)
		return NULL;
	d->loop = loop;
	d->cfg = *cfg;
	if (d->cfg.retry_pause == 0)
		d->cfg.retry_pause = RETRY_PAUSE;
	list_init(&d->quests);
	d->cache = fact_cache_new(loop, &facts);
	d->backoff = backoff_new(BACKOFF_MIN, BACKOFF_MAX, cfg->max_entries);
	d->lately = recall_new(cfg->max_entries);
	if (d->cache == NULL || d->backoff == NULL || d->lately == NULL) {
		delegations_free(d);
		return NULL;
	}
	return d;
}

void
delegations_free(struct delegations *d)
{
	struct list *node;

	if (d == NULL)
		return;
	fact_cache_free(d->cache);
	while ((node = list_first(&d->quests)) != NULL)
		free_quest(LIST_ENTRY(node, struct quest, node));
	backoff_free(d->backoff);
	recall_free(d->lately);
	free(d);
}

struct fact_cache *
delegations_cache(struct delegations *d)
{
	return d->cache;
}
