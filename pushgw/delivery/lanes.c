/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/delivery/lanes.h"

#include <stdlib.h>

static bool
open_lane(struct lanes *s, const struct provider_env *env, const struct app_conf *app)
{
	struct lane *l = &s->v[s->n];

	l->app = app;
	l->type = provider_of(app->provider);
	breaker_init(&l->breaker, &s->conf->delivery);
	l->provider = l->type->open(env, app);
	if (l->provider == NULL)
		return false;
	s->names[s->n++] = app->id;
	return true;
}

static bool
open_all(struct lanes *s)
{
	const struct pushgw_conf *c = s->conf;
	struct provider_env env = { .loop = s->loop,
		.resolver = s->resolver,
		.lookups = &c->lookups,
		.anchors = s->anchors,
		.delivery = &c->delivery };

	if (c->proxy != NULL) {
		s->proxy = (struct fetch_proxy){ c->proxy_address.host, c->proxy_address.port,
			c->proxy_authorization };
		env.proxy = &s->proxy;
	}
	for (size_t i = 0; i < c->n_apps; i++)
		if (!open_lane(s, &env, &c->apps[i]))
			return false;
	return true;
}

struct lanes *
lanes_open(struct loop *loop, struct pushgw_conf *conf)
{
	struct lanes *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	list_init(&s->node);
	s->loop = loop;
	s->conf = snapshot_hold(&conf->service.snap);
	s->v = calloc(conf->n_apps, sizeof(*s->v));
	s->names = calloc(conf->n_apps, sizeof(*s->names));
	s->resolver = lookup_resolver(loop, &conf->lookups);
	s->anchors = fetch_anchors(conf->lookups.ca_file, conf->lookups.ca_system);
	if (s->v != NULL && s->names != NULL && s->resolver != NULL && s->anchors != NULL &&
	    open_all(s))
		return s;
	log_error("apps: cannot be set up: see the lines above, or out of memory");
	lanes_close(s);
	return NULL;
}

static void
free_lanes(void *arg)
{
	struct lanes *s = arg;

	for (size_t i = 0; i < s->n; i++)
		s->v[i].type->close(s->v[i].provider);
	if (s->resolver != NULL)
		resolver_free(s->resolver);
	X509_STORE_free(s->anchors);
	free(s->v);
	free(s->names);
	snapshot_drop(&s->conf->service.snap);
	free(s);
}

void
lanes_close(struct lanes *s)
{
	if (s == NULL)
		return;
	list_remove(&s->node);
	loop_bury(s->loop, &s->grave, free_lanes, s);
}
