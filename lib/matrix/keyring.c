/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyring - a look-up asks places in order: place 0 is the server itself, the others are notaries.
 * Each place is discovered, asked, and its answer judged; the first good answer ends the look-up.
 */
#include "lib/matrix/keyring.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/fact/backoff.h"

struct keyring {
	struct keyring_config cfg;
	struct fact_cache *cache;
	struct backoff *backoff;
	struct list quests;
	char **notaries;
	size_t n_notaries;
};

struct quest {
	struct list node;
	struct keyring *k;
	struct fact_wait where;
	struct fetch *fetch;
	size_t place;
	bool own;     /* of a server of our own */
	enum err err; /* what went wrong at the server itself */
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
	fact_cancel(&q->where);
	fetch_cancel(q->fetch);
	list_remove(&q->node);
	free(q);
}

static void
end(struct quest *q, struct fact *f)
{
	struct fact_cache *cache = q->k->cache;
	char key[NAME_MAX_LEN + 1];
	size_t n = q->key_len;

	memcpy(key, q->key, n);
	free_quest(q);
	fact_answer(cache, str_of(key, n), f);
}

clock_ms
keyring_lifetime(int64_t valid_until_ms, int64_t now_ms, clock_ms ttl_max)
{
	clock_ms half;

	if (valid_until_ms <= now_ms)
		return 0;
	half = (clock_ms)(valid_until_ms - now_ms) / 2;
	return half < ttl_max ? half : ttl_max;
}

static void
succeed(struct quest *q, struct serverkeys *keys, int64_t now_ms)
{
	int64_t until = serverkeys_valid_until_ms(keys);
	struct fact *f = &keys->fact;

	if (until > now_ms + SERVERKEYS_VALID_MAX_MS)
		until = now_ms + SERVERKEYS_VALID_MAX_MS;
	f->looked_up = clock_now();
	f->fresh_until = f->looked_up + keyring_lifetime(until, now_ms, q->k->cfg.ttl_max);
	f->usable_until = f->looked_up + (until > now_ms ? (clock_ms)(until - now_ms) : 0);
	backoff_forget(q->k->backoff, key_of(q));
	end(q, f);
}

static void
give_up(struct quest *q)
{
	clock_ms wait = backoff_fail(q->k->backoff, key_of(q));
	char id[17];

	if (q->own)
		log_warn(
		    "keyring: our own homeserver gives no signing keys: reason=%s; its requests "
		    "to other servers are refused until it answers /_matrix/key/v2/server at "
		    "services.homeserver",
		    err_name(q->err));
	else
		log_info("keyring: no keys server=%s reason=%s", log_id(key_of(q), id),
		    err_name(q->err));
	end(q, fact_negative(q->err, q->own ? KEYRING_OWN_AGAIN_MS : wait));
}

/* --- one place after the other --- */

static void ask_place(struct quest *q);

static void
place_failed(struct quest *q, enum err err)
{
	if (q->place == 0)
		q->err = err;
	if (q->place < q->k->n_notaries && !q->own) {
		q->place++;
		ask_place(q);
	} else {
		give_up(q);
	}
}

static void
on_answer(void *arg, const struct fetch_result *r)
{
	struct quest *q = arg;
	struct serverkeys *keys = NULL;
	int64_t now_ms = clock_wall_ms();
	enum err err = r->err;

	q->fetch = NULL;
	if (err == OK && r->status != 200)
		err = ERR_HTTP_ANSWER;
	else if (err == OK && q->place == 0)
		err = serverkeys_parse(r->body, key_of(q), now_ms, &keys);
	else if (err == OK)
		err = serverkeys_from_notary(r->body, key_of(q), now_ms, &keys);
	if (err == OK)
		succeed(q, keys, now_ms);
	else
		place_failed(q, err);
}

static void
ask(struct quest *q, const struct fetch_request *req)
{
	q->fetch = fetch_start(q->k->cfg.fetcher, req, on_answer, q);
	if (q->fetch == NULL)
		place_failed(q, ERR_MEMORY);
}

static void
on_place(void *arg, const struct fact *f)
{
	struct quest *q = arg;
	const struct discovery_target *t = (const struct discovery_target *)(const void *)f;
	char path[NAME_MAX_LEN * 3 + 64] = "/_matrix/key/v2/server",
				     url[sizeof(path) + NAME_MAX_LEN + 16];
	struct fetch_request req = { .max_bytes = KEYRING_ANSWER_MAX,
		.timeout_ms = q->k->cfg.timeout_ms };

	if (f->err != OK) {
		place_failed(q, f->err);
		return;
	}
	/* A server name is made of characters a path may hold; brackets of IPv6 are understood as
	 * well. */
	if (q->place > 0)
		snprintf(path, sizeof(path), "/_matrix/key/v2/query/" STR_FMT, STR_ARG(key_of(q)));
	if (!discovery_request(t, path, url, sizeof(url), &req)) {
		place_failed(q, ERR_SERVER_NAME);
		return;
	}
	ask(q, &req);
}

/* Nobody else is asked for the keys of a server of our own. */
static bool
ask_own(struct quest *q)
{
	char url[NAME_MAX_LEN + 512];
	struct fetch_request req = { .max_bytes = KEYRING_ANSWER_MAX,
		.timeout_ms = q->k->cfg.timeout_ms };
	const struct keyring_config *cfg = &q->k->cfg;

	if (cfg->own == NULL || !cfg->own(cfg->own_arg, key_of(q), &req, url, sizeof(url)))
		return false;
	q->own = true;
	ask(q, &req);
	return true;
}

static void
ask_place(struct quest *q)
{
	struct str name = q->place == 0 ? key_of(q) : str_z(q->k->notaries[q->place - 1]);

	fact_get(discovery_cache(q->k->cfg.discovery), name, NULL, 0, &q->where, on_place, q);
}

/* --- the keyring --- */

static void
look_up(void *arg, struct fact_cache *c, struct str key, const void *input)
{
	struct keyring *k = arg;
	struct quest *q = key.n <= NAME_MAX_LEN ? calloc(1, sizeof(*q)) : NULL;

	if (q == NULL) {
		fact_answer(
		    c, key, fact_negative(key.n <= NAME_MAX_LEN ? ERR_MEMORY : ERR_SERVER_NAME, 0));
		return;
	}
	q->k = k;
	q->key_len = key.n;
	memcpy(q->key, key.p, key.n);
	fact_wait_init(&q->where);
	list_init(&q->node);
	list_append(&k->quests, &q->node);
	if (!ask_own(q))
		ask_place(q);
}

static bool
copy_notaries(struct keyring *k, const struct keyring_config *cfg)
{
	if (cfg->n_notaries == 0)
		return true;
	k->notaries = calloc(cfg->n_notaries, sizeof(*k->notaries));
	if (k->notaries == NULL)
		return false;
	for (size_t i = 0; i < cfg->n_notaries; i++) {
		k->notaries[k->n_notaries] = strdup(cfg->notaries[i]);
		if (k->notaries[k->n_notaries++] == NULL)
			return false;
	}
	return true;
}

struct keyring *
keyring_new(struct loop *loop, const struct keyring_config *cfg)
{
	struct keyring *k = calloc(1, sizeof(*k));
	const struct fact_config facts = { .name = "keys",
		.max_entries = cfg->max_entries,
		.max_pending = cfg->max_pending,
		/* Every place ends by itself; this is for none having done so. */
		.timeout_ms = 3 * cfg->timeout_ms * (1 + cfg->n_notaries),
		.negative_ttl_ms = cfg->negative_ttl,
		.look_up = look_up,
		.arg = k };

	if (k == NULL)
		return NULL;
	k->cfg = *cfg;
	list_init(&k->quests);
	k->cache = fact_cache_new(loop, &facts);
	k->backoff = backoff_new(cfg->negative_ttl, cfg->negative_ttl_max, cfg->max_entries);
	if (k->cache == NULL || k->backoff == NULL || !copy_notaries(k, cfg)) {
		keyring_free(k);
		return NULL;
	}
	return k;
}

void
keyring_free(struct keyring *k)
{
	struct list *node;

	if (k == NULL)
		return;
	fact_cache_free(k->cache);
	while ((node = list_first(&k->quests)) != NULL)
		free_quest(LIST_ENTRY(node, struct quest, node));
	backoff_free(k->backoff);
	for (size_t i = 0; i < k->n_notaries; i++)
		free(k->notaries[i]);
	free(k->notaries);
	free(k);
}

struct fact_cache *
keyring_cache(struct keyring *k)
{
	return k->cache;
}
