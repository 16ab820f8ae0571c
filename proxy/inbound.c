/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/inbound.h"

#include <stdio.h>
#include <stdlib.h>

#include "proxy/accept.h"
#include "proxy/outbound/tunnel.h"

/* --- TLS --- */

struct tls_server *
inbound_tls(const struct proxy_conf *conf, struct tls_tickets *tickets, char *why, size_t why_size)
{
	struct tls_identity *ids = calloc(conf->n_services, sizeof(*ids));
	struct tls_server_config cfg = { .identities = ids,
		.n = conf->n_services,
		.fallback = conf->n_services,
		.tls13 = conf->tls13,
		.http2 = conf->http2,
		.ticket_lifetime_s = (long)(conf->ticket_lifetime / 1000) };
	struct tls_server *t;

	if (ids == NULL) {
		snprintf(why, why_size, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < conf->n_services; i++) {
		const struct service_conf *s = &conf->services[i];

		ids[i] = (struct tls_identity){ .name = s->server_name,
			.certificate = s->certificate_pem,
			.key = s->key_pem,
			.hosts = (const char *const *)s->hosts.v,
			.n_hosts = s->hosts.n };
		if (s->is_default)
			cfg.fallback = i;
	}
	t = tls_server_new(&cfg, tickets, why, why_size);
	free(ids);
	return t;
}

/* --- limits --- */

static void
set_limits(struct http_server *s, const struct proxy_conf *c)
{
	uint64_t body = c->client_body_max;

	if (body < c->federation_body_max)
		body = c->federation_body_max;
	s->limits = (struct http_limits){
		.head = { .head_max = c->head_max,
		    .target_max = c->target_max,
		    .fields_max = c->fields_max },
		.body_max = body,
		.request_memory = c->request_memory,
		.handshake_timeout = c->handshake_timeout,
		.head_timeout = c->head_timeout,
		.idle_timeout = c->idle_timeout,
		.body_timeout = c->body_timeout,
		.write_timeout = c->write_timeout,
		.drain_idle_timeout = c->drain_idle_timeout,
		.body_pace = { c->body_rate_min, c->rate_window },
		.write_pace = { c->write_rate_min, c->rate_window },
		.h2 = { .streams_max = (uint32_t)c->h2_streams_max,
		    .stream_window = (uint32_t)c->h2_stream_window,
		    .connection_window = (uint32_t)c->h2_connection_window,
		    .resets_max = c->h2_resets_max,
		    .frames_max = c->h2_frames_max },
	};
}

/* Federations are known by name: what was said about one stays with it. */
static struct federation_view *
carry_views(struct worker *w, const struct proxy_conf *conf)
{
	struct federation_view *views = calloc(conf->n_federations, sizeof(*views));
	const struct proxy_conf *old = w->conf;

	for (size_t i = 0; views != NULL && old != NULL && i < conf->n_federations; i++)
		for (size_t k = 0; k < old->n_federations; k++)
			if (strcmp(conf->federations[i].name, old->federations[k].name) == 0) {
				views[i] = w->federations[k];
				w->federations[k].list = NULL;
				/* Those of the old configuration may count no more. */
				views[i].passports = NULL;
			}
	return views;
}

static void
free_views(struct worker *w)
{
	for (size_t i = 0; w->conf != NULL && w->federations != NULL && i < w->conf->n_federations;
	     i++) {
		snapshot_drop((struct snapshot *)w->federations[i].list);
		snapshot_drop((struct snapshot *)w->federations[i].passports);
	}
	free(w->federations);
	w->federations = NULL;
}

bool
inbound_adopt(struct worker *w, struct proxy_conf *conf, struct tls_staples *staples, char *why,
    size_t why_size)
{
	struct tls_server *tls = inbound_tls(conf, w->tickets, why, why_size);
	struct upstreams *up = tls != NULL ? upstreams_new(w->loop, conf, w->upstreams) : NULL;
	bool out = up != NULL && outward_adopt(w, conf, why, why_size);
	struct federation_view *views = out ? carry_views(w, conf) : NULL;

	if (views == NULL) {
		if (tls != NULL && (up == NULL || out))
			snprintf(why, why_size, "out of memory");
		upstreams_drop(up);
		tls_server_free(tls);
		return false;
	}
	free_views(w);
	upstreams_drop(w->upstreams);
	tls_server_free(w->tls);
	snapshot_drop((struct snapshot *)w->conf);
	w->conf = snapshot_hold(&conf->snap);
	tls_server_set_staples(tls, staples);
	w->tls = tls;
	w->upstreams = up;
	w->federations = views;
	upstreams_adopt(up, conf);
	set_limits(&w->http, conf);
	outward_set_limits(w);
	tunnels_judge(w);
	return true;
}

void
inbound_close(struct worker *w)
{
	accept_close(w);
	free_views(w);
	upstreams_drop(w->upstreams);
	tls_server_free(w->tls);
	snapshot_drop((struct snapshot *)w->conf);
	snapshot_drop((struct snapshot *)w->tickets);
}
