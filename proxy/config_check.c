/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/config_check.h"


#include "lib/daemon/setting.h"
#include "lib/matrix/name.h"

void
config_lower(char *s)
{
	for (; *s != '\0'; s++)
		*s = str_lower(*s);
}

/* Texts to networks; `what` names the setting. */
static void
make_networks(struct load *l, const char *what, const struct conf_list *from, struct networks *to)
{
	to->v = arena_alloc(l->ctx.arena, from->n * sizeof(*to->v) + 1);
	for (size_t i = 0; to->v != NULL && i < from->n; i++) {
		if (from->v[i] == NULL)
			continue;
		if (network_parse(str_z(from->v[i]), &to->v[to->n]))
			to->n++;
		else
			load_fault(l, &from->v[i],
			    "%s: '%s' is not a network; write 192.0.2.7, 192.0.2.0/24 or "
			    "2001:db8::/32, with no bits set behind the prefix",
			    what, from->v[i]);
	}
	if (to->v == NULL)
		load_fault(l, from, "%s: out of memory", what);
}

static void
check_proxies(struct load *l, struct listener_conf *c)
{
	make_networks(l, "proxy_protocol_from", &c->proxies_from, &c->proxies);
	if (c->proxied && c->proxies_from.n == 0)
		load_fault(l, &c->proxied,
		    "proxy_protocol: required, but proxy_protocol_from names no load balancer; add "
		    "their networks");
	for (size_t i = 0; i < c->proxies.n; i++)
		if (c->proxies.v[i].bits == 0)
			load_fault(l, &c->proxies_from,
			    "proxy_protocol_from: every address is in it, so anybody could claim "
			    "to be anybody; name the load balancers");
	if (!c->proxied && c->proxies_from.n > 0)
		load_fault(l, &c->proxies_from,
		    "proxy_protocol_from: has no meaning while proxy_protocol is off; set it to "
		    "required or remove the list");
}

/* Whether two listeners would have one address; port 0 is another one each time. */
static bool
is_same(const struct conf_address *a, const struct conf_address *b)
{
	if (a->unix_path != NULL || b->unix_path != NULL)
		return a->unix_path != NULL && b->unix_path != NULL &&
		       strcmp(a->unix_path, b->unix_path) == 0;
	return a->text != NULL && a->port != 0 && strcmp(a->text, b->text) == 0;
}

static void
check_listeners(struct load *l, struct proxy_conf *c)
{
	unsigned served = 0;

	for (size_t i = 0; i < c->n_listeners; i++) {
		struct conf_address *ad = &c->listeners[i].address;

		served |= c->listeners[i].kind;
		check_proxies(l, &c->listeners[i]);
		config_outbound_listener(l, &c->listeners[i]);
		if (ad->text == NULL)
			continue;
		if (ad->unix_path == NULL && !conf_address_is_ip(ad))
			load_fault(l, ad, "address: '%s' is not an IP address; write %s", ad->text,
			    c->listeners[i].kind == LISTEN_OUTBOUND
				? "127.0.0.1, [::1] or unix:/path"
				: "0.0.0.0 or [::] for all of them");
		for (size_t j = 0; j < i; j++)
			if (is_same(&c->listeners[j].address, ad))
				load_fault(l, ad,
				    "address: '%s' appears twice; join the two listeners",
				    ad->text);
	}
	if (c->n_listeners > 0 && (served & LISTEN_CLIENTS) == 0)
		load_fault(l, &c->listeners,
		    "listeners: none serves clients; add \"clients\" to one of them");
	if (c->n_listeners > 0 && (served & LISTEN_FEDERATION) == 0)
		log_warn("%s: no listener serves the federation", c->path);
}

static bool
is_file_stem(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
	       strlen(s);
}

static void
check_federations(struct load *l, struct proxy_conf *c)
{
	for (size_t i = 0; i < c->n_federations; i++) {
		struct federation_conf *f = &c->federations[i];

		config_regsvc(l, f);
		for (size_t j = 0; j < f->n_passport_certs; j++)
			if (f->passport_certs[j].x5u != NULL && !c->test_mode &&
			    !setting_is_https(f->passport_certs[j].x5u))
				load_fault(
				    l, &f->passport_certs[j].x5u, "x5u: must be an https:// URL");
		if (f->name == NULL)
			continue;
		if (!is_file_stem(f->name))
			load_fault(l, &f->name,
			    "name: only letters, digits, - and _; it becomes a file name");
		for (size_t j = 0; j < i; j++)
			if (c->federations[j].name != NULL &&
			    strcmp(c->federations[j].name, f->name) == 0)
				load_fault(
				    l, &f->name, "name: '%s' appears twice; rename one", f->name);
	}
}

static void
check_hosts(struct load *l, struct service_conf *s)
{
	for (size_t i = 0; i < s->hosts.n; i++) {
		if (s->hosts.v[i] == NULL)
			continue;
		config_lower(s->hosts.v[i]);
		if (setting_is_host(s->hosts.v[i]))
			continue;
		load_fault(l, &s->hosts.v[i],
		    "hosts: '%s' is not a host name; write it without scheme, port and path",
		    s->hosts.v[i]);
		s->hosts.v[i] = NULL;
	}
}

/* The server name in normal form; its host is one of the public hosts. */
static void
check_names(struct load *l, struct service_conf *s)
{
	char normal[NAME_MAX_LEN + 1];
	struct server_name name;
	struct str text;
	char **hosts;
	char *host;

	if (s->server_name == NULL)
		return;
	text = name_normal(str_z(s->server_name), normal);
	if (text.n == 0 || !name_parse(text, &name)) {
		load_fault(l, &s->server_name,
		    "server_name: '%s' is not a Matrix server name; write host or host:port",
		    s->server_name);
		s->server_name = NULL;
		return;
	}
	host = arena_z(l->ctx.arena, name.host);
	s->server_name = arena_z(l->ctx.arena, text);
	hosts = arena_alloc(l->ctx.arena, (s->hosts.n + 1) * sizeof(*hosts));
	if (host == NULL || s->server_name == NULL || hosts == NULL) {
		load_fault(l, s, "out of memory");
		return;
	}
	for (size_t i = 0; i < s->hosts.n; i++) {
		if (s->hosts.v[i] != NULL && strcmp(s->hosts.v[i], host) == 0)
			return;
		hosts[i] = s->hosts.v[i];
		load_moved(l, &s->hosts.v[i], &hosts[i]);
	}
	hosts[s->hosts.n++] = host;
	s->hosts.v = hosts;
}

static bool
has_host(const struct service_conf *s, const char *host, size_t before)
{
	for (size_t i = 0; i < s->hosts.n && i < before; i++)
		if (s->hosts.v[i] != NULL && strcmp(s->hosts.v[i], host) == 0)
			return true;
	return false;
}

/* No other service, and no earlier entry, may have the names of service `at`. */
static void
check_unique(struct load *l, struct proxy_conf *c, size_t at)
{
	struct service_conf *s = &c->services[at];

	for (size_t j = 0; j < at; j++) {
		struct service_conf *o = &c->services[j];

		if (s->server_name != NULL && o->server_name != NULL &&
		    strcmp(s->server_name, o->server_name) == 0) {
			load_fault(l, s, "server_name: '%s' is already that of an earlier service",
			    s->server_name);
			return; /* its hosts collide for the same reason */
		}
		for (size_t h = 0; h < s->hosts.n; h++)
			if (s->hosts.v[h] != NULL && has_host(o, s->hosts.v[h], SIZE_MAX))
				load_fault(l,
				    load_given(l, &s->hosts) ? (void *)&s->hosts : (void *)s,
				    "hosts: '%s' already belongs to service '%s'", s->hosts.v[h],
				    o->server_name != NULL ? o->server_name : "?");
	}
	for (size_t h = 0; h < s->hosts.n; h++)
		if (s->hosts.v[h] != NULL && has_host(s, s->hosts.v[h], h))
			load_fault(
			    l, &s->hosts, "hosts: '%s' appears twice; remove one", s->hosts.v[h]);
}

static void
check_admins(struct load *l, struct service_conf *s)
{
	for (size_t i = 0; i < s->org_admins.n; i++) {
		struct str local, server;
		char normal[NAME_MAX_LEN + 1];

		if (s->org_admins.v[i] == NULL)
			continue;
		if (!mxid_parse(str_z(s->org_admins.v[i]), &local, &server))
			load_fault(l, &s->org_admins.v[i],
			    "org_admins: not a Matrix user ID; write @name:server");
		else if (s->server_name != NULL &&
			 !str_eq(name_normal(server, normal), str_z(s->server_name)))
			load_fault(l, &s->org_admins.v[i],
			    "org_admins: not a user of %s; a service's administrators are "
			    "its own users",
			    s->server_name);
	}
}

static void
check_membership(struct load *l, struct proxy_conf *c, struct service_conf *s)
{
	const struct federation_conf *f;
	size_t i = 0;

	if (s->federation == NULL)
		return;
	while (i < c->n_federations && (c->federations[i].name == NULL ||
					   strcmp(c->federations[i].name, s->federation) != 0))
		i++;
	if (i == c->n_federations) {
		load_fault(l, &s->federation,
		    "federation: '%s' is not the name of a federation of this file", s->federation);
		return;
	}
	s->federation_index = i;
	f = &c->federations[i];
	if (s->invite_rule != RULE_OFF &&
	    (f->passport_anchors.n == 0 ||
		(f->n_passport_certs == 0 && f->passport_source == PASSPORT_FILES)))
		load_fault(l, &s->federation,
		    "federation: '%s' has no passport.anchors or no passport.certificates; add "
		    "them, or set "
		    "invites.passport of this service to off",
		    s->federation);
}

static void
check_services(struct load *l, struct proxy_conf *c)
{
	const struct service_conf *first = NULL;

	for (size_t i = 0; i < c->n_services; i++) {
		struct service_conf *s = &c->services[i];

		check_hosts(l, s);
		check_names(l, s);
		check_unique(l, c, i);
		if (s->upstream.text != NULL)
			config_check_local(l, "homeserver", &s->upstream, &s->upstream);
		config_upstreams(l, c, s);
		check_membership(l, c, s);
		check_admins(l, s);
		if (s->is_default && first != NULL)
			load_fault(l, &s->is_default,
			    "default: a second default service; at most one can be");
		else if (s->is_default)
			first = s;
	}
	if (c->n_services == 1)
		c->services[0].is_default = true;
}

static void
check_lookups(struct load *l, struct proxy_conf *c)
{
	struct server_name name;

	lookup_check(l, &c->lookups);
	for (size_t i = 0; i < c->notaries.n; i++)
		if (c->notaries.v[i] != NULL && !name_parse(str_z(c->notaries.v[i]), &name))
			load_fault(l, &c->notaries.v[i],
			    "notaries: '%s' is not a Matrix server name", c->notaries.v[i]);
}

/* Limits that would contradict each other. */
static void
check_order(struct load *l, struct proxy_conf *c)
{
	const struct {
		const char *low, *high;
		const uint64_t *low_field, *high_field;
		bool may_equal;
	} pairs[] = {
		{ "target_max", "head_max", &c->target_max, &c->head_max, false },
		{ "federation_body_max", "request_memory", &c->federation_body_max,
		    &c->request_memory, true },
		{ "inspect_body_max", "request_memory", &c->inspect_body_max, &c->request_memory,
		    true },
		{ "inspect_body_max", "client_body_max", &c->inspect_body_max, &c->client_body_max,
		    true },
		{ "h2_stream_window", "h2_connection_window", &c->h2_stream_window,
		    &c->h2_connection_window, true },
		{ "upstream_idle_max", "upstream_connections_max", &c->upstream_idle_max,
		    &c->upstream_connections_max, true },
		{ "outbound.idle_max", "outbound.connections_max", &c->forward.idle_max,
		    &c->forward.connections_max, true },
		{ "outbound.timeouts.attempt_delay", "outbound.timeouts.connect",
		    &c->forward.attempt_delay, &c->forward.connect_timeout, false },
		{ "upstream", "upstream_slow", &c->upstream_timeout, &c->upstream_slow_timeout,
		    true },
		{ "upstream", "poll_max", &c->upstream_timeout, &c->poll_max, true },
		{ "negative_ttl", "negative_ttl_max", &c->negative_ttl, &c->negative_ttl_max,
		    true },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		bool low_given = load_given(l, pairs[i].low_field);

		if (*pairs[i].low_field < *pairs[i].high_field ||
		    (pairs[i].may_equal && *pairs[i].low_field == *pairs[i].high_field))
			continue;
		load_fault(l, low_given ? pairs[i].low_field : pairs[i].high_field,
		    "%s must %s %s; lower the one or raise the other", pairs[i].low,
		    pairs[i].may_equal ? "not be above" : "be below", pairs[i].high);
	}
}

void
config_check(struct load *l, struct proxy_conf *c)
{
	bool complete = load_ok(l); /* else numbers may be missing */

	if (c->test_mode)
		log_warn("%s: test_mode is on: self-signed certificates are accepted; never in "
			 "production",
		    c->path);
	check_listeners(l, c);
	setting_admin(l, &c->admin, c->state_dir);
	check_federations(l, c);
	check_services(l, c);
	config_outbound(l, c);
	check_lookups(l, c);
	make_networks(l, "exempt", &c->exempt_from, &c->exempt);
	config_tls(l, c);
	if (complete)
		check_order(l, c);
}
