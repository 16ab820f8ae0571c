/* SPDX-License-Identifier: Apache-2.0 */
/*
 * discovery - one `struct hunt` per name being looked up; enter() starts the step, its callback
 * says how it ended and discovery_next() which one follows.
 */
#include "lib/matrix/discovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "lib/fact/backoff.h"
#include "lib/matrix/canonical.h"

#define SECOND_MS ((clock_ms)1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define LIFETIME_MIN (5 * MINUTE_MS)
#define LIFETIME_DEFAULT (24 * HOUR_MS)
#define LIFETIME_MAX (48 * HOUR_MS)
#define LIFETIME_NONE HOUR_MS  /* the server has no valid .well-known */
#define GRACE_MS (2 * HOUR_MS) /* served beyond its lifetime while a refresh runs or fails */
#define REDIRECTS 5

struct discovery {
	struct discovery_config cfg;
	struct fact_cache *cache;
	struct backoff *backoff;     /* names whose discovery fails */
	struct backoff *unreachable; /* names whose .well-known fails */
	struct list hunts;
};

struct hunt {
	struct list node;
	struct discovery *d;
	struct fetch *fetch;
	struct resolver_req req;
	struct server_name name; /* being pursued: the key's, then the delegated one */
	enum discovery_step step;
	bool delegated;
	clock_ms lifetime;
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

struct str
discovery_delegation(struct str body, char out[NAME_MAX_LEN + 1])
{
	struct server_name name;
	struct arena a;
	struct str json, text, result = STR_NONE;

	arena_init(&a, (size_t)4 * DISCOVERY_WELL_KNOWN_MAX);
	if (canonical_form(&a, body, &json) == OK) {
		text = json_text(&a, json_get(json, STR("m.server")));
		if (text.p != NULL && text.n <= NAME_MAX_LEN && name_parse(text, &name)) {
			memcpy(out, text.p, text.n);
			out[text.n] = '\0';
			result = str_of(out, text.n);
		}
	}
	arena_fini(&a);
	return result;
}

static clock_ms
bounded(clock_ms ms)
{
	return ms < LIFETIME_MIN ? LIFETIME_MIN : ms > LIFETIME_MAX ? LIFETIME_MAX : ms;
}

/* Looks through the directives; true if they decide. */
static bool
from_cache_control(struct str directives, clock_ms *lifetime)
{
	bool decided = false;

	while (directives.n > 0) {
		struct str one, name, value;
		uint64_t seconds;

		str_cut(directives, ',', &one, &directives);
		str_cut(str_trim(one), '=', &name, &value);
		value = str_trim(value);
		if (value.n >= 2 && value.p[0] == '"')
			value = str_of(value.p + 1, value.n - 2);
		if (str_eq_ci(str_trim(name), STR("no-store"))) {
			*lifetime = LIFETIME_MIN;
			return true;
		}
		if (str_eq_ci(str_trim(name), STR("max-age"))) {
			if (!str_to_u64(value, INT32_MAX, &seconds))
				seconds = value.n > 0 && strspn(value.p, "0123456789") >= value.n
					      ? INT32_MAX
					      : 0;
			*lifetime = bounded(seconds * SECOND_MS);
			decided = true;
		}
	}
	return decided;
}

clock_ms
discovery_lifetime(const char *cache_control, const char *expires, int64_t now_s)
{
	struct tm tm = { 0 };
	const char *end;
	clock_ms lifetime;
	int64_t at;

	if (from_cache_control(str_z(cache_control), &lifetime))
		return lifetime;
	if (expires == NULL || *expires == '\0')
		return LIFETIME_DEFAULT;
	end = strptime(expires, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	if (end == NULL || *end != '\0')
		return LIFETIME_MIN;
	at = timegm(&tm);
	if (at <= now_s)
		return LIFETIME_MIN;
	return at - now_s > INT32_MAX ? LIFETIME_MAX : bounded((clock_ms)(at - now_s) * SECOND_MS);
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
	t->fact.fresh_until = t->fact.looked_up + h->lifetime;
	t->fact.usable_until = t->fact.fresh_until + GRACE_MS;
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
	fetch_cancel(h->fetch);
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

static void
fail(struct hunt *h, enum err err)
{
	char id[17];
	clock_ms wait = backoff_fail(h->d->backoff, str_of(h->key, h->key_len));

	log_info("discovery: failed server=%s reason=%s", log_id(str_of(h->key, h->key_len), id),
	    err_name(err));
	end(h, fact_negative(err, wait));
}

static void
succeed(struct hunt *h, const struct fetch_endpoint *at, size_t n)
{
	struct discovery_target *t = make_target(h, at, n);

	backoff_forget(h->d->backoff, str_of(h->key, h->key_len));
	end(h, t != NULL ? &t->fact : NULL);
}

/* --- the steps --- */

static void enter(struct hunt *h, enum discovery_step step);

/* A network failure says nothing about the delegation: while we hold one, it stays (an error answer
 * makes the cache keep it); otherwise the search goes on, and is repeated soon. */
static bool
keep_old(struct hunt *h)
{
	const struct fact *f = fact_peek(h->d->cache, str_of(h->key, h->key_len), NULL);

	return f != NULL && f->err == OK;
}

static void
on_well_known(void *arg, const struct fetch_result *r)
{
	struct hunt *h = arg;
	struct str key = str_of(h->key, h->key_len), to = STR_NONE;

	h->fetch = NULL;
	if (r->err != OK || r->status >= 500) {
		if (keep_old(h)) {
			end(h,
			    fact_negative(ERR_HTTP_ANSWER, backoff_fail(h->d->unreachable, key)));
			return;
		}
		h->lifetime = backoff_fail(h->d->unreachable, key);
	} else {
		backoff_forget(h->d->unreachable, key);
		h->lifetime = LIFETIME_NONE;
		if (r->status == 200)
			to = discovery_delegation(r->body, h->delegation);
	}
	if (to.n == 0 || !name_parse(to, &h->name)) {
		enter(h, discovery_next(DISCOVERY_WELL_KNOWN, ERR_NOT_FOUND));
		return;
	}
	h->lifetime = discovery_lifetime(r->cache_control, r->expires, clock_wall_s());
	h->delegated = true;
	enter(h, discovery_first(&h->name, true));
}

static void
ask_well_known(struct hunt *h)
{
	char url[NAME_MAX_LEN + 64];
	const struct fetch_request req = { .url = url,
		.redirects = REDIRECTS,
		.max_bytes = DISCOVERY_WELL_KNOWN_MAX,
		.timeout_ms = h->d->cfg.timeout_ms / 2 };

	snprintf(url, sizeof(url), "https://" STR_FMT "/.well-known/matrix/server",
	    STR_ARG(h->name.host));
	h->fetch = fetch_start(h->d->cfg.fetcher, &req, on_well_known, h);
	if (h->fetch == NULL)
		fail(h, ERR_MEMORY);
}

static void
on_services(void *arg, enum err err, const struct resolver_service *s, size_t n)
{
	struct hunt *h = arg;
	struct fetch_endpoint at[RESOLVER_MAX_ANSWERS];
	enum discovery_step next = discovery_next(h->step, err);
	size_t count = 0;

	if (next != DISCOVERY_DONE) {
		if (next == DISCOVERY_FAILED)
			fail(h, err);
		else
			enter(h, next);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (s[i].target[0] != '\0')
			at[count++] = (struct fetch_endpoint){ s[i].target, s[i].port };
	if (count == 0)
		fail(h, ERR_NOT_FOUND); /* target ".": federation is not offered */
	else
		succeed(h, at, count);
}

static void
ask_services(struct hunt *h, struct str service)
{
	if (!resolver_services(h->d->cfg.resolver, service, h->name.host, &h->req, on_services, h))
		fail(h, ERR_MEMORY);
}

static void
connect_to(struct hunt *h, uint16_t port)
{
	char host[NAME_MAX_LEN + 1];
	const struct fetch_endpoint at = { host, port };

	snprintf(host, sizeof(host), STR_FMT, STR_ARG(h->name.host));
	if (h->step == DISCOVERY_DIRECT && !h->delegated)
		h->lifetime = LIFETIME_DEFAULT; /* follows from the name alone */
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
	resolver_req_init(&h->req);
	list_init(&h->node);
	list_append(&d->hunts, &h->node);
	if (name_parse(str_of(h->key, h->key_len), &h->name))
		enter(h, discovery_first(&h->name, false));
	else
		fail(h, ERR_SERVER_NAME);
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
	d->cache = fact_cache_new(loop, &facts);
	d->backoff = backoff_new(cfg->negative_ttl, cfg->negative_ttl_max, cfg->max_entries);
	d->unreachable = backoff_new(LIFETIME_MIN, LIFETIME_NONE, cfg->max_entries);
	if (d->cache == NULL || d->backoff == NULL || d->unreachable == NULL) {
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
	backoff_free(d->backoff);
	backoff_free(d->unreachable);
	free(d);
}

struct fact_cache *
discovery_cache(struct discovery *d)
{
	return d->cache;
}
