/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/fedlink.h"

#include <stdio.h>

#include "lib/base/log.h"
#include "proxy/series.h"

/* --- news --- */

static void
on_list(void *arg, const struct fedlist *list, int64_t as_of)
{
	const struct fedlink *l = arg;

	l->events->list(l->events->arg, l->federation, list, as_of);
}

static void
on_looked(void *arg, enum err err)
{
	const struct fedlink *l = arg;

	misses_looked(l->misses, l->federation, err);
}

static void
on_passports(void *arg, struct passport_trust *trust)
{
	const struct fedlink *l = arg;

	l->events->passports(l->events->arg, l->federation, trust);
}

static void
on_asked(void *arg, struct str x5u, enum err err)
{
	const struct fedlink *l = arg;

	misses_asked(l->misses, l->federation, x5u, err);
}

static void
on_news(void *arg, const struct regnews *news)
{
	const struct fedlink *l = arg;
	struct fedsource_state st = fedsource_state(l->source);

	if (news->back || st.outdated || news->outdated || st.error != OK ||
	    news->version != st.version)
		fedsource_announced(l->source, news->version);
	if (l->certs != NULL)
		regcerts_announced(l->certs, news->certificates);
}

/* --- the list --- */

/* What is held already, or else kept on disk.  Whether it is known to be outdated. */
static bool
restore_list(struct fedlink *l, const struct fedlink *former, const struct proxy_conf *conf)
{
	enum err err;

	if (former != NULL && fedstore_inherit(l->store, former->store))
		return fedsource_state(former->source).outdated;
	err = fedstore_restore(l->store);
	if (err != OK && err != ERR_NOT_FOUND)
		log_warn("federation %s: the list kept in %s is not used: %s",
		    conf->federations[l->federation].name, conf->state_dir, err_text(err));
	return false;
}

static void
on_trust(void *arg, enum trust_event event)
{
	(void)arg;
	metrics_inc(S_TRUST + event);
}

static struct trust *
new_trust(struct loop *loop, struct fetcher *fetcher, const struct proxy_conf *conf,
    const char *name, const struct trust_conf *tc, X509_STORE *anchors, const struct trust *from)
{
	struct trust_config cfg = trust_settings(tc);

	cfg.name = name;
	cfg.from = from;
	cfg.client_id = conf->lookups.client_id;
	cfg.state_dir = conf->state_dir;
	cfg.anchors = anchors;
	cfg.fetcher = fetcher;
	cfg.timeout = conf->lookups.timeout;
	cfg.count = on_trust;
	return trust_new(loop, &cfg);
}

/* Whom the list's signer must lead to, and who judges that: *issuers is a reference or NULL. */
static bool
open_trust(struct fedlink *l, const struct fedlink *former, struct loop *loop,
    struct fetcher *fetcher, const struct proxy_conf *conf, X509_STORE **issuers)
{
	const struct federation_conf *fc = &conf->federations[l->federation];

	*issuers = NULL;
	if (!trust_wanted(&fc->list_trust))
		return true;
	l->trust = new_trust(loop, fetcher, conf, fc->name, &fc->list_trust, fc->anchors,
	    former != NULL ? former->trust : NULL);
	if (l->trust != NULL)
		*issuers = trust_store(l->trust);
	return *issuers != NULL;
}

/* The link of the same federation that was in force until now; NULL: there is none. */
static const struct fedlink *
former_of(const struct fedlink *old, size_t n, const char *stem)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(fedstore_config(old[i].store)->name, stem) == 0)
			return &old[i];
	return NULL;
}

static bool
open_store(struct fedlink *l, const struct fedlink *former, const char *stem, struct loop *loop,
    struct fetcher *fetcher, const struct proxy_conf *conf)
{
	const struct federation_conf *fc = &conf->federations[l->federation];
	struct fedstore_config sc = {
		.state_dir = conf->state_dir,
		.name = stem,
		.anchors = fc->anchors,
		.signer_role = fc->list_signer_role,
		.signer_cn = fc->list_signer_cn,
		.max_bytes = fc->list_max_bytes,
		.max_entries = fc->list_max_entries,
	};

	if (!open_trust(l, former, loop, fetcher, conf, &sc.issuers))
		return false;
	l->store = fedstore_new(&sc);
	X509_STORE_free(sc.issuers);
	return l->store != NULL;
}

static bool
open_source(struct fedlink *l, struct loop *loop, struct fetcher *fetcher,
    const struct proxy_conf *conf, bool outdated)
{
	const struct federation_conf *fc = &conf->federations[l->federation];
	bool regsvc = fc->list_source == LIST_REGSVC;
	struct fedsource_config src = {
		.name = fc->name,
		.file = fc->list_file,
		.url = fc->list_url,
		.client = regsvc ? l->client : NULL,
		.fetcher = fetcher,
		.store = l->store,
		.trust = l->trust,
		.interval = fc->list_interval,
		.trust_retry = fc->list_trust.retry,
		.timeout = conf->lookups.timeout,
		.max_bytes = fc->list_max_bytes,
		.outdated_wait = fc->regsvc.outdated_wait,
		.outdated = regsvc && outdated,
		.on_change = on_list,
		.on_looked = on_looked,
		.arg = l,
	};

	if (fc->list_ca_file != NULL) {
		src.anchors = fetch_anchors(fc->list_ca_file, true);
		if (src.anchors == NULL)
			return false;
	}
	l->source = fedsource_new(loop, &src);
	X509_STORE_free(src.anchors);
	return l->source != NULL;
}

/* --- the registration service --- */

static bool
open_client(
    struct fedlink *l, struct loop *loop, struct fetcher *fetcher, const struct federation_conf *fc)
{
	if (fc->list_source != LIST_REGSVC && fc->passport_source != PASSPORT_REGSVC)
		return true;
	l->client = regclient_new(loop, fetcher, &fc->regsvc);
	return l->client != NULL;
}

/* Who judges the revocation of the certificates. */
static bool
open_certs_trust(struct fedlink *l, const struct fedlink *former, struct loop *loop,
    struct fetcher *fetcher, const struct proxy_conf *conf)
{
	const struct federation_conf *fc = &conf->federations[l->federation];
	char name[128];

	if (!trust_wanted(&fc->passport_trust))
		return true;
	/* No federation's name has a dot. */
	snprintf(name, sizeof(name), "%s.passport", fc->name);
	l->certs_trust = new_trust(loop, fetcher, conf, name, &fc->passport_trust,
	    fc->passport_anchor_store, former != NULL ? former->certs_trust : NULL);
	return l->certs_trust != NULL;
}

static bool
open_certs(struct fedlink *l, const struct fedlink *former, struct loop *loop,
    struct fetcher *fetcher, const struct proxy_conf *conf)
{
	const struct federation_conf *fc = &conf->federations[l->federation];
	struct regcerts_config cc = { .client = l->client,
		.name = fc->name,
		.state_dir = conf->state_dir,
		.anchors = fc->passport_anchor_store,
		.files = fc->passports,
		.interval = fc->passport_interval,
		.ttl = fc->passport_ttl,
		.max = fc->passport_max,
		.on_change = on_passports,
		.on_asked = on_asked,
		.arg = l };

	if (fc->passport_source != PASSPORT_REGSVC)
		return true;
	if (!open_certs_trust(l, former, loop, fetcher, conf))
		return false;
	cc.trust = l->certs_trust;
	l->certs = regcerts_new(loop, &cc);
	return l->certs != NULL;
}

static bool
open_watch(struct fedlink *l, struct loop *loop, const struct federation_conf *fc)
{
	const struct regwatch_config wc = {
		.client = l->client, .name = fc->name, .on_news = on_news, .arg = l
	};

	if (l->client == NULL)
		return true;
	l->watch = regwatch_new(loop, &wc);
	return l->watch != NULL;
}

/* --- the link --- */

bool
fedlink_open(struct fedlink *l, const struct fedlink *old, size_t n, struct loop *loop,
    struct fetcher *fetcher, const struct proxy_conf *conf)
{
	const struct federation_conf *fc = &conf->federations[l->federation];
	const struct fedlink *former;
	char stem[128];
	bool outdated;

	snprintf(stem, sizeof(stem), "federation-%s", fc->name);
	former = former_of(old, n, stem);
	if (!open_store(l, former, stem, loop, fetcher, conf))
		return false;
	outdated = restore_list(l, former, conf);
	return open_client(l, loop, fetcher, fc) && open_source(l, loop, fetcher, conf, outdated) &&
	       open_certs(l, former, loop, fetcher, conf) && open_watch(l, loop, fc);
}

void
fedlink_close(struct fedlink *l)
{
	regwatch_free(l->watch);
	regcerts_free(l->certs);
	fedsource_free(l->source);
	regclient_free(l->client);
	trust_free(l->trust);
	trust_free(l->certs_trust);
	fedstore_free(l->store);
}

void
fedlink_tell(const struct fedlink *l)
{
	l->events->list(l->events->arg, l->federation, fedstore_list(l->store),
	    fedsource_state(l->source).as_of);
	l->events->passports(
	    l->events->arg, l->federation, l->certs != NULL ? regcerts_trust(l->certs) : NULL);
}

void
fedlink_pause(const struct fedlink *l)
{
	if (l->watch != NULL)
		regwatch_pause(l->watch);
	if (l->certs != NULL)
		regcerts_pause(l->certs);
	fedsource_pause(l->source);
	if (l->trust != NULL)
		trust_pause(l->trust);
	if (l->certs_trust != NULL)
		trust_pause(l->certs_trust);
}

void
fedlink_resume(const struct fedlink *l)
{
	if (l->trust != NULL)
		trust_resume(l->trust);
	if (l->certs_trust != NULL)
		trust_resume(l->certs_trust);
	fedsource_resume(l->source);
	if (l->certs != NULL)
		regcerts_resume(l->certs);
	if (l->watch != NULL)
		regwatch_resume(l->watch);
}

bool
fedlink_list_is_asked(const struct fedlink *l)
{
	return fedsource_busy(l->source);
}

bool
fedlink_ask_list(const struct fedlink *l)
{
	return fedsource_ask(l->source);
}

bool
fedlink_ask_x5u(const struct fedlink *l, struct str x5u)
{
	return l->certs != NULL && regcerts_ask(l->certs, x5u);
}
