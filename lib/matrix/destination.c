/* SPDX-License-Identifier: Apache-2.0 */
/*
 * destination - one `struct search` per key being looked up: first where it points, then the
 * addresses of all its endpoints at once, each in a leg of its own.
 */
#include "lib/matrix/destination.h"

#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/fact/backoff.h"
#include "lib/matrix/destination_int.h"

#define SECOND_MS ((clock_ms)1000)
#define TTL_MIN (5 * SECOND_MS)
#define TTL_MAX (3600 * SECOND_MS)
#define GRACE (2 * 3600 * SECOND_MS)
#define RETRY_MAX (60 * SECOND_MS) /* after an outage of DNS, members are back that soon */
#define HTTPS_PORT 443

struct destinations {
	struct loop *loop;
	struct destinations_config cfg;
	struct fact_cache *cache;
	struct backoff *backoff; /* keys whose names the name servers fail to resolve */
	struct list searches;
};

struct query { /* how a leg is resolved */
	struct search *search;
	struct resolver_req req;
};

struct search {
	struct list node;
	struct destinations *d;
	struct timer deadline;
	struct fact_wait where;
	const struct discovery_target *target; /* held; NULL: the key is a host and port */
	struct server_name host;               /* then */
	size_t n_legs, waiting;
	struct destination_leg *legs;
	struct query *queries; /* as many */
	size_t key_len;
	char key[DESTINATION_KEY_MAX];
};

static struct str
key_of(const struct search *s)
{
	return str_of(s->key, s->key_len);
}

/* One of our own, see destination_key_own(). */
static bool
is_own(const struct search *s)
{
	return s->key[0] == '=';
}

static void
free_search(struct search *s)
{
	for (size_t i = 0; i < s->n_legs; i++)
		resolver_cancel(&s->queries[i].req);
	timer_clear(&s->deadline);
	fact_cancel(&s->where);
	list_remove(&s->node);
	snapshot_drop((struct snapshot *)(uintptr_t)s->target);
	free(s->legs);
	free(s->queries);
	free(s);
}

static void
end(struct search *s, struct fact *f)
{
	struct destinations *d = s->d;
	char key[sizeof(s->key)];
	size_t n = s->key_len;

	memcpy(key, s->key, n);
	free_search(s);
	fact_answer(d->cache, str_of(key, n), f);
}

/* final: what was known before is wrong now. */
static void
fail(struct search *s, enum err err, clock_ms ttl, bool final)
{
	char id[17];
	struct fact *f = fact_negative(err, ttl);

	if (f != NULL)
		f->final = final;
	log_info(
	    "destination: not found server=%s reason=%s", log_id(key_of(s), id), err_name(err));
	end(s, f);
}

static void
fail_for_now(struct search *s, enum err err)
{
	fail(s, err, backoff_fail(s->d->backoff, key_of(s)), false);
}

/* --- the result --- */

static clock_ms
bounded(const struct destinations *d, clock_ms ttl)
{
	return ttl < d->cfg.ttl_min ? d->cfg.ttl_min : ttl > d->cfg.ttl_max ? d->cfg.ttl_max : ttl;
}

/* A leg that failed is tried again soon, even if the others are good for long. */
static clock_ms
lifetime(const struct search *s)
{
	clock_ms now = clock_now(), ttl = s->d->cfg.ttl_max;

	for (size_t i = 0; i < s->n_legs; i++) {
		const struct destination_leg *leg = &s->legs[i];
		clock_ms of_leg =
		    leg->err == OK || leg->none ? leg->ttl_ms : s->d->cfg.negative_ttl;

		if (of_leg < ttl)
			ttl = of_leg;
	}
	if (s->target != NULL) {
		clock_ms until = s->target->fact.usable_until, left = until > now ? until - now : 0;

		if (left < ttl)
			ttl = left;
	}
	return bounded(s->d, ttl);
}

static void
succeed(struct search *s)
{
	struct destination_plan plan = {
		.key = key_of(s), .legs = s->legs, .n_legs = s->n_legs, .tls_name = s->host.host
	};
	struct destination *d;

	if (s->target != NULL) {
		plan.tls_name = str_z(s->target->tls_name);
		plan.host = str_z(s->target->host);
	} else {
		plan.host = str_of(s->key + 1, s->key_len - 1);
		if (s->host.port == HTTPS_PORT)
			plan.host.n -= strlen(":443");
	}
	if (str_has_prefix(plan.tls_name, STR("[")))
		plan.tls_name = str_of(plan.tls_name.p + 1, plan.tls_name.n - 2);
	d = destination_make(&plan);
	if (d != NULL) {
		clock_ms ttl = lifetime(s);

		d->fact.looked_up = clock_now();
		d->fact.usable_until = d->fact.looked_up + ttl;
		d->fact.fresh_until = d->fact.usable_until - ttl / 5;
		d->fact.grace_until = d->fact.usable_until + s->d->cfg.grace;
	}
	backoff_forget(s->d->backoff, key_of(s));
	end(s, d != NULL ? &d->fact : NULL);
}

/* None of the legs leads anywhere.  What may be an outage outweighs what is sure. */
static void
fail_all(struct search *s)
{
	enum err sure = ERR_REMOTE_DNS;
	clock_ms ttl = s->d->cfg.ttl_max;

	for (size_t i = 0; i < s->n_legs; i++) {
		const struct destination_leg *leg = &s->legs[i];

		if (leg->err == ERR_MEMORY) {
			end(s, NULL);
			return;
		}
		if (leg->err != ERR_ADDRESS && !leg->none) {
			fail_for_now(
			    s, leg->err == ERR_TIMEOUT ? ERR_REMOTE_TIMEOUT : ERR_REMOTE_DNS);
			return;
		}
		if (leg->err == ERR_ADDRESS)
			sure = ERR_REMOTE_ADDRESS;
		if (leg->ttl_ms < ttl)
			ttl = leg->ttl_ms;
	}
	fail(s, sure, bounded(s->d, ttl < RETRY_MAX ? ttl : RETRY_MAX), true);
}

static void
judge(struct search *s)
{
	for (size_t i = 0; i < s->n_legs; i++)
		if (s->legs[i].err == OK) {
			succeed(s);
			return;
		}
	fail_all(s);
}

/* --- addresses --- */

static void
on_addrs(void *arg, enum err err, const struct address *addrs, size_t n)
{
	struct query *q = arg;
	struct search *s = q->search;
	struct destination_leg *leg = &s->legs[q - s->queries];

	leg->err = err;
	leg->none = q->req.none;
	leg->ttl_ms = q->req.ttl_ms;
	if (err == OK)
		destination_leg_take(leg, addrs, n, s->d->cfg.private_addresses || is_own(s));
	if (--s->waiting == 0)
		judge(s);
}

/* By name nothing is resolved here; what is an address, or would be the proxy's own machine, is
 * filtered even so. */
static void
look_at_name(struct search *s, struct destination_leg *leg)
{
	leg->ttl_ms = s->d->cfg.ttl_max;
	leg->err =
	    s->d->cfg.private_addresses || address_may_be_public(leg->host) ? OK : ERR_ADDRESS;
}

static bool
resolve(struct search *s, size_t i)
{
	struct destination_leg *leg = &s->legs[i];

	return resolver_addrs(
	    s->d->cfg.resolver, leg->host, leg->port, &s->queries[i].req, on_addrs, &s->queries[i]);
}

static bool
add_legs(struct search *s, size_t n)
{
	s->legs = calloc(n, sizeof(*s->legs));
	s->queries = calloc(n, sizeof(*s->queries));
	if (s->legs == NULL || s->queries == NULL)
		return false;
	s->n_legs = s->waiting = n;
	for (size_t i = 0; i < n; i++) {
		s->queries[i].search = s;
		resolver_req_init(&s->queries[i].req);
	}
	return true;
}

static void
find_addresses(struct search *s)
{
	bool by_name = s->d->cfg.by_name && !is_own(s);

	for (size_t i = 0; i < s->n_legs; i++) {
		if (by_name) {
			look_at_name(s, &s->legs[i]);
		} else if (!resolve(s, i)) {
			end(s, NULL);
			return;
		}
	}
	if (by_name)
		judge(s);
}

/* --- endpoints --- */

/* What discovery could not do, and until when it will not try again, is kept as it is. */
static void
fail_like_discovery(struct search *s, const struct fact *f)
{
	clock_ms now = clock_now(), left = f->fresh_until > now ? f->fresh_until - now : 0;
	enum err err = f->err == ERR_DNS         ? ERR_REMOTE_DNS
		       : f->err == ERR_NOT_FOUND ? ERR_REMOTE_OFF
		       : f->err == ERR_TIMEOUT   ? ERR_REMOTE_TIMEOUT
						 : f->err;

	fail(s, err, left, f->final);
}

static void
on_target(void *arg, const struct fact *f)
{
	struct search *s = arg;

	if (f->err != OK) {
		fail_like_discovery(s, f);
		return;
	}
	s->target = snapshot_hold((struct snapshot *)(uintptr_t)&f->snap);
	if (!add_legs(s, s->target->n)) {
		end(s, NULL);
		return;
	}
	for (size_t i = 0; i < s->n_legs; i++) {
		s->legs[i].host = str_z(s->target->at[i].host);
		s->legs[i].port = s->target->at[i].port;
	}
	find_addresses(s);
}

static void
find_host(struct search *s)
{
	if (!name_parse(str_of(s->key + 1, s->key_len - 1), &s->host) || s->host.port == 0) {
		fail(s, ERR_SERVER_NAME, s->d->cfg.ttl_max, true);
		return;
	}
	if (!add_legs(s, 1)) {
		end(s, NULL);
		return;
	}
	s->legs[0].host = s->host.host;
	s->legs[0].port = s->host.port;
	find_addresses(s);
}

static void
on_deadline(void *arg)
{
	fail_for_now(arg, ERR_REMOTE_TIMEOUT);
}

static void
look_up(void *arg, struct fact_cache *c, struct str key, const void *input)
{
	struct destinations *d = arg;
	struct search *s = key.n <= sizeof(s->key) ? calloc(1, sizeof(*s)) : NULL;

	(void)input;
	if (s == NULL) {
		fact_answer(c, key,
		    fact_negative(key.n <= sizeof(s->key) ? ERR_MEMORY : ERR_SERVER_NAME, 0));
		return;
	}
	s->d = d;
	s->key_len = key.n;
	memcpy(s->key, key.p, key.n);
	timer_init(&s->deadline, on_deadline, s);
	fact_wait_init(&s->where);
	list_init(&s->node);
	list_append(&d->searches, &s->node);
	timer_set(d->loop, &s->deadline, d->cfg.timeout_ms);
	if (key.n > 0 && (key.p[0] == '@' || key.p[0] == '='))
		find_host(s);
	else
		fact_get(
		    discovery_cache(d->cfg.discovery), key_of(s), NULL, 0, &s->where, on_target, s);
}

/* --- the cache --- */

static void
set_defaults(struct destinations_config *cfg)
{
	if (cfg->ttl_min == 0)
		cfg->ttl_min = TTL_MIN;
	if (cfg->ttl_max == 0)
		cfg->ttl_max = TTL_MAX;
	if (cfg->grace == 0)
		cfg->grace = GRACE;
}

struct destinations *
destinations_new(struct loop *loop, const struct destinations_config *cfg)
{
	struct destinations *d = calloc(1, sizeof(*d));
	const struct fact_config facts = { .name = "destinations",
		.max_entries = cfg->max_entries,
		.max_pending = cfg->max_pending,
		.look_up = look_up, /* which ends by itself */
		.arg = d };

	if (d == NULL)
		return NULL;
	d->loop = loop;
	d->cfg = *cfg;
	set_defaults(&d->cfg);
	list_init(&d->searches);
	d->cache = fact_cache_new(loop, &facts);
	d->backoff = backoff_new(cfg->negative_ttl,
	    cfg->negative_ttl_max < RETRY_MAX ? cfg->negative_ttl_max : RETRY_MAX,
	    cfg->max_entries);
	if (d->cache == NULL || d->backoff == NULL) {
		destinations_free(d);
		return NULL;
	}
	return d;
}

void
destinations_free(struct destinations *d)
{
	struct list *node;

	if (d == NULL)
		return;
	fact_cache_free(d->cache);
	while ((node = list_first(&d->searches)) != NULL)
		free_search(LIST_ENTRY(node, struct search, node));
	backoff_free(d->backoff);
	free(d);
}

struct fact_cache *
destinations_cache(struct destinations *d)
{
	return d->cache;
}
