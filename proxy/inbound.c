/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/inbound.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "proxy/accept.h"

/* --- TLS --- */

struct tls_server *
inbound_tls(const struct proxy_conf *conf, struct tls_tickets *tickets, char *why, size_t why_size)
{
	struct tls_identity *ids = calloc(conf->n_services, sizeof(*ids));
	struct tls_server_config cfg = { .identities = ids,
		.n = conf->n_services,
		.fallback = conf->n_services,
		.tls13 = conf->tls13,
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
			.ocsp = s->ocsp_der,
			.hosts = (const char *const *)s->hosts.v,
			.n_hosts = s->hosts.n };
		if (s->is_default)
			cfg.fallback = i;
	}
	t = tls_server_new(&cfg, tickets, why, why_size);
	free(ids);
	return t;
}

/* --- upstream pools --- */

static socklen_t
upstream_address(const struct conf_address *a, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	struct sockaddr_un *un = (struct sockaddr_un *)out;

	memset(out, 0, sizeof(*out));
	if (a->unix_path != NULL) {
		un->sun_family = AF_UNIX;
		snprintf(un->sun_path, sizeof(un->sun_path), "%s", a->unix_path);
		return sizeof(*un);
	}
	if (inet_pton(AF_INET, a->host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(a->port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, a->host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(a->port);
		return sizeof(*v6);
	}
	return 0;
}

static struct pool *
make_pool(struct worker *w, const struct proxy_conf *c, const struct service_conf *s)
{
	struct pool_config cfg = {
		.connections_max = c->upstream_connections_max,
		.idle_max = c->upstream_idle_max,
		.queue_max = c->upstream_queue_max,
		.connect_timeout = c->upstream_connect_timeout,
		.idle_timeout = c->upstream_idle_timeout,
		.queue_timeout = c->upstream_queue_timeout,
		/* A head must fit, and a piece behind it. */
		.buffer_max = c->relay_buffer + c->head_max,
	};

	cfg.address_len = upstream_address(&s->upstream, &cfg.address);
	return cfg.address_len > 0 ? pool_new(w->loop, &cfg) : NULL;
}

struct pools *
pools_hold(struct pools *p)
{
	p->refs++;
	return p;
}

void
pools_drop(struct pools *p)
{
	if (p == NULL || --p->refs > 0)
		return;
	for (size_t i = 0; i < p->n; i++)
		pool_free(p->of[i]);
	free(p);
}

static struct pools *
make_pools(struct worker *w, const struct proxy_conf *c)
{
	struct pools *pools = calloc(1, sizeof(*pools) + c->n_services * sizeof(pools->of[0]));

	if (pools == NULL)
		return NULL;
	pools->refs = 1;
	for (; pools->n < c->n_services; pools->n++) {
		pools->of[pools->n] = make_pool(w, c, &c->services[pools->n]);
		if (pools->of[pools->n] == NULL) {
			pools_drop(pools);
			return NULL;
		}
	}
	return pools;
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
			}
	return views;
}

static void
free_views(struct worker *w)
{
	for (size_t i = 0; w->conf != NULL && w->federations != NULL && i < w->conf->n_federations;
	     i++)
		snapshot_drop((struct snapshot *)w->federations[i].list);
	free(w->federations);
	w->federations = NULL;
}

bool
inbound_adopt(struct worker *w, struct proxy_conf *conf, char *why, size_t why_size)
{
	struct tls_server *tls = inbound_tls(conf, w->tickets, why, why_size);
	struct pools *pools = tls != NULL ? make_pools(w, conf) : NULL;
	struct federation_view *views = pools != NULL ? carry_views(w, conf) : NULL;

	if (views == NULL) {
		if (tls != NULL)
			snprintf(why, why_size, "out of memory");
		pools_drop(pools);
		tls_server_free(tls);
		return false;
	}
	free_views(w);
	pools_drop(w->pools);
	tls_server_free(w->tls);
	snapshot_drop((struct snapshot *)w->conf);
	w->conf = snapshot_hold(&conf->snap);
	w->tls = tls;
	w->pools = pools;
	w->federations = views;
	set_limits(&w->http, conf);
	return true;
}

void
inbound_close(struct worker *w)
{
	accept_stop(w, false);
	free_views(w);
	pools_drop(w->pools);
	tls_server_free(w->tls);
	snapshot_drop((struct snapshot *)w->conf);
	snapshot_drop((struct snapshot *)w->tickets);
}
