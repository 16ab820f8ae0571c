/* SPDX-License-Identifier: Apache-2.0 */
/*
 * discovery - one `struct hunt` per name being looked up; enter() starts the step, its callback
 * says how it ended and discovery_next() which one follows.
 */
#include "lib/matrix/discovery.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/fact/backoff.h"
#include "lib/matrix/delegation.h"

#define SECOND_MS ((clock_ms)1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define LIFETIME_DIRECT (24 * HOUR_MS) /* of what follows from the name alone */
#define TTL_MIN (5 * SECOND_MS)        /* of SRV records */
#define DELEGATION_TTL_MIN MINUTE_MS   /* of one that outlives its time */
#define RETRY_MAX MINUTE_MS            /* after an outage of DNS, members are back that soon */
#define GRACE_MS (2 * HOUR_MS)

struct discovery {
	struct discovery_config cfg;
	struct fact_cache *cache;
	struct delegations *delegations;
	struct owners *owners;
	struct backoff *backoff; /* names whose discovery fails */
	struct list hunts;
};

struct hunt {
	struct list node;
	struct discovery *d;
	struct fact_wait where;
	struct resolver_req req;
	struct server_name name; /* being pursued: the key's, then the delegated one */
	enum discovery_step step;
	bool delegated;
	clock_ms lifetime; /* the shortest of what the steps said */
	char delegation[NAME_MAX_LEN + 1];
	size_t key_len;
	char key[NAME_MAX_LEN + 1];
};

/* --- pure parts --- */

enum discovery_step
discovery_first(const struct server_name *n, bool delegated)
{
	if (n->kind != NAME_DNS || n->port != 0)
		return DISCOVERY_DIRECT;
	return delegated ? DISCOVERY_SRV_FED : DISCOVERY_WELL_KNOWN;
}

enum discovery_step
discovery_next(enum discovery_step s, enum err err)
{
	switch (s) {
	case DISCOVERY_WELL_KNOWN:
		return DISCOVERY_SRV_FED; /* whatever was wrong with it */
	case DISCOVERY_SRV_FED:
	case DISCOVERY_SRV_OLD:
		if (err == OK)
			return DISCOVERY_DONE;
		if (err != ERR_NOT_FOUND)
			return DISCOVERY_FAILED;
		return s == DISCOVERY_SRV_FED ? DISCOVERY_SRV_OLD : DISCOVERY_DEFAULT;
	default:
		return err == OK ? DISCOVERY_DONE : DISCOVERY_FAILED;
	}
}

bool
discovery_request(const struct discovery_target *t, const char *path, char *url, size_t url_size,
    struct fetch_request *req)
{
	int n = snprintf(url, url_size, "https://%s%s", t->tls_name, path);

	req->url = url;
	req->host = t->host;
	req->via = t->at;
	req->n_via = t->n;
	return n > 0 && (size_t)n < url_size;
}

/* --- the result --- */

static void
free_target(struct snapshot *s)
{
	free(s); /* one piece of memory */
}

static const char *
put(char **at, struct str s)
{
	char *here = *at;

	memcpy(here, s.p, s.n);
	here[s.n] = '\0';
	*at += s.n + 1;
	return here;
}

/* The texts lie behind the endpoints. */
static struct discovery_target *
make_target(const struct hunt *h, const struct fetch_endpoint *at, size_t n)
{
	struct str host = h->name.text, tls = h->name.host;
	size_t size = sizeof(struct discovery_target) + n * sizeof(*at), texts = host.n + tls.n + 4;
	struct discovery_target *t;
	char *to, literal[NAME_MAX_LEN + 3];

	for (size_t i = 0; i < n; i++)
		texts += strlen(at[i].host) + 1;
	t = calloc(1, size + texts);
	if (t == NULL)
		return NULL;
	snapshot_init(&t->fact.snap, free_target);
	t->fact.looked_up = clock_now();
	t->fact.usable_until = t->fact.looked_up + h->lifetime;
	t->fact.fresh_until = t->fact.usable_until - h->lifetime / 5;
	t->fact.grace_until = t->fact.usable_until + GRACE_MS;
	if (h->name.kind == NAME_IPV6) {
		snprintf(literal, sizeof(literal), "[" STR_FMT "]", STR_ARG(tls));
		tls = str_z(literal);
	}
	to = (char *)t + size;
	t->tls_name = put(&to, tls);
	t->host = put(&to, host);
	for (t->n = 0; t->n < n; t->n++) {
		t->at[t->n].host = put(&to, str_z(at[t->n].host));
		t->at[t->n].port = at[t->n].port;
	}
	return t;
}

static void
free_hunt(struct hunt *h)
{
	fact_cancel(&h->where);
	resolver_cancel(&h->req);
	list_remove(&h->node);
	free(h);
}

static void
end(struct hunt *h, struct fact *f)
{
	struct discovery *d = h->d;
	char key[NAME_MAX_LEN + 1];
	size_t n = h->key_len;

	memcpy(key, h->key, n);
	free_hunt(h);
	fact_answer(d->cache, str_of(key, n), f);
}

/* final: what was known before is wrong now. */
static void
fail(struct hunt *h, enum err err, clock_ms ttl, bool final)
{
	struct fact *f = fact_negative(err, ttl);
	char id[17];

	if (f != NULL)
		f->final = final;
	log_info("discovery: failed server=%s reason=%s", log_id(str_of(h->key, h->key_len), id),
	    err_name(err));
	end(h, f);
}

static void
fail_for_now(struct hunt *h, enum err err)
{
	fail(h, err, backoff_fail(h->d->backoff, str_of(h->key, h->key_len)), false);
}

static void
succeed(struct hunt *h, const struct fetch_endpoint *at, size_t n)
{
	struct discovery_target *t = make_target(h, at, n);
	struct str key = str_of(h->key, h->key_len);

	backoff_forget(h->d->backoff, key);
	for (size_t i = 0; t != NULL && i < n; i++)
		owners_note(h->d->owners, str_z(at[i].host), at[i].port, key, t->fact.grace_until);
	end(h, t != NULL ? &t->fact : NULL);
}

static void
shorten(struct hunt *h, clock_ms ttl, clock_ms min)
{
	if (ttl < min)
		ttl = min;
	if (ttl < h->lifetime)
		h->lifetime = ttl;
}

/* --- the steps --- */

static void enter(struct hunt *h, enum discovery_step step);

static void
on_delegation(void *arg, const struct fact *f)
{
	struct hunt *h = arg;
	const struct delegation *to = (const struct delegation *)(const void *)f;
	clock_ms now = clock_now(), until = f->err == OK ? f->usable_until : f->fresh_until;

	if (f->err == ERR_OVERLOAD || f->err == ERR_MEMORY) {
		fail(h, f->err, 0, false);
		return;
	}
	shorten(h, until > now ? until - now : 0, DELEGATION_TTL_MIN);
	if (f->err == OK) {
		memcpy(h->delegation, to->to, sizeof(h->delegation));
		h->delegated = name_parse(str_z(h->delegation), &h->name);
	}
	enter(h, h->delegated ? discovery_first(&h->name, true)
			      : discovery_next(DISCOVERY_WELL_KNOWN, ERR_NOT_FOUND));
}

static void
ask_well_known(struct hunt *h)
{
	char host[NAME_MAX_LEN + 1];

	fact_get(delegations_cache(h->d->delegations), delegations_key(h->name.host, host), NULL, 0,
	    &h->where, on_delegation, h);
}

static void
on_services(void *arg, enum err err, const struct resolver_service *s, size_t n)
{
	struct hunt *h = arg;
	struct fetch_endpoint at[RESOLVER_MAX_ANSWERS];
	enum discovery_step next = discovery_next(h->step, err);
	size_t count = 0;

	if (err == OK || err == ERR_NOT_FOUND)
		shorten(h, h->req.ttl_ms, TTL_MIN);
	if (next != DISCOVERY_DONE) {
		if (next == DISCOVERY_FAILED)
			fail_for_now(h, err);
		else
			enter(h, next);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (s[i].target[0] != '\0')
			at[count++] = (struct fetch_endpoint){ s[i].target, s[i].port };
	if (count == 0)
		fail(h, ERR_NOT_FOUND, h->lifetime, true); /* ".": federation is not offered */
	else
		succeed(h, at, count);
}

static void
ask_services(struct hunt *h, struct str service)
{
	if (!resolver_services(h->d->cfg.resolver, service, h->name.host, &h->req, on_services, h))
		end(h, NULL);
}

static void
connect_to(struct hunt *h, uint16_t port)
{
	char host[NAME_MAX_LEN + 1];
	const struct fetch_endpoint at = { host, port };

	snprintf(host, sizeof(host), STR_FMT, STR_ARG(h->name.host));
	succeed(h, &at, 1);
}

static void
enter(struct hunt *h, enum discovery_step step)
{
	h->step = step;
	switch (step) {
	case DISCOVERY_DIRECT:
		connect_to(h, h->name.port != 0 ? h->name.port : DISCOVERY_PORT);
		break;
	case DISCOVERY_WELL_KNOWN:
		ask_well_known(h);
		break;
	case DISCOVERY_SRV_FED:
		ask_services(h, STR("_matrix-fed._tcp"));
		break;
	case DISCOVERY_SRV_OLD:
		ask_services(h, STR("_matrix._tcp"));
		break;
	case DISCOVERY_DEFAULT:
		connect_to(h, DISCOVERY_PORT);
		break;
	case DISCOVERY_DONE:
	case DISCOVERY_FAILED:
		break;
	}
}

/* --- the cache --- */

static void
look_up(void *arg, struct fact_cache *c, struct str key, const void *input)
{
	struct discovery *d = arg;
	struct hunt *h = key.n <= NAME_MAX_LEN ? calloc(1, sizeof(*h)) : NULL;

	if (h == NULL) {
		fact_answer(
		    c, key, fact_negative(key.n <= NAME_MAX_LEN ? ERR_MEMORY : ERR_SERVER_NAME, 0));
		return;
	}
	h->d = d;
	h->key_len = key.n;
	memcpy(h->key, key.p, key.n);
	h->lifetime = LIFETIME_DIRECT;
	resolver_req_init(&h->req);
	fact_wait_init(&h->where);
	list_init(&h->node);
	list_append(&d->hunts, &h->node);
	if (name_parse(str_of(h->key, h->key_len), &h->name))
		enter(h, discovery_first(&h->name, false));
	else
		fail(h, ERR_SERVER_NAME, h->lifetime, true);
}

static bool
open_parts(struct discovery *d, struct loop *loop, const struct fact_config *facts)
{
	const struct discovery_config *cfg = &d->cfg;
	const struct delegations_config delegations = { .fetcher = cfg->fetcher,
		.max_entries = cfg->max_entries,
		.max_pending = cfg->max_pending,
		.timeout_ms = cfg->timeout_ms / 2, /* the rest is for DNS */
		.grace = GRACE_MS };

	d->cache = fact_cache_new(loop, facts);
	d->delegations = delegations_new(loop, &delegations);
	d->owners = owners_new(loop, cfg->max_entries);
	d->backoff = backoff_new(cfg->negative_ttl,
	    cfg->negative_ttl_max < RETRY_MAX ? cfg->negative_ttl_max : RETRY_MAX,
	    cfg->max_entries);
	return d->cache != NULL && d->delegations != NULL && d->owners != NULL &&
	       d->backoff != NULL;
}

struct discovery *
discovery_new(struct loop *loop, const struct discovery_config *cfg)
{
	struct discovery *d = calloc(1, sizeof(*d));
	const struct fact_config facts = { .name = "discovery",
		.max_entries = cfg->max_entries,
		.max_pending = cfg->max_pending,
		.timeout_ms = cfg->timeout_ms,
		.negative_ttl_ms = cfg->negative_ttl,
		.look_up = look_up,
		.arg = d };

	if (d == NULL)
		return NULL;
	d->cfg = *cfg;
	list_init(&d->hunts);
	if (!open_parts(d, loop, &facts)) {
		discovery_free(d);
		return NULL;
	}
	return d;
}

void
discovery_free(struct discovery *d)
{
	struct list *node;

	if (d == NULL)
		return;
	fact_cache_free(d->cache);
	while ((node = list_first(&d->hunts)) != NULL)
		free_hunt(LIST_ENTRY(node, struct hunt, node));
	delegations_free(d->delegations);
	owners_free(d->owners);
	backoff_free(d->backoff);
	free(d);
}

struct fact_cache *
discovery_cache(struct discovery *d)
{
	return d->cache;
}

struct owners *
discovery_owners(struct discovery *d)
{
	return d->owners;
}
