/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outside - opened from the resolver up, each asking the one before; closed in the other order.
 */
#include "proxy/outside.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/http/fetch.h"
#include "lib/matrix/discovery.h"
#include "lib/net/resolver.h"
#include "proxy/series.h"

#define PENDING_MAX 512 /* look-ups of one kind under way or waiting */

void
outside_close(struct outside *o)
{
	misses_free(o->misses);
	for (size_t i = 0; i < o->n_links; i++)
		fedlink_close(&o->links[i]);
	free(o->links);
	if (o->health != NULL)
		health_free(o->health);
	redis_free(o->redis);
	if (o->homeserver != NULL)
		homeserver_free(o->homeserver);
	if (o->keyring != NULL)
		keyring_free(o->keyring);
	if (o->destinations != NULL)
		destinations_free(o->destinations);
	if (o->discovery != NULL)
		discovery_free(o->discovery);
	if (o->abroad != o->fetcher)
		fetcher_free(o->abroad);
	if (o->fetcher != NULL)
		fetcher_free(o->fetcher);
	if (o->resolver != NULL)
		resolver_free(o->resolver);
	*o = (struct outside){ 0 };
}

/* Our own homeservers' keys are asked for where the homeservers are, not on the Internet. */
static bool
own_keys(void *arg, struct str name, struct fetch_request *req, char *url, size_t url_size)
{
	const struct proxy_conf *conf = arg;
	const struct service_conf *s = proxy_conf_service_by_name(conf, name);
	char base[256];

	if (s == NULL)
		return false;
	req->local = true;
	req->unix_path = s->upstream.unix_path;
	req->url = url;
	return snprintf(url, url_size, "%s/_matrix/key/v2/server",
		   conf_address_url(&s->upstream, base, sizeof(base))) < (int)url_size;
}

/* The registration service, OCSP and the like are not asked through a proxy on the way to other
 * servers. */
static bool
open_fetchers(struct outside *o, struct loop *loop, const struct proxy_conf *conf)
{
	const struct forward_conf *f = &conf->forward;
	const struct fetch_proxy way = { .host = f->proxy_at.host,
		.port = f->proxy_at.port,
		.authorization = f->proxy_authorization };

	o->fetcher = lookup_fetcher(loop, o->resolver, &conf->lookups, NULL);
	o->abroad = f->proxy != NULL && o->fetcher != NULL
			? lookup_fetcher(loop, o->resolver, &conf->lookups, &way)
			: o->fetcher;
	return o->abroad != NULL;
}

static bool
open_lookups(struct outside *o, struct loop *loop, struct proxy_conf *conf)
{
	struct discovery_config dc = { .max_entries = conf->discovery_max_entries,
		.max_pending = PENDING_MAX,
		.timeout_ms = conf->lookups.timeout,
		.negative_ttl = conf->negative_ttl,
		.negative_ttl_max = conf->negative_ttl_max };
	struct destinations_config sc = { .private_addresses = conf->lookups.private_addresses,
		.by_name = conf->forward.proxy != NULL,
		.max_entries = conf->discovery_max_entries,
		.max_pending = PENDING_MAX,
		.timeout_ms = conf->lookups.timeout,
		.negative_ttl = conf->negative_ttl,
		.negative_ttl_max = conf->negative_ttl_max };
	struct keyring_config kc = { .own = own_keys,
		.own_arg = conf,
		.notaries = (const char *const *)conf->notaries.v,
		.n_notaries = conf->notaries.n,
		.max_entries = conf->keys_max_entries,
		.max_pending = PENDING_MAX,
		.timeout_ms = conf->lookups.timeout,
		.ttl_max = conf->keys_ttl_max,
		.negative_ttl = conf->negative_ttl,
		.negative_ttl_max = conf->negative_ttl_max };

	o->resolver = lookup_resolver(loop, &conf->lookups);
	if (o->resolver == NULL || !open_fetchers(o, loop, conf))
		return false;
	dc.fetcher = o->abroad;
	dc.resolver = o->resolver;
	o->discovery = discovery_new(loop, &dc);
	sc.discovery = o->discovery;
	sc.resolver = o->resolver;
	o->destinations = o->discovery != NULL ? destinations_new(loop, &sc) : NULL;
	kc.fetcher = o->abroad;
	kc.discovery = o->discovery;
	o->keyring = o->destinations != NULL ? keyring_new(loop, &kc) : NULL;
	o->homeserver = o->keyring != NULL ? homeserver_new(loop, o->fetcher, conf) : NULL;
	return o->homeserver != NULL;
}

static void
on_redis(void *arg, enum err why)
{
	(void)arg;
	metrics_set(S_REDIS_UP, why == OK);
	if (why == OK) {
		log_info("redis: connected");
		return;
	}
	metrics_inc(S_REDIS_FAILURES);
	log_warn("redis: no connection: reason=%s: %s; trying again", err_name(why), err_text(why));
}

static bool
open_redis(struct outside *o, struct loop *loop, const struct redis_conf *c)
{
	metrics_set(S_REDIS_UP, 0);
	if (!redis_section_on(c))
		return true;
	o->redis = redis_section_open(loop, o->resolver, c, on_redis, NULL);
	return o->redis != NULL;
}

static bool
open_links(struct outside *o, const struct outside *old, struct loop *loop,
    const struct proxy_conf *conf, const struct fedlink_events *events)
{
	bool ok;

	o->links = calloc(conf->n_federations, sizeof(*o->links));
	if (o->links != NULL)
		o->misses = misses_new(loop, conf, o->links);
	ok = o->misses != NULL;
	for (size_t i = 0; ok && i < conf->n_federations; i++) {
		struct fedlink *l = &o->links[o->n_links++];

		*l = (struct fedlink){ .federation = i, .events = events, .misses = o->misses };
		ok = fedlink_open(l, old->links, old->n_links, loop, o->fetcher, conf);
	}
	return ok;
}

bool
outside_open(struct outside *o, const struct outside *old, struct loop *loop,
    struct proxy_conf *conf, const struct fedlink_events *events, health_fn *health, void *arg)
{
	bool ok = open_lookups(o, loop, conf) && open_redis(o, loop, &conf->redis);

	o->health = ok ? health_new(loop, o->fetcher, conf, health, arg) : NULL;
	ok = o->health != NULL && open_links(o, old, loop, conf, events);
	if (!ok) {
		log_error("look-ups and federation lists cannot be set up; see the lines above, or "
			  "out of memory");
		outside_close(o);
	}
	return ok;
}

void
outside_tell_federations(const struct outside *o)
{
	for (size_t i = 0; i < o->n_links; i++)
		fedlink_tell(&o->links[i]);
}

void
outside_pause_federations(const struct outside *o)
{
	for (size_t i = 0; i < o->n_links; i++)
		fedlink_pause(&o->links[i]);
	misses_give_up(o->misses);
}

void
outside_resume_federations(const struct outside *o)
{
	for (size_t i = 0; i < o->n_links; i++)
		fedlink_resume(&o->links[i]);
}
