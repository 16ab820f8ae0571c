/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway - one loop for all: requests are small, what waits for the disk is a thread of the
 * journal, and push providers are asked by libcurl on the same loop.
 */
#include "pushgw/gateway.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/daemon/service.h"
#include "pushgw/delivery/delivery.h"
#include "pushgw/notify/api.h"
#include "pushgw/queue/delayq_file.h"
#include "pushgw/queue/delayq_redis.h"
#include "pushgw/series.h"

struct gateway {
	struct loop *loop;
	struct pushgw_conf *conf;  /* in force; the service holds it */
	struct resolver *resolver; /* of Redis, by the settings of the start; NULL: a journal */
	struct delayq *queue;
	struct delivery *delivery;
	struct api *api;
};

static struct pushgw_conf *
ours(struct service_conf *conf)
{
	return (struct pushgw_conf *)(void *)conf; /* its first member */
}

static struct service_conf *
load(const char *path, struct buf *errors)
{
	return (struct service_conf *)pushgw_conf_load(path, errors);
}

static bool
needs_restart(const struct service_conf *old, const struct service_conf *new, struct buf *what)
{
	return pushgw_conf_needs_restart(
	    (const struct pushgw_conf *)old, (const struct pushgw_conf *)new, what);
}

/* --- the queue --- */

static struct delayq *
open_journal(struct gateway *g, const struct delayq_config *cfg)
{
	char folder[4096];

	snprintf(folder, sizeof(folder), "%s/queue", g->conf->service.state_dir);
	if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
		log_error("state_dir: cannot make the folder %s: %s; state_dir must be there and "
			  "belong to the daemon's user",
		    folder, strerror(errno));
		return NULL;
	}
	return delayq_file_open(g->loop, folder, &g->conf->queue, cfg);
}

/* Whether a new configuration names another Redis, or another way to log in there. */
static bool
redis_changed(const struct redis_conf *old, const struct redis_conf *new)
{
	struct buf what;
	bool changed;

	buf_init(&what, 65536);
	changed = conf_changed(redis_section_rows, old, new, CONF_RELOAD, &what) ||
		  conf_changed(redis_section_rows, old, new, CONF_RESTART, &what) ||
		  !str_eq(old->password, new->password);
	buf_fini(&what);
	return changed;
}

static bool
reopen_redis(struct gateway *g, const struct pushgw_conf *conf)
{
	return g->resolver == NULL || !redis_changed(&g->conf->redis, &conf->redis) ||
	       delayq_redis_reopen(g->queue, g->resolver, &conf->redis);
}

static bool
open_queue(struct gateway *g)
{
	const struct pushgw_conf *c = g->conf;
	struct delayq_config cfg;

	delivery_config(g->delivery, &cfg);
	if (!redis_section_on(&c->redis)) {
		g->queue = open_journal(g, &cfg);
		return g->queue != NULL;
	}
	g->resolver = lookup_resolver(g->loop, &c->lookups);
	if (g->resolver != NULL)
		g->queue = delayq_redis_open(g->loop, g->resolver, &c->redis, &c->queue, &cfg);
	return g->queue != NULL;
}

/* --- life --- */

static bool
open_delivery(struct gateway *g)
{
	struct lanes *lanes = lanes_open(g->loop, g->conf);

	if (lanes == NULL)
		return false;
	g->delivery = delivery_new(g->loop, lanes);
	if (g->delivery == NULL)
		lanes_close(lanes);
	return g->delivery != NULL;
}

static bool
on_open(void *arg, struct loop *loop, struct service_conf *conf)
{
	struct gateway *g = arg;

	g->loop = loop;
	g->conf = ours(conf);
	if (!open_delivery(g) || !open_queue(g)) {
		log_error("cannot be set up: see the lines above, or out of memory");
		return false;
	}
	delivery_start(g->delivery, g->queue);
	g->api = api_new(loop, g->queue, g->conf);
	return g->api != NULL;
}

static bool
on_adopt(void *arg, struct service_conf *conf)
{
	struct gateway *g = arg;
	struct lanes *lanes = lanes_open(g->loop, ours(conf));

	if (lanes == NULL)
		return false;
	if (!reopen_redis(g, ours(conf)) || !delivery_adopt(g->delivery, lanes)) {
		log_error("reload: out of memory, or see the line above");
		lanes_close(lanes);
		return false;
	}
	g->conf = ours(conf);
	if (g->resolver == NULL)
		delayq_file_set_sync(g->queue, &g->conf->queue);
	else
		delayq_redis_set_visibility(g->queue, &g->conf->queue);
	api_adopt(g->api, g->conf);
	return true;
}

static void
on_drain(void *arg)
{
	struct gateway *g = arg;

	delivery_drain(g->delivery);
}

static bool
on_drained(void *arg)
{
	struct gateway *g = arg;

	return delivery_in_hand(g->delivery) == 0;
}

static void
on_close(void *arg)
{
	struct gateway *g = arg;

	api_free(g->api);
	delivery_free(g->delivery);
	delayq_free(g->queue);
	if (g->resolver != NULL)
		resolver_free(g->resolver);
}

static void
on_request(void *arg, struct exchange *ex, enum err bad)
{
	struct gateway *g = arg;

	api_request(g->api, ex, bad);
}

/* --- what operators ask --- */

static void
on_missing(void *arg, struct buf *out)
{
	struct gateway *g = arg;
	enum err why = delayq_state(g->queue);

	if (why != OK && !buf_printf(out, "queue: %s\n",
			     why == ERR_COUNT ? "nothing is known of it yet" : err_text(why)))
		return;
}

static void
on_refresh(void *arg)
{
	struct gateway *g = arg;
	struct delayq_gauges q = { 0 };

	delayq_measure(g->queue, &q);
	metrics_set(S_QUEUE_COUNT, (int64_t)q.count);
	metrics_set(S_QUEUE_BYTES, (int64_t)q.bytes);
	metrics_set(S_QUEUE_IN_HAND, (int64_t)q.in_hand);
	metrics_set(S_QUEUE_OVERDUE, (int64_t)(q.oldest_overdue / 1000));
	metrics_set(S_QUEUE_DISK, (int64_t)q.disk);
	metrics_set(S_QUEUE_SEEN, (int64_t)q.seen);
	metrics_set(S_QUEUE_REJECTED, (int64_t)q.rejected);
	metrics_set(S_QUEUE_UP, delayq_state(g->queue) == OK);
	metrics_set(S_CERTIFICATE_NOT_AFTER, g->conf->service.tls.not_after);
}

static bool
on_more(void *arg, struct buf *out)
{
	struct gateway *g = arg;

	return delivery_print(g->delivery, out);
}

static const struct door_series door_series = SERVICE_DOOR_SERIES;

static const struct service_ops ops = {
	.load = load,
	.needs_restart = needs_restart,
	.open = on_open,
	.adopt = on_adopt,
	.request = on_request,
	.missing = on_missing,
	.refresh = on_refresh,
	.more = on_more,
	.drain = on_drain,
	.drained = on_drained,
	.close = on_close,
	.series = &door_series,
	.reloads = S_RELOADS,
	.reloads_refused = S_RELOADS_REFUSED,
};

int
gateway_run(struct pushgw_conf *conf)
{
	struct gateway g = { 0 };

	return service_run(&ops, &g, &conf->service);
}
