/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/parts.h"

#include "regsvc/keep.h"
#include "regsvc/series.h"

static bool
open_lookups(struct parts *p, struct loop *loop)
{
	p->resolver = lookup_resolver(loop, &p->conf->lookups);
	if (p->resolver != NULL)
		p->fetcher = lookup_fetcher(loop, p->resolver, &p->conf->lookups);
	return p->fetcher != NULL;
}

static bool
open_store(struct parts *p, const struct parts *old, struct loop *loop)
{
	p->store = keep_open(loop, p->resolver, p->conf, old->store, old->conf);
	return p->store != NULL;
}

bool
parts_open(struct parts *p, struct parts *old, struct loop *loop, struct regsvc_conf *conf)
{
	*p = (struct parts){ .conf = conf };
	if (open_lookups(p, loop) && open_store(p, old, loop))
		return true;
	log_error("cannot be set up: see the lines above, or out of memory");
	parts_close(p);
	return false;
}

void
parts_close(struct parts *p)
{
	store_free(p->store);
	fetcher_free(p->fetcher);
	if (p->resolver != NULL)
		resolver_free(p->resolver);
	*p = (struct parts){ 0 };
}

void
parts_missing(const struct parts *p, struct buf *out)
{
	(void)p;
	(void)out;
}

void
parts_refresh(const struct parts *p)
{
	metrics_set(S_CERTIFICATE_NOT_AFTER, p->conf->tls.not_after);
}
