/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/config.h"

#include <stdlib.h>

#include "lib/conf/load.h"
#include "proxy/config_check.h"

#define VALUES_MAX (256 << 20) /* settings and the files they name */

struct loaded {
	struct proxy_conf conf;
	struct arena arena; /* everything the configuration points to */
};

static void
conf_free(struct snapshot *s)
{
	struct loaded *d = (struct loaded *)(void *)s;

	config_files_fini(&d->conf);
	arena_fini(&d->arena);
	free(d);
}

static bool
map_hosts(struct loaded *d)
{
	struct proxy_conf *c = &d->conf;
	struct strmap_entry *entries;
	size_t n = 0;

	for (size_t i = 0; i < c->n_services; i++)
		n += c->services[i].hosts.n;
	entries = arena_alloc(&d->arena, n * sizeof(*entries));
	if (entries == NULL)
		return false;
	n = 0;
	for (size_t i = 0; i < c->n_services; i++)
		for (size_t h = 0; h < c->services[i].hosts.n; h++)
			entries[n++] = (struct strmap_entry){ str_z(c->services[i].hosts.v[h]), i };
	c->by_host = strmap_of(entries, n);
	return true;
}

static struct proxy_conf *
load(const char *path, bool files, struct buf *errors)
{
	struct loaded *d = calloc(1, sizeof(*d));
	struct load l;
	bool good;

	if (d == NULL)
		return NULL;
	snapshot_init(&d->conf.snap, conf_free);
	arena_init(&d->arena, VALUES_MAX);
	d->conf.path = arena_z(&d->arena, str_z(path));
	load_init(&l, path, &d->arena, errors);
	/* a file that could not be read as YAML has left nothing to check */
	if (load_file(&l, proxy_conf_rows, &d->conf) ||
	    d->conf.n_listeners + d->conf.n_services > 0) {
		config_check(&l, &d->conf);
		if (files)
			config_files(&l, &d->conf);
	}
	good = load_ok(&l) && d->conf.path != NULL && map_hosts(d);
	load_fini(&l);
	if (good)
		return &d->conf;
	snapshot_drop(&d->conf.snap);
	return NULL;
}

struct proxy_conf *
proxy_conf_load(const char *path, struct buf *errors)
{
	return load(path, true, errors);
}

struct proxy_conf *
proxy_conf_read(const char *path, struct buf *errors)
{
	return load(path, false, errors);
}

const struct service_conf *
proxy_conf_service_by_host(const struct proxy_conf *c, struct str host)
{
	size_t i;

	return strmap_find(&c->by_host, host, &i) ? &c->services[i] : NULL;
}

const struct service_conf *
proxy_conf_service_by_name(const struct proxy_conf *c, struct str name)
{
	for (size_t i = 0; i < c->n_services; i++)
		if (c->services[i].server_name != NULL &&
		    str_eq(name, str_z(c->services[i].server_name)))
			return &c->services[i];
	return NULL;
}

const struct federation_conf *
proxy_conf_federation(const struct proxy_conf *c, const struct service_conf *s)
{
	return &c->federations[s->federation_index];
}

bool
proxy_conf_needs_restart(
    const struct proxy_conf *old, const struct proxy_conf *new, struct buf *what)
{
	return conf_changed(proxy_conf_rows, old, new, CONF_RESTART, what);
}

bool
proxy_conf_print(const struct proxy_conf *c, struct buf *out)
{
	return conf_dump_values(proxy_conf_rows, c, out);
}
