/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/parts.h"

#include "regsvc/keep.h"
#include "regsvc/series.h"

static bool
open_lookups(struct parts *p, struct loop *loop)
{
	p->resolver = lookup_resolver(loop, &p->conf->lookups);
	if (p->resolver != NULL)
		p->fetcher = lookup_fetcher(loop, p->resolver, &p->conf->lookups, NULL);
	return p->fetcher != NULL;
}

static bool
open_store(struct parts *p, const struct parts *old, struct loop *loop)
{
	p->store = keep_open(loop, p->resolver, p->conf, old->store, old->conf);
	return p->store != NULL;
}

/* Who may ask, and what is noted of it. */
static bool
open_gate(struct parts *p, struct loop *loop)
{
	const char *folder = p->conf->service.state_dir;

	p->access = accesslog_new(loop, folder, &p->conf->access_log);
	if (p->access != NULL)
		p->auth = auth_new(loop, p->store, p->access, p->conf);
	if (p->auth != NULL)
		p->manage = manage_new(loop, p->auth, p->certs, folder);
	return p->manage != NULL;
}

static bool
open_trust(struct parts *p, const struct parts *old, struct loop *loop)
{
	const struct regsvc_conf *c = p->conf;

	if (c->passport.anchors == NULL)
		return true;
	p->passport_trust = passport_trust(
	    &c->passport, loop, p->fetcher, &c->lookups, c->service.state_dir, old->passport_trust);
	return p->passport_trust != NULL;
}

/* What lasts is made once; later it stays with the old set until the new one is put in force. */
static bool
open_lasting(struct parts *p, const struct parts *old, struct loop *loop)
{
	if (old->vzd != NULL)
		return true;
	p->vzd = vzd_new(loop);
	p->lists = p->vzd != NULL ? lists_new(loop, p->vzd) : NULL;
	p->certs = p->lists != NULL ? certs_new(loop, p->vzd) : NULL;
	return p->certs != NULL && open_gate(p, loop);
}

bool
parts_open(struct parts *p, struct parts *old, struct loop *loop, struct regsvc_conf *conf)
{
	*p = (struct parts){ .conf = conf };
	if (open_lookups(p, loop) && open_store(p, old, loop) && open_trust(p, old, loop) &&
	    open_lasting(p, old, loop))
		return true;
	log_error("cannot be set up: see the lines above, or out of memory");
	parts_close(p);
	return false;
}

void
parts_adopt(struct parts *p, struct parts *old)
{
	struct regsvc_conf *c = p->conf;
	const struct lists_config lc = { .conf = &c->list,
		.lookups = &c->lookups,
		.state_dir = c->service.state_dir,
		.fetcher = p->fetcher,
		.store = redis_section_on(&c->redis) ? p->store : NULL };
	const struct certs_config cc = {
		.conf = &c->passport, .trust = p->passport_trust, .store = p->store
	};
	struct manage_sources mc = { .store = p->store, .redis = redis_section_on(&c->redis) };

	if (old->vzd != NULL) {
		p->vzd = old->vzd;
		p->lists = old->lists;
		p->certs = old->certs;
		p->access = old->access;
		p->auth = old->auth;
		p->manage = old->manage;
		old->vzd = NULL;
		old->lists = NULL;
		old->certs = NULL;
		old->access = NULL;
		old->auth = NULL;
		old->manage = NULL;
	}
	vzd_adopt(p->vzd, &c->vzd, p->fetcher);
	lists_adopt(p->lists, &lc);
	certs_adopt(p->certs, &cc);
	accesslog_adopt(p->access, &c->access_log);
	auth_adopt(p->auth, p->store, c);
	mc.lists = p->lists;
	manage_adopt(p->manage, &mc);
}

void
parts_close(struct parts *p)
{
	manage_free(p->manage);
	auth_free(p->auth);
	accesslog_free(p->access);
	certs_free(p->certs);
	lists_free(p->lists);
	vzd_free(p->vzd);
	trust_free(p->passport_trust);
	store_free(p->store);
	fetcher_free(p->fetcher);
	if (p->resolver != NULL)
		resolver_free(p->resolver);
	*p = (struct parts){ 0 };
}

void
parts_missing(const struct parts *p, struct buf *out)
{
	lists_missing(p->lists, out);
	auth_missing(p->auth, out);
}

void
parts_refresh(const struct parts *p)
{
	lists_measure(p->lists);
	certs_measure(p->certs);
	metrics_set(S_CERTIFICATE_NOT_AFTER, p->conf->service.tls.not_after);
	auth_measure(p->auth);
}
