/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_open - apart from the rows, so that who only reads a configuration does not need the loop.
 */
#include <stdio.h>

#include "lib/daemon/redis_section.h"
#include "lib/http/fetch.h"
#include "lib/store/store_redis.h"

#define QUEUE_MAX 4096
#define WAIT_MIN_MS 200
#define WAIT_MAX_MS 30000

/* The anchors are the caller's. */
static bool
configure(struct redis_config *cfg, struct resolver *resolver, const struct redis_conf *c)
{
	*cfg = (struct redis_config){ .host = c->where.host,
		.port = c->where.port,
		.unix_path = c->where.unix_path,
		.sentinels = c->nodes,
		.n_sentinels = c->n_nodes,
		.master_name = c->master_name,
		.resolver = resolver,
		.user = c->user,
		.password = c->password,
		.db = (unsigned)c->db,
		.timeout = c->timeout,
		.wait_min = WAIT_MIN_MS,
		.wait_max = WAIT_MAX_MS,
		.queue_max = QUEUE_MAX };
	if (c->tls)
		cfg->anchors = fetch_anchors(c->ca_file, c->ca_file == NULL);
	return !c->tls || cfg->anchors != NULL;
}

struct redis *
redis_section_open(struct loop *loop, struct resolver *resolver, const struct redis_conf *c,
    void (*state)(void *arg, enum err why), void *arg)
{
	struct redis_config cfg;
	struct redis *r = NULL;

	if (configure(&cfg, resolver, c)) {
		cfg.state = state;
		cfg.arg = arg;
		r = redis_new(loop, &cfg);
	}
	X509_STORE_free(cfg.anchors);
	return r;
}

struct store *
redis_section_store(struct loop *loop, struct resolver *resolver, const struct redis_conf *c,
    const struct store_config *cfg, const char *daemon)
{
	struct redis_config rc;
	struct store *s = NULL;
	char prefix[256];

	snprintf(
	    prefix, sizeof(prefix), "%s%s:", c->key_prefix != NULL ? c->key_prefix : "", daemon);
	if (configure(&rc, resolver, c))
		s = store_redis_open(loop, cfg, &rc, prefix);
	X509_STORE_free(rc.anchors);
	return s;
}
