/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_upstreams - the homeserver's processes and the paths that lead to them.
 */
#include "proxy/config_check.h"
#include "proxy/paths.h"

#define HOMESERVER "homeserver" /* how paths call it */

void
config_check_local(
    struct load *l, const char *what, const struct conf_address *ad, const void *field)
{
	if (!conf_address_is_loopback(ad))
		load_fault(l, field,
		    "%s: '%s' is not a loopback address; plain HTTP must not leave the machine, "
		    "use 127.0.0.1:port, [::1]:port or unix:/path",
		    what, ad->text);
	else if (ad->unix_path == NULL && ad->port == 0)
		load_fault(l, field,
		    "%s: port 0 cannot be connected to; write the port the homeserver listens on",
		    what);
}

static void
read_addresses(struct load *l, struct upstream_conf *u)
{
	u->address = arena_alloc(l->ctx.arena, u->addresses.n * sizeof(*u->address));
	for (size_t i = 0; u->address != NULL && i < u->addresses.n; i++) {
		char **text = &u->addresses.v[i];
		const char *why;

		if (*text == NULL)
			continue;
		why = conf_address_parse(l->ctx.arena, str_z(*text), l->ctx.folder, &u->address[i]);
		if (why != NULL) {
			load_fault(l, text, "addresses: '%s': %s", *text, why);
			continue;
		}
		config_check_local(l, "addresses", &u->address[i], text);
		for (size_t k = 0; k < i; k++)
			if (u->addresses.v[k] != NULL && strcmp(*text, u->addresses.v[k]) == 0)
				load_fault(
				    l, text, "addresses: '%s' appears twice; remove one", *text);
	}
	if (u->address == NULL)
		load_fault(l, &u->addresses, "addresses: out of memory");
}

static bool
is_label(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
	       strlen(s);
}

static void
check_name(struct load *l, const struct service_conf *s, size_t at)
{
	const struct upstream_conf *u = &s->upstreams[at];

	if (u->name == NULL)
		return;
	if (!is_label(u->name))
		load_fault(
		    l, &u->name, "name: '%s' has more than letters, digits, - and _", u->name);
	else if (strcmp(u->name, HOMESERVER) == 0)
		load_fault(l, &u->name,
		    "name: '" HOMESERVER "' is the one of the setting homeserver; choose another");
	for (size_t i = 0; i < at; i++)
		if (s->upstreams[i].name != NULL && strcmp(u->name, s->upstreams[i].name) == 0)
			load_fault(l, &u->name, "name: '%s' is already that of an earlier upstream",
			    u->name);
}

static void
check_upstream(struct load *l, struct service_conf *s, size_t at)
{
	struct upstream_conf *u = &s->upstreams[at];

	check_name(l, s, at);
	read_addresses(l, u);
	u->checked = u->check == CHECK_ON || (u->check == CHECK_AUTO && u->addresses.n > 1);
	if (u->check_path != NULL &&
	    (u->check_path[0] != '/' || strpbrk(u->check_path, " \t\r\n") != NULL))
		load_fault(l, &u->check_path, "path: must begin with / and have no blanks");
	if (u->down_min > u->down_max)
		load_fault(l, load_given(l, &u->down_max) ? &u->down_max : &u->down_min,
		    "retry must not be above retry_max; lower the one or raise the other");
}

/* *to: 0: the homeserver, n: upstreams[n - 1]. */
static bool
find_upstream(struct service_conf *s, const char *name, size_t *to)
{
	for (*to = 0; *to <= s->n_upstreams; ++*to) {
		const char *known = service_upstream(s, *to)->name;

		if (known != NULL && strcmp(known, name) == 0)
			return true;
	}
	return false;
}

static void
check_room(struct load *l, const struct path_conf *p, const struct upstream_conf *u)
{
	if (u->balance == BALANCE_ROOM && strstr(p->path, "/{room}") == NULL)
		load_fault(l, &p->path,
		    "path: upstream '%s' is balanced by room, but no segment here is called "
		    "{room}; name it, or choose another upstream",
		    u->name);
}

static void
map_path(struct load *l, struct service_conf *s, struct path_conf *p)
{
	const char *why;
	size_t to;

	if (p->upstream == NULL || p->path == NULL)
		return;
	if (!find_upstream(s, p->upstream, &to)) {
		load_fault(l, &p->upstream,
		    "upstream: '%s' is not the name of an upstream of this service", p->upstream);
		return;
	}
	check_room(l, p, service_upstream(s, to));
	why = paths_add(s->map, l->ctx.arena, str_z(p->path), p->methods, to);
	if (why != NULL)
		load_fault(l, &p->path, "path: '%s': %s", p->path, why);
}

static void
warn_unused(const struct load *l, const struct service_conf *s, const struct upstream_conf *u)
{
	for (size_t i = 0; i < s->n_paths; i++)
		if (s->paths[i].upstream == NULL || strcmp(s->paths[i].upstream, u->name) == 0)
			return;
	log_warn("%s: service %s: no path leads to upstream %s; add one to paths, or remove it",
	    l->faults.path, s->server_name, u->name);
}

static void
number(struct proxy_conf *c, struct upstream_conf *u)
{
	u->first = c->n_addresses;
	c->n_addresses += u->addresses.n;
}

void
config_upstreams(struct load *l, struct proxy_conf *c, struct service_conf *s)
{
	static char name[] = HOMESERVER;

	s->homeserver = (struct upstream_conf){ .name = name,
		.addresses = { .v = &s->upstream.text, .n = 1 },
		.address = &s->upstream };
	number(c, &s->homeserver);
	for (size_t i = 0; i < s->n_upstreams; i++) {
		check_upstream(l, s, i);
		number(c, &s->upstreams[i]);
	}
	if (s->n_paths > 0) {
		s->map = paths_new(l->ctx.arena);
		if (s->map == NULL)
			load_fault(l, &s->paths, "paths: out of memory");
	}
	for (size_t i = 0; s->map != NULL && i < s->n_paths; i++)
		map_path(l, s, &s->paths[i]);
	for (size_t i = 0; load_ok(l) && i < s->n_upstreams; i++)
		warn_unused(l, s, &s->upstreams[i]);
}
