/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/outbound/outward.h"

#include <stdio.h>

#include "lib/net/minter.h"
#include "proxy/accept.h"
#include "proxy/outbound/door.h"
#include "proxy/outbound/remotes.h"
#include "proxy/outbound/tunnel.h"
#include "proxy/series.h"
#include "proxy/worker.h"

static void
on_minted(void *arg)
{
	(void)arg;
	metrics_inc(S_LEAVES_MINTED);
}

static void
on_closed(struct http_server *s, const struct http_conn *c)
{
	struct worker *w = s->owner;

	accept_closed(w, c);
	worker_look_drained(w);
}

void
outward_init(struct worker *w)
{
	struct outward *o = &w->out;

	list_init(&o->tunnels);
	http_server_init(&o->plain, w->loop);
	o->plain.request = door_open;
	o->plain.closed = on_closed;
	o->plain.owner = w;
	http_server_init(&o->inner, w->loop);
	o->inner.request = tunnel_request;
	o->inner.closed = tunnel_closed;
	o->inner.owner = w;
}

void
outward_set_limits(struct worker *w)
{
	struct outward *o = &w->out;

	o->plain.limits = w->http.limits;
	o->inner.limits = w->http.limits;
	o->plain.limits.head.proxy = true;
}

static struct mint *
make_mint(const struct proxy_conf *conf)
{
	const struct mint_config cfg = { .lifetime = conf->forward.leaf_lifetime,
		.max_entries = conf->forward.leaves_max,
		.minted = on_minted };

	return mint_new(conf->forward.ca, &cfg);
}

static bool
same_list(const struct conf_list *a, const struct conf_list *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return a->n == b->n;
}

static bool
same_hosts(const struct lookup_conf *a, const struct lookup_conf *b)
{
	for (size_t i = 0; i < a->n_hosts && i < b->n_hosts; i++)
		if (strcmp(a->hosts[i].name, b->hosts[i].name) != 0 ||
		    strcmp(a->hosts[i].address, b->hosts[i].address) != 0)
			return false;
	return a->n_hosts == b->n_hosts;
}

/* Where others are was found by the old settings: what those allowed must not go on. */
static void
forget_places(struct worker *w, const struct proxy_conf *next)
{
	const struct proxy_conf *old = w->conf;

	if (old == NULL || (old->lookups.private_addresses == next->lookups.private_addresses &&
			       same_list(&old->lookups.nameservers, &next->lookups.nameservers) &&
			       same_hosts(&old->lookups, &next->lookups) &&
			       str_eq(old->forward.proxy_key, next->forward.proxy_key)))
		return;
	fact_clear(w->destinations);
	fact_clear(w->owners);
}

bool
outward_adopt(struct worker *w, const struct proxy_conf *conf, char *why, size_t why_size)
{
	struct outward *o = &w->out;
	struct mint *mint = conf->forward.ca != NULL ? make_mint(conf) : NULL;
	bool ok = conf->forward.ca == NULL || mint != NULL;

	if (ok && o->remotes == NULL) {
		o->remotes = remotes_new(w->loop, conf);
		ok = o->remotes != NULL;
	} else if (ok) {
		ok = remotes_adopt(o->remotes, conf);
	}
	if (!ok) {
		snprintf(why, why_size, "out of memory");
		mint_free(mint);
		return false;
	}
	forget_places(w, conf);
	mint_free(o->mint);
	o->mint = mint;
	return true;
}

void
outward_drain(struct worker *w)
{
	http_server_drain(&w->out.plain);
	http_server_drain(&w->out.inner);
}

bool
outward_busy(const struct worker *w)
{
	return w->out.plain.n_conns > 0 || w->out.n_tunnels > 0;
}

void
outward_cut(struct worker *w)
{
	http_server_fini(&w->out.plain);
	http_server_fini(&w->out.inner);
	tunnels_cut(w);
}

void
outward_close(struct worker *w)
{
	remotes_free(w->out.remotes);
	mint_free(w->out.mint);
}
