/* SPDX-License-Identifier: Apache-2.0 */
/*
 * homeserver - a look-up is a walk through the rows of `steps`; each asks one path with the user's
 * own token and judges the answer.  Steps a service does not want are skipped.
 */
#include "proxy/homeserver.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "lib/matrix/canonical.h"
#include "lib/matrix/name.h"

#define TOKEN_MAX 8192
#define ANSWER_MAX 65536
#define MXID_MAX 255
#define MAX_PENDING 4096
#define DOWN_TTL_MS 2000 /* a homeserver that restarts should be asked again soon */

struct homeserver {
	struct fetcher *fetcher;
	struct proxy_conf *conf;
	struct fact_cache *cache;
	struct list asks;
};

struct ask {
	struct list node;
	struct homeserver *h;
	struct proxy_conf *conf; /* counted: `service` points into it */
	const struct service_conf *service;
	struct fetch *fetch;
	size_t step;
	struct account_key key;
	char *token; /* secret */
	char user_id[MXID_MAX + 1];
	char *displayname; /* NULL: none */
	bool is_admin;
};

/* --- keys --- */

static unsigned char process_key[crypto_generichash_KEYBYTES];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
draw_key(void)
{
	randombytes_buf(process_key, sizeof(process_key));
}

struct account_key
account_key(struct str server_name, struct str token)
{
	crypto_generichash_state st;
	struct account_key k;
	uint64_t n = server_name.n;

	pthread_once(&once, draw_key);
	crypto_generichash_init(&st, process_key, sizeof(process_key), sizeof(k.bytes));
	crypto_generichash_update(&st, (const unsigned char *)&n, sizeof(n));
	crypto_generichash_update(&st, (const unsigned char *)server_name.p, server_name.n);
	crypto_generichash_update(&st, (const unsigned char *)token.p, token.n);
	crypto_generichash_final(&st, k.bytes, sizeof(k.bytes));
	sodium_memzero(&st, sizeof(st));
	return k;
}

/* --- ends --- */

static void
free_account(struct snapshot *s)
{
	free(s); /* one piece of memory */
}

static struct account *
make_account(const struct ask *a)
{
	const char *name = a->displayname != NULL ? a->displayname : "";
	size_t user_n = strlen(a->user_id) + 1, name_n = strlen(name) + 1;
	struct account *acc = calloc(1, sizeof(*acc) + user_n + name_n);

	if (acc == NULL)
		return NULL;
	snapshot_init(&acc->fact.snap, free_account);
	acc->fact.looked_up = clock_now();
	acc->fact.fresh_until = acc->fact.looked_up + a->conf->account_ttl;
	acc->fact.usable_until = acc->fact.fresh_until; /* a revoked token must not live on */
	acc->user_id = memcpy((char *)(acc + 1), a->user_id, user_n);
	acc->displayname = memcpy((char *)(acc + 1) + user_n, name, name_n);
	acc->has_displayname = a->displayname != NULL;
	acc->is_admin = a->is_admin;
	return acc;
}

static void
free_ask(struct ask *a)
{
	fetch_cancel(a->fetch);
	list_remove(&a->node);
	if (a->token != NULL)
		sodium_memzero(a->token, strlen(a->token));
	free(a->token);
	free(a->displayname);
	snapshot_drop(&a->conf->snap);
	free(a);
}

static void
end(struct ask *a, struct fact *f)
{
	struct account_key key = a->key;
	struct fact_cache *cache = a->h->cache;

	free_ask(a);
	fact_answer(cache, account_key_str(&key), f);
}

static void
fail(struct ask *a, enum err err)
{
	clock_ms ttl = err == ERR_NOT_FOUND   ? a->conf->negative_ttl
		       : err == ERR_CANCELLED ? 0
					      : DOWN_TTL_MS;

	if (err != ERR_NOT_FOUND && err != ERR_CANCELLED)
		log_warn("homeserver: token look-up failed service=%s reason=%s",
		    a->service->server_name, err_name(err));
	end(a, fact_negative(err, ttl));
}

static enum err
err_of(const struct fetch_result *r)
{
	switch (r->err) {
	case OK:
		return OK;
	case ERR_TIMEOUT:
		return ERR_UPSTREAM_SLOW;
	case ERR_TOO_LARGE:
	case ERR_HTTP_ANSWER:
		return ERR_UPSTREAM_BAD;
	case ERR_MEMORY:
		return ERR_MEMORY;
	default:
		return ERR_UPSTREAM_DOWN;
	}
}

/* --- the steps: each judges an HTTP answer; OK goes on to the next --- */

static enum err
judge_whoami(struct ask *a, struct arena *mem, int status, struct str json)
{
	struct str user = json_text(mem, json_get(json, STR("user_id"))), local, server;

	if (status == 401 || status == 403)
		return ERR_NOT_FOUND;
	if (status != 200 || user.p == NULL || user.n > MXID_MAX ||
	    memchr(user.p, '\0', user.n) != NULL || !mxid_parse(user, &local, &server))
		return ERR_UPSTREAM_BAD;
	memcpy(a->user_id, user.p, user.n);
	a->user_id[user.n] = '\0';
	return OK;
}

/* Whatever is not a clear yes means no: other homeservers do not have this path. */
static enum err
judge_admin(struct ask *a, struct arena *mem, int status, struct str json)
{
	a->is_admin = status == 200 && json_type(json_get(json, STR("admin"))) == JSON_TRUE;
	return OK;
}

static enum err
judge_displayname(struct ask *a, struct arena *mem, int status, struct str json)
{
	struct str value = json_get(json, STR("displayname")), name;

	if (status == 404)
		return OK;
	if (status != 200)
		return ERR_UPSTREAM_BAD;
	if (json_type(value) != JSON_STRING)
		return OK;
	name = json_text(mem, value);
	if (name.p == NULL)
		return ERR_MEMORY;
	a->displayname = strndup(name.p, name.n);
	return a->displayname != NULL ? OK : ERR_MEMORY;
}

static bool
always(const struct service_conf *s)
{
	return true;
}

static bool
by_homeserver(const struct service_conf *s)
{
	return s->org_admin_by_homeserver;
}

static const struct {
	const char *path; /* %s: the user ID, percent-encoded */
	bool (*wanted)(const struct service_conf *s);
	enum err (*judge)(struct ask *a, struct arena *mem, int status, struct str json);
} steps[] = {
	{ "/_matrix/client/v3/account/whoami", always, judge_whoami },
	{ "/_synapse/admin/v1/users/%s/admin", by_homeserver, judge_admin },
	{ "/_matrix/client/v3/profile/%s/displayname", always, judge_displayname },
};

#define STEPS (sizeof(steps) / sizeof(steps[0]))

static void start_step(struct ask *a);

static void
on_answer(void *arg, const struct fetch_result *r)
{
	struct ask *a = arg;
	struct arena mem;
	struct str json = STR_NONE;
	enum err err = err_of(r);

	a->fetch = NULL;
	arena_init(&mem, (size_t)8 * ANSWER_MAX);
	if (err == OK && canonical_form(&mem, r->body, &json) != OK)
		json = STR_NONE; /* the step decides whether it needs any */
	if (err == OK)
		err = steps[a->step].judge(a, &mem, r->status, json);
	arena_fini(&mem);
	a->step++;
	if (err != OK)
		fail(a, err);
	else
		start_step(a);
}

static void
percent_encode(struct str s, char *out) /* 3 * s.n + 1 bytes */
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c >= '0' && c <= '9') ||
		    (str_lower(s.p[i]) >= 'a' && str_lower(s.p[i]) <= 'z') || c == '-' ||
		    c == '.' || c == '_' || c == '~') {
			*out++ = (char)c;
			continue;
		}
		*out++ = '%';
		*out++ = hex[c >> 4];
		*out++ = hex[c & 15];
	}
	*out = '\0';
}

static bool
put_url(const struct ask *a, char *out, size_t size)
{
	const char *path = steps[a->step].path, *user_at = strstr(path, "%s");
	char user[3 * MXID_MAX + 1];
	size_t n = strlen(conf_address_url(&a->service->upstream, out, size));
	int m;

	percent_encode(str_z(a->user_id), user);
	if (user_at == NULL)
		m = snprintf(out + n, size - n, "%s", path);
	else
		m = snprintf(
		    out + n, size - n, "%.*s%s%s", (int)(user_at - path), path, user, user_at + 2);
	return m >= 0 && (size_t)m < size - n;
}

static void
start_step(struct ask *a)
{
	char url[2048];
	struct fetch_request req = { .url = url,
		.local = true,
		.unix_path = a->service->upstream.unix_path,
		.bearer = a->token,
		.max_bytes = ANSWER_MAX,
		.timeout_ms = a->conf->lookups.timeout };

	while (a->step < STEPS && !steps[a->step].wanted(a->service))
		a->step++;
	if (a->step == STEPS) {
		struct account *acc = make_account(a);

		end(a, acc != NULL ? &acc->fact : NULL);
		return;
	}
	a->fetch =
	    put_url(a, url, sizeof(url)) ? fetch_start(a->h->fetcher, &req, on_answer, a) : NULL;
	if (a->fetch == NULL)
		fail(a, ERR_MEMORY);
}

/* --- the cache --- */

static const struct service_conf *
find_service(const struct proxy_conf *conf, struct str server_name)
{
	for (size_t i = 0; i < conf->n_services; i++)
		if (str_eq(str_z(conf->services[i].server_name), server_name))
			return &conf->services[i];
	return NULL;
}

/* What cannot be in an Authorization field is no token of this homeserver. */
static bool
is_token(struct str t)
{
	for (size_t i = 0; i < t.n; i++)
		if (t.p[i] <= ' ' || t.p[i] > '~')
			return false;
	return t.n > 0 && t.n <= TOKEN_MAX;
}

static void
look_up(void *arg, struct fact_cache *c, struct str key, const void *input)
{
	struct homeserver *h = arg;
	const struct account_input *in = input;
	const struct service_conf *service =
	    in != NULL ? find_service(h->conf, in->server_name) : NULL;
	struct ask *a;

	if (service == NULL || !is_token(in->token)) {
		fact_answer(c, key, fact_negative(ERR_NOT_FOUND, DOWN_TTL_MS));
		return;
	}
	a = calloc(1, sizeof(*a));
	if (a == NULL) {
		fact_answer(c, key, NULL);
		return;
	}
	a->h = h;
	a->conf = snapshot_hold(&h->conf->snap);
	a->service = service;
	memcpy(a->key.bytes, key.p, sizeof(a->key.bytes));
	list_init(&a->node);
	list_append(&h->asks, &a->node);
	a->token = strndup(in->token.p, in->token.n);
	if (a->token == NULL)
		fail(a, ERR_MEMORY);
	else
		start_step(a);
}

struct homeserver *
homeserver_new(struct loop *loop, struct fetcher *fetcher, struct proxy_conf *conf)
{
	struct homeserver *h = calloc(1, sizeof(*h));
	const struct fact_config facts = { .name = "account",
		.max_entries = conf->accounts_max_entries,
		.max_pending = MAX_PENDING,
		.timeout_ms = conf->lookups.timeout * STEPS,
		.negative_ttl_ms = DOWN_TTL_MS,
		.look_up = look_up,
		.arg = h };

	if (h == NULL)
		return NULL;
	h->fetcher = fetcher;
	h->conf = snapshot_hold(&conf->snap);
	list_init(&h->asks);
	h->cache = fact_cache_new(loop, &facts);
	if (h->cache == NULL) {
		homeserver_free(h);
		return NULL;
	}
	return h;
}

void
homeserver_free(struct homeserver *h)
{
	struct list *node;

	if (h == NULL)
		return;
	fact_cache_free(h->cache);
	while ((node = list_first(&h->asks)) != NULL)
		free_ask(LIST_ENTRY(node, struct ask, node));
	snapshot_drop(&h->conf->snap);
	free(h);
}

struct fact_cache *
homeserver_accounts(struct homeserver *h)
{
	return h->cache;
}
