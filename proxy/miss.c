/* SPDX-License-Identifier: Apache-2.0 */
/*
 * miss - a key is the kind, the federation's name, a slash, the name; no federation's name has a
 * slash.
 */
#include "proxy/miss.h"

static const char marks[MISS_KINDS] = { 'd', 'x' };

struct str
miss_key(char out[MISS_KEY_MAX], enum miss kind, const struct federation_conf *f, struct str name)
{
	size_t n = strlen(f->name) + 2;
	char *end = out;

	if (name.n > MISS_NAME_MAX || n + name.n > MISS_KEY_MAX)
		return STR_NONE;
	*end++ = marks[kind];
	end = str_put(end, str_z(f->name));
	*end++ = '/';
	str_put(end, name);
	return str_of(out, n + name.n);
}

bool
miss_can_help(enum miss kind, const struct federation_conf *f)
{
	return f->regsvc.miss_rate > 0 &&
	       (kind == MISS_DOMAIN ? f->list_source == LIST_REGSVC
				    : f->passport_source == PASSPORT_REGSVC);
}

void
miss_parse(struct str key, enum miss *kind, struct str *federation, struct str *name)
{
	*kind = key.p[0] == marks[MISS_X5U] ? MISS_X5U : MISS_DOMAIN;
	(void)str_cut(str_from(key, 1), '/', federation, name);
}
