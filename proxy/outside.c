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

static void
on_list(void *arg, const struct fedlist *list, int64_t as_of)
{
	const struct outside_list *l = arg;

	l->fn(l->arg, l->federation, list, as_of);
}

static void
list_close(struct outside_list *l)
{
	if (l->source != NULL)
		fedsource_free(l->source);
	trust_free(l->trust);
	if (l->store != NULL)
		fedstore_free(l->store);
}

/* What is held already, or else kept on disk. */
static void
list_restore(struct outside_list *l, const struct outside *old, const struct proxy_conf *conf)
{
	enum err err;

	for (size_t i = 0; i < old->n_lists; i++)
		if (fedstore_inherit(l->store, old->lists[i].store))
			return;
	err = fedstore_restore(l->store);
	if (err != OK && err != ERR_NOT_FOUND)
		log_warn("federation %s: the list kept in %s is not used: %s",
		    conf->federations[l->federation].name, conf->state_dir, err_text(err));
}

static void
on_trust(void *arg, enum trust_event event)
{
	(void)arg;
	metrics_inc(S_TRUST + event);
}

/* Whom the list's signer must lead to, and who judges that: *issuers is a reference or NULL. */
static bool
trust_open(struct outside_list *l, struct loop *loop, struct fetcher *fetcher,
    const struct proxy_conf *conf, X509_STORE **issuers)
{
	const struct federation_conf *fc = &conf->federations[l->federation];
	struct trust_config cfg = trust_settings(&fc->list_trust);

	*issuers = NULL;
	if (!trust_wanted(&fc->list_trust))
		return true;
	cfg.name = fc->name;
	cfg.client_id = conf->lookups.client_id;
	cfg.state_dir = conf->state_dir;
	cfg.anchors = fc->anchors;
	cfg.fetcher = fetcher;
	cfg.timeout = conf->lookups.timeout;
	cfg.count = on_trust;
	l->trust = trust_new(loop, &cfg);
	if (l->trust != NULL)
		*issuers = trust_store(l->trust);
	return *issuers != NULL;
}

static bool
list_open(struct outside_list *l, const struct outside *old, struct loop *loop,
    struct fetcher *fetcher, const struct proxy_conf *conf)
{
	const struct federation_conf *fc = &conf->federations[l->federation];
	char stem[128];
	struct fedstore_config sc = {
		.state_dir = conf->state_dir,
		.name = stem,
		.anchors = fc->anchors,
		.signer_role = fc->list_signer_role,
		.signer_cn = fc->list_signer_cn,
		.max_bytes = fc->list_max_bytes,
		.max_entries = fc->list_max_entries,
	};
	struct fedsource_config src = {
		.name = fc->name,
		.file = fc->list_file,
		.url = fc->list_url,
		.fetcher = fetcher,
		.interval = fc->list_interval,
		.timeout = conf->lookups.timeout,
		.max_bytes = fc->list_max_bytes,
		.on_change = on_list,
		.arg = l,
	};

	snprintf(stem, sizeof(stem), "federation-%s", fc->name);
	if (!trust_open(l, loop, fetcher, conf, &sc.issuers))
		return false;
	l->store = fedstore_new(&sc);
	X509_STORE_free(sc.issuers);
	if (l->store == NULL)
		return false;
	list_restore(l, old, conf);
	if (fc->list_ca_file != NULL) {
		src.anchors = fetch_anchors(fc->list_ca_file, true);
		if (src.anchors == NULL)
			return false;
	}
	src.store = l->store;
	src.trust = l->trust;
	l->source = fedsource_new(loop, &src);
	X509_STORE_free(src.anchors);
	return l->source != NULL;
}

void
outside_close(struct outside *o)
{
	for (size_t i = 0; i < o->n_lists; i++)
		list_close(&o->lists[i]);
	free(o->lists);
	if (o->health != NULL)
		health_free(o->health);
	redis_free(o->redis);
	if (o->homeserver != NULL)
		homeserver_free(o->homeserver);
	if (o->keyring != NULL)
		keyring_free(o->keyring);
	if (o->discovery != NULL)
		discovery_free(o->discovery);
	if (o->fetcher != NULL)
		fetcher_free(o->fetcher);
	if (o->resolver != NULL)
		resolver_free(o->resolver);
	*o = (struct outside){ 0 };
}

static bool
open_lookups(struct outside *o, struct loop *loop, struct proxy_conf *conf)
{
	struct discovery_config dc = { .max_entries = conf->discovery_max_entries,
		.max_pending = PENDING_MAX,
		.timeout_ms = conf->lookups.timeout,
		.negative_ttl = conf->negative_ttl,
		.negative_ttl_max = conf->negative_ttl_max };
	struct keyring_config kc = { .notaries = (const char *const *)conf->notaries.v,
		.n_notaries = conf->notaries.n,
		.max_entries = conf->keys_max_entries,
		.max_pending = PENDING_MAX,
		.timeout_ms = conf->lookups.timeout,
		.ttl_max = conf->keys_ttl_max,
		.negative_ttl = conf->negative_ttl,
		.negative_ttl_max = conf->negative_ttl_max };

	o->resolver = lookup_resolver(loop, &conf->lookups);
	o->fetcher = o->resolver != NULL ? lookup_fetcher(loop, o->resolver, &conf->lookups) : NULL;
	dc.fetcher = o->fetcher;
	dc.resolver = o->resolver;
	o->discovery = o->fetcher != NULL ? discovery_new(loop, &dc) : NULL;
	kc.fetcher = o->fetcher;
	kc.discovery = o->discovery;
	o->keyring = o->discovery != NULL ? keyring_new(loop, &kc) : NULL;
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

bool
outside_open(struct outside *o, const struct outside *old, struct loop *loop,
    struct proxy_conf *conf, outside_fn *fn, health_fn *health, void *arg)
{
	bool ok = open_lookups(o, loop, conf) && open_redis(o, loop, &conf->redis);

	o->health = ok ? health_new(loop, o->fetcher, conf, health, arg) : NULL;
	ok = o->health != NULL;

	o->lists = calloc(conf->n_federations, sizeof(*o->lists));
	ok = ok && o->lists != NULL;
	for (size_t i = 0; ok && i < conf->n_federations; i++) {
		struct outside_list *l = &o->lists[o->n_lists++];

		*l = (struct outside_list){ .federation = i, .fn = fn, .arg = arg };
		ok = list_open(l, old, loop, o->fetcher, conf);
	}
	if (!ok) {
		log_error("look-ups and federation lists cannot be set up; see the lines above, or "
			  "out of memory");
		outside_close(o);
	}
	return ok;
}

void
outside_tell_lists(const struct outside *o)
{
	for (size_t i = 0; i < o->n_lists; i++) {
		struct outside_list *l = &o->lists[i];

		on_list(l, fedstore_list(l->store), fedstore_as_of(l->store));
	}
}

void
outside_pause_lists(const struct outside *o)
{
	for (size_t i = 0; i < o->n_lists; i++)
		fedsource_pause(o->lists[i].source);
}

void
outside_resume_lists(const struct outside *o)
{
	for (size_t i = 0; i < o->n_lists; i++)
		fedsource_resume(o->lists[i].source);
}
