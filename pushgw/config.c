/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/config.h"

#include <stdlib.h>

#include "lib/base/glob.h"
#include "pushgw/config_check.h"

#define VALUES_MAX (16 << 20) /* settings and the files they name */

struct loaded {
	struct pushgw_conf conf;
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

struct pushgw_conf *
pushgw_conf_load(const char *path, struct buf *errors)
{
	struct loaded *d = calloc(1, sizeof(*d));
	struct load l;
	bool good;

	if (d == NULL)
		return NULL;
	snapshot_init(&d->conf.service.snap, conf_free);
	arena_init(&d->arena, VALUES_MAX);
	d->conf.service.path = arena_z(&d->arena, str_z(path));
	load_init(&l, path, &d->arena, errors);
	/* a file that could not be read as YAML has left nothing to check */
	if (load_file(&l, pushgw_conf_rows, &d->conf) || d->conf.service.n_listeners > 0) {
		config_check(&l, &d->conf);
		config_files(&l, &d->conf);
	}
	good = load_ok(&l) && d->conf.service.path != NULL;
	load_fini(&l);
	if (good)
		return &d->conf;
	snapshot_drop(&d->conf.service.snap);
	return NULL;
}

bool
pushgw_conf_needs_restart(
    const struct pushgw_conf *old, const struct pushgw_conf *new, struct buf *what)
{
	return conf_changed(pushgw_conf_rows, old, new, CONF_RESTART, what);
}

bool
pushgw_conf_print(const struct pushgw_conf *c, struct buf *out)
{
	return conf_dump_values(pushgw_conf_rows, c, out);
}

enum app_match
pushgw_conf_app(const struct pushgw_conf *c, struct str app_id, size_t *index)
{
	enum app_match found = APP_UNKNOWN;

	for (size_t i = 0; i < c->n_apps; i++) {
		struct str id = str_z(c->apps[i].id);

		if (str_eq(id, app_id)) {
			*index = i;
			return APP_FOUND;
		}
		if (!glob_matches(id, app_id))
			continue;
		found = found == APP_UNKNOWN ? APP_FOUND : APP_AMBIGUOUS;
		*index = i;
	}
	return found;
}
