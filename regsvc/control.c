/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control - one loop for all: there is no data plane here, and what takes long is an errand on a
 * thread of its own.
 *
 * On reload the parts of a new configuration are opened beside the old ones and then put in force.
 */
#include "regsvc/control.h"

#include "lib/daemon/service.h"
#include "regsvc/api.h"
#include "regsvc/series.h"

struct control {
	struct loop *loop;
	struct parts parts;
	struct api *api;
};

static struct service_conf *
load(const char *path, struct buf *errors)
{
	return (struct service_conf *)regsvc_conf_load(path, errors);
}

static bool
needs_restart(const struct service_conf *old, const struct service_conf *new, struct buf *what)
{
	return regsvc_conf_needs_restart(
	    (const struct regsvc_conf *)old, (const struct regsvc_conf *)new, what);
}

static bool
on_open(void *arg, struct loop *loop, struct service_conf *conf)
{
	struct control *c = arg;
	struct parts old = { 0 };

	c->loop = loop;
	if (!parts_open(&c->parts, &old, loop, (struct regsvc_conf *)conf))
		return false;
	parts_adopt(&c->parts, &old);
	c->api = api_new(loop, &c->parts);
	return c->api != NULL;
}

static bool
on_adopt(void *arg, struct service_conf *conf)
{
	struct control *c = arg;
	struct parts next, old = c->parts;

	if (!parts_open(&next, &old, c->loop, (struct regsvc_conf *)conf))
		return false;
	c->parts = next;
	parts_adopt(&c->parts, &old);
	parts_close(&old);
	api_adopt(c->api);
	return true;
}

static void
on_request(void *arg, struct exchange *ex, enum err bad)
{
	struct control *c = arg;

	api_request(c->api, ex, bad);
}

static void
on_missing(void *arg, struct buf *out)
{
	struct control *c = arg;

	parts_missing(&c->parts, out);
}

static void
on_refresh(void *arg)
{
	struct control *c = arg;

	parts_refresh(&c->parts);
}

static void
on_drain(void *arg)
{
	struct control *c = arg;

	api_drain(c->api);
}

static void
on_close(void *arg)
{
	struct control *c = arg;

	api_free(c->api);
	parts_close(&c->parts);
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
	.drain = on_drain,
	.close = on_close,
	.series = &door_series,
	.reloads = S_RELOADS,
	.reloads_refused = S_RELOADS_REFUSED,
};

int
control_run(struct regsvc_conf *conf)
{
	struct control c = { .loop = NULL };

	return service_run(&ops, &c, &conf->service);
}
