/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/lookups.h"

#include <sodium.h>
#include <stdlib.h>

#include "lib/matrix/keyring.h"
#include "proxy/control.h"
#include "proxy/homeserver.h"
#include "proxy/series.h"
#include "proxy/worker.h"

#define PENDING_MAX 4096 /* look-ups of one kind a worker may have under way */

/* --- questions about facts --- */

enum kind { KEYS, ACCOUNT, MISS, DESTINATION, OWNER };

struct question {
	struct letter letter;
	struct worker *worker;
	struct list node; /* on the control thread, like the next */
	struct fact_wait wait;
	struct fact *fact; /* the answer, one reference */
	enum kind kind;
	clock_ms younger_than;
	size_t key_n, name_n, token_n;
	char bytes[]; /* key, server name, token */
};

static struct str
question_key(const struct question *q)
{
	return str_of(q->bytes, q->key_n);
}

static void
question_free(struct question *q)
{
	snapshot_drop((struct snapshot *)q->fact);
	sodium_memzero(q->bytes, q->key_n + q->name_n + q->token_n);
	free(q);
}

static struct fact_cache *
worker_cache(struct worker *w, enum kind kind)
{
	switch (kind) {
	case KEYS:
		return w->keys;
	case ACCOUNT:
		return w->accounts;
	case DESTINATION:
		return w->destinations;
	case OWNER:
		return w->owners;
	default:
		return w->misses;
	}
}

static void
open_answer(struct letter *l, void *receiver) /* on the worker */
{
	struct question *q = (struct question *)l;
	struct worker *w = receiver;
	struct fact_cache *cache = w != NULL ? worker_cache(w, q->kind) : NULL;

	if (cache != NULL) {
		fact_answer(cache, question_key(q), q->fact);
		q->fact = NULL;
	}
	question_free(q);
}

static struct fact_cache *
control_cache(struct control *c, enum kind kind)
{
	switch (kind) {
	case KEYS:
		return control_keys(c);
	case ACCOUNT:
		return control_accounts(c);
	case DESTINATION:
		return control_destinations(c);
	case OWNER:
		return control_owners(c);
	default:
		return control_misses(c);
	}
}

static void
on_control_fact(void *arg, const struct fact *f)
{
	struct question *q = arg;

	list_remove(&q->node);
	q->fact = snapshot_hold((struct snapshot *)(uintptr_t)&f->snap);
	q->letter.open = open_answer;
	loop_post(q->worker->loop, &q->letter);
}

static void
ask_control(struct control *c, struct question *q)
{
	const struct account_input in = {
		.server_name = str_of(q->bytes + q->key_n, q->name_n),
		.token = str_of(q->bytes + q->key_n + q->name_n, q->token_n),
	};

	fact_wait_init(&q->wait);
	fact_get(control_cache(c, q->kind), question_key(q), &in, q->younger_than, &q->wait,
	    on_control_fact, q);
}

static void
open_question(struct letter *l, void *receiver) /* on the control thread */
{
	struct question *q = (struct question *)l;

	if (receiver == NULL) {
		question_free(q); /* shutting down */
		return;
	}
	list_init(&q->node);
	list_append(control_questions(receiver), &q->node);
	ask_control(receiver, q);
}

void
lookups_ask_again(struct control *c)
{
	LIST_FOR(node, control_questions(c)) {
		struct question *q = LIST_ENTRY(node, struct question, node);

		fact_cancel(&q->wait);
		ask_control(c, q);
	}
}

static void
ask(struct worker *w, enum kind kind, struct str key, clock_ms younger_than, struct str name,
    struct str token)
{
	struct question *q = calloc(1, sizeof(*q) + key.n + name.n + token.n);

	if (q == NULL) {
		fact_answer(worker_cache(w, kind), key, NULL);
		return;
	}
	q->letter.open = open_question;
	q->worker = w;
	q->kind = kind;
	q->younger_than = younger_than;
	q->key_n = key.n;
	q->name_n = name.n;
	q->token_n = token.n;
	str_put(str_put(str_put(q->bytes, key), name), token);
	loop_post(control_loop(w->control), &q->letter);
}

static void
look_up_keys(void *arg, struct fact_cache *c, struct str key, const void *input)
{
	const struct keys_input *in = input;

	(void)c;
	metrics_inc(S_KEYS_MISS);
	ask(arg, KEYS, key, in != NULL ? in->younger_than : 0, STR_NONE, STR_NONE);
}

static void
look_up_account(void *arg, struct fact_cache *c, struct str key, const void *input)
{
	const struct account_input *in = input;

	(void)c;
	metrics_inc(S_ACCOUNTS_MISS);
	ask(arg, ACCOUNT, key, 0, in->server_name, in->token);
}

static void
look_up_miss(void *arg, struct fact_cache *c, struct str key, const void *input)
{
	(void)c;
	(void)input;
	ask(arg, MISS, key, 0, STR_NONE, STR_NONE);
}

static void
look_up_destination(void *arg, struct fact_cache *c, struct str key, const void *input)
{
	(void)c;
	(void)input;
	metrics_inc(S_DESTINATIONS_MISS);
	ask(arg, DESTINATION, key, 0, STR_NONE, STR_NONE);
}

static void
look_up_owner(void *arg, struct fact_cache *c, struct str key, const void *input)
{
	(void)c;
	(void)input;
	ask(arg, OWNER, key, 0, STR_NONE, STR_NONE);
}

/* --- the worker's caches --- */

#define CACHES 5

struct cache_row {
	struct fact_cache **cache;
	const char *name;
	size_t max;
	void (*look_up)(void *arg, struct fact_cache *c, struct str key, const void *input);
};

static void
caches_of(struct worker *w, struct cache_row out[CACHES])
{
	const struct proxy_conf *c = w->conf;
	size_t others = c->forward.destinations_max;
	const struct cache_row rows[CACHES] = {
		{ &w->keys, "keys", c->keys_max_entries, look_up_keys },
		{ &w->accounts, "accounts", c->accounts_max_entries, look_up_account },
		{ &w->misses, "misses", c->misses_max_entries, look_up_miss },
		{ &w->destinations, "destinations", others, look_up_destination },
		{ &w->owners, "owners", others, look_up_owner },
	};

	memcpy(out, rows, sizeof(rows));
}

bool
lookups_open(struct worker *w)
{
	struct cache_row rows[CACHES];
	bool ok = true;

	caches_of(w, rows);
	for (size_t i = 0; i < CACHES; i++) {
		const struct fact_config cfg = {
			.name = rows[i].name,
			.max_entries = rows[i].max,
			.max_pending = PENDING_MAX,
			.timeout_ms = w->conf->fact_timeout,
			.negative_ttl_ms = 1000, /* a time-out here says nothing about the origin */
			.look_up = rows[i].look_up,
			.arg = w,
		};

		*rows[i].cache = fact_cache_new(w->loop, &cfg);
		ok = ok && *rows[i].cache != NULL;
	}
	return ok;
}

void
lookups_adopt(struct worker *w)
{
	struct cache_row rows[CACHES];

	caches_of(w, rows);
	for (size_t i = 0; i < CACHES; i++)
		fact_set_limits(*rows[i].cache, rows[i].max, w->conf->fact_timeout);
}

static void
close_cache(struct fact_cache **c)
{
	if (*c != NULL)
		fact_cache_free(*c);
	*c = NULL;
}

void
lookups_close(struct worker *w)
{
	close_cache(&w->keys);
	close_cache(&w->accounts);
	close_cache(&w->misses);
	close_cache(&w->destinations);
	close_cache(&w->owners);
}

/* --- forgetting accounts --- */

static void
open_forget(struct letter *l, void *receiver) /* on the control thread */
{
	free(l);
	if (receiver != NULL)
		control_forget_accounts(receiver);
}

void
lookups_forget_accounts(struct worker *w)
{
	struct letter *l = calloc(1, sizeof(*l));

	fact_clear(w->accounts);
	if (l == NULL)
		return; /* elsewhere they are forgotten when their lifetime ends */
	l->open = open_forget;
	loop_post(control_loop(w->control), l);
}

/* --- the end --- */

void
lookups_drop(struct control *c)
{
	LIST_FOR(node, control_questions(c)) {
		struct question *q = LIST_ENTRY(node, struct question, node);

		fact_cancel(&q->wait);
		list_remove(node);
		question_free(q);
	}
	lookups_drop_invites(c);
}
