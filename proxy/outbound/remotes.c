/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/outbound/remotes.h"

#include <sodium.h>
#include <stdlib.h>

#include "lib/base/hash.h"
#include "lib/net/tlsclient.h"
#include "proxy/outbound/place.h"
#include "proxy/series.h"

struct remote {
	struct hash_node by_key;
	struct list node;
	struct remotes *of; /* NULL: no longer in the table */
	unsigned refs;      /* one is the table's */
	struct place place;
	struct connector_target to;
	char *authorization; /* for a proxy, or NULL */
	struct pool *pool;
};

struct remotes {
	struct loop *loop;
	struct hash by_key;
	struct list all; /* last used first */
	size_t n, max;
	struct pool_shared idle;
	struct pool_config limits;
	clock_ms attempt_delay, timeout;
	X509_STORE *anchors;
	SSL_CTX *tls;        /* made when it is needed first; NULL: not yet */
	char *authorization; /* for a proxy, or NULL */
};

/* --- counting --- */

static void
on_count(enum pool_count what, int n)
{
	static const enum series series[POOL_COUNTS] = {
		[POOL_BUSY] = S_REMOTE_BUSY,
		[POOL_IDLE] = S_REMOTE_IDLE,
		[POOL_QUEUED] = S_REMOTE_QUEUED,
		[POOL_QUEUE_FULL] = S_REMOTE_QUEUE_FULL,
		[POOL_QUEUE_TIMEOUT] = S_REMOTE_QUEUE_TIMEOUT,
		[POOL_CONNECT_FAILED] = S_REMOTE_FAILED_CONNECT,
		[POOL_CONNECT_TIMEOUT] = S_REMOTE_FAILED_TIMEOUT,
		[POOL_CONNECT_PROXY] = S_REMOTE_FAILED_PROXY,
		[POOL_CONNECT_TLS] = S_REMOTE_FAILED_TLS,
		[POOL_CONNECT_TLS_NAME] = S_REMOTE_FAILED_TLS_NAME,
		[POOL_CONNECT_TLS_CHAIN] = S_REMOTE_FAILED_TLS_CHAIN,
		[POOL_CONNECT_TLS_EXPIRED] = S_REMOTE_FAILED_TLS_EXPIRED,
	};

	metrics_add(series[what], n);
}

void
remote_count(enum err why)
{
	static const struct {
		enum err why;
		enum series series;
	} classes[] = {
		{ ERR_REMOTE_DNS, S_REMOTE_FAILED_DNS },
		{ ERR_REMOTE_ADDRESS, S_REMOTE_FAILED_DNS },
		{ ERR_REMOTE_OFF, S_REMOTE_FAILED_DNS },
		{ ERR_REMOTE_CONNECT, S_REMOTE_FAILED_CONNECT },
		{ ERR_REMOTE_TIMEOUT, S_REMOTE_FAILED_TIMEOUT },
		{ ERR_REMOTE_PROXY, S_REMOTE_FAILED_PROXY },
		{ ERR_REMOTE_TLS, S_REMOTE_FAILED_TLS },
		{ ERR_REMOTE_TLS_NAME, S_REMOTE_FAILED_TLS_NAME },
		{ ERR_REMOTE_TLS_CHAIN, S_REMOTE_FAILED_TLS_CHAIN },
		{ ERR_REMOTE_TLS_EXPIRED, S_REMOTE_FAILED_TLS_EXPIRED },
	};

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (classes[i].why == why)
			metrics_inc(classes[i].series);
}

/* --- one of them --- */

static void
wipe(char *secret)
{
	if (secret != NULL)
		sodium_memzero(secret, strlen(secret));
	free(secret);
}

void
remote_drop(struct remote *m)
{
	if (m == NULL || --m->refs > 0)
		return;
	pool_free(m->pool);
	SSL_CTX_free(m->to.tls);
	wipe(m->authorization);
	place_fini(&m->place);
	free(m);
}

struct remote *
remote_hold(struct remote *m)
{
	m->refs++;
	return m;
}

struct pool *
remote_pool(const struct remote *m)
{
	return m->pool;
}

const struct connector_target *
remote_target(const struct remote *m)
{
	return &m->to;
}

static bool
is_used(const struct remote *m)
{
	return m->refs > 1;
}

/* It leaves the table; who holds it finishes with it. */
static void
retire(struct remote *m)
{
	struct remotes *r = m->of;
	struct pool_config limits = r->limits;

	limits.idle_max = 0;
	pool_set_limits(m->pool, &limits);
	hash_remove(&r->by_key, &m->by_key);
	list_remove(&m->node);
	r->n--;
	metrics_add(S_REMOTES, -1);
	m->of = NULL;
	remote_drop(m);
}

static bool
set_target(struct remotes *r, struct remote *m)
{
	m->to = (struct connector_target){ .at = m->place.at,
		.n = m->place.n,
		.tls_name = m->place.tls_name,
		.through = m->place.through,
		.attempt_delay = r->attempt_delay,
		.timeout = r->timeout };
	if (m->place.tls) {
		SSL_CTX_up_ref(r->tls);
		m->to.tls = r->tls;
	}
	if (m->place.through != NULL && r->authorization != NULL) {
		m->to.through_authorization = m->authorization = strdup(r->authorization);
		return m->authorization != NULL;
	}
	return true;
}

/* NULL: out of memory. */
static struct remote *
add(struct remotes *r, const struct place *place)
{
	struct pool_config cfg = r->limits;
	struct remote *m = calloc(1, sizeof(*m));

	if (m == NULL || !place_copy(&m->place, place)) {
		free(m);
		return NULL;
	}
	m->refs = 1;
	cfg.to = &m->to;
	cfg.shared = &r->idle;
	if (!set_target(r, m) || (m->pool = pool_new(r->loop, &cfg)) == NULL ||
	    !hash_insert(&r->by_key, &m->by_key, place_hash(&m->place))) {
		remote_drop(m);
		return NULL;
	}
	m->of = r;
	list_prepend(&r->all, &m->node);
	r->n++;
	metrics_inc(S_REMOTES);
	return m;
}

/* --- the table --- */

static struct remote *
find(const struct remotes *r, const struct place *place)
{
	struct hash_node *n = hash_first(&r->by_key, place_hash(place));

	for (; n != NULL; n = hash_next(n)) {
		struct remote *m = HASH_ENTRY(n, struct remote, by_key);

		if (place_is_of(&m->place, place))
			return m;
	}
	return NULL;
}

/* Retires those used longest ago, and by nobody now, until there are no more than `max`. */
static bool
bound(struct remotes *r, size_t max)
{
	struct list *node = r->all.prev;

	while (r->n > max && node != &r->all) {
		struct remote *m = LIST_ENTRY(node, struct remote, node);

		node = node->prev;
		if (!is_used(m))
			retire(m);
	}
	return r->n <= max;
}

/* Why a destination is not known, as the homeserver is told. */
static enum err
unknown(const struct destination *d)
{
	enum err err = d->fact.err == ERR_SERVER_NAME ? ERR_OUT_TARGET
		       : d->fact.err == ERR_TIMEOUT   ? ERR_REMOTE_TIMEOUT
						      : d->fact.err;

	remote_count(err);
	return err;
}

static enum err
check(struct remotes *r, const struct destination *d, const struct destination *proxy, bool tls)
{
	if (d->fact.err != OK)
		return unknown(d);
	if (proxy != NULL && proxy->fact.err != OK) {
		remote_count(ERR_REMOTE_PROXY);
		return ERR_REMOTE_PROXY;
	}
	if (!tls || r->tls != NULL)
		return OK;
	if (r->anchors == NULL) /* nobody is trusted */
		return ERR_REMOTE_TLS_CHAIN;
	r->tls = tlsclient_context(r->anchors);
	return r->tls != NULL ? OK : ERR_MEMORY;
}

static struct remote *
look_up(struct remotes *r, const struct place *place, enum err *why)
{
	struct remote *m = find(r, place);

	if (m != NULL && place_is_same(&m->place, place)) {
		place_reorder(&m->place, place);
		list_remove(&m->node);
		list_prepend(&r->all, &m->node);
		return m;
	}
	if (m != NULL)
		retire(m);
	if (r->n >= r->max && !bound(r, r->max - 1)) {
		metrics_inc(S_REMOTES_FULL);
		*why = ERR_REMOTE_BUSY;
		return NULL;
	}
	return add(r, place);
}

struct remote *
remotes_get(struct remotes *r, const struct destination *d, const struct destination *proxy,
    bool tls, enum err *why)
{
	char through[PLACE_THROUGH_MAX];
	struct place place;
	struct remote *m;

	*why = check(r, d, proxy, tls);
	if (*why != OK)
		return NULL;
	place = place_of(d, proxy, tls, through);
	*why = ERR_MEMORY;
	m = look_up(r, &place, why);
	if (m == NULL)
		return NULL;
	*why = OK;
	return remote_hold(m);
}

/* --- of a configuration --- */

static void
retire_all(struct remotes *r)
{
	struct list *node;

	while ((node = list_first(&r->all)) != NULL)
		retire(LIST_ENTRY(node, struct remote, node));
}

static void
set_limits(struct remotes *r, const struct proxy_conf *c)
{
	const struct forward_conf *f = &c->forward;

	r->max = f->destinations_max;
	r->attempt_delay = f->attempt_delay;
	r->timeout = f->connect_timeout;
	r->limits = (struct pool_config){
		.connections_max = f->connections_max,
		.idle_max = f->idle_max,
		.queue_max = f->queue_max,
		.idle_timeout = f->idle_timeout,
		.queue_timeout = f->queue_timeout,
		/* A head must fit, and a piece behind it. */
		.buffer_max = c->relay_buffer + c->head_max,
		.count = on_count,
	};
	LIST_FOR(node, &r->all) {
		struct remote *m = LIST_ENTRY(node, struct remote, node);

		m->to.attempt_delay = r->attempt_delay;
		m->to.timeout = r->timeout;
		pool_set_limits(m->pool, &r->limits);
	}
	pool_shared_set(&r->idle, f->idle_total_max);
	(void)bound(r, r->max); /* those in use go later */
}

static void
set_anchors(struct remotes *r, X509_STORE *anchors)
{
	if (anchors == r->anchors)
		return;
	retire_all(r);
	SSL_CTX_free(r->tls);
	r->tls = NULL;
	X509_STORE_free(r->anchors);
	if (anchors != NULL)
		X509_STORE_up_ref(anchors);
	r->anchors = anchors;
}

/* The new value is in *to already. */
static void
set_authorization(struct remotes *r, char *to)
{
	if (!str_eq(str_z(to), str_z(r->authorization)))
		retire_all(r);
	wipe(r->authorization);
	r->authorization = to;
}

bool
remotes_adopt(struct remotes *r, const struct proxy_conf *conf)
{
	struct str given = conf->forward.proxy_authorization;
	char *authorization = given.n > 0 ? strndup(given.p, given.n) : NULL;

	if (given.n > 0 && authorization == NULL)
		return false;
	set_authorization(r, authorization);
	set_anchors(r, conf->forward.anchors);
	set_limits(r, conf);
	return true;
}

struct remotes *
remotes_new(struct loop *loop, const struct proxy_conf *conf)
{
	struct remotes *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->loop = loop;
	hash_init(&r->by_key);
	list_init(&r->all);
	pool_shared_init(&r->idle, 0);
	if (remotes_adopt(r, conf))
		return r;
	remotes_free(r);
	return NULL;
}

void
remotes_free(struct remotes *r)
{
	if (r == NULL)
		return;
	retire_all(r);
	hash_fini(&r->by_key);
	SSL_CTX_free(r->tls);
	X509_STORE_free(r->anchors);
	wipe(r->authorization);
	free(r);
}
