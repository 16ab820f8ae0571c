/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_outbound - what the settings of the way out demand of each other (FD-5.2.1.2-4, -7, O-13).
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "lib/daemon/setting.h"
#include "lib/matrix/destination.h"
#include "lib/matrix/name.h"
#include "proxy/config_check.h"

#define MODE_ANYBODY 0666 /* who has the secret may */

/* --- its listeners --- */

static void
check_mode(struct load *l, struct listener_conf *c)
{
	char *end;

	c->mode = MODE_ANYBODY;
	if (c->socket_mode == NULL)
		return;
	c->mode = (unsigned)strtoul(c->socket_mode, &end, 8);
	if (*end != '\0' || c->socket_mode[0] < '0' || c->mode > 0777 || c->mode == 0)
		load_fault(l, &c->socket_mode,
		    "socket_mode: '%s' is not the mode of a file; write three octal digits, "
		    "such as \"660\"",
		    c->socket_mode);
	if (c->address.unix_path == NULL)
		load_fault(l, &c->socket_mode,
		    "socket_mode: only a unix socket has one; remove it, or use unix:/path as "
		    "address");
}

static void
check_outbound(struct load *l, struct listener_conf *c)
{
	if (c->kind != LISTEN_OUTBOUND)
		load_fault(l, &c->kind,
		    "serves: outbound stands alone; give the homeserver a listener of its own");
	if (c->address.text != NULL && conf_address_is_ip(&c->address) &&
	    !conf_address_is_loopback(&c->address))
		load_fault(l, &c->address,
		    "address: '%s' can be reached from other machines, and outbound has no TLS; "
		    "use unix:/path or a loopback address",
		    c->address.text);
	if (c->proxied)
		load_fault(l, &c->proxied,
		    "proxy_protocol: has no meaning where the homeserver connects; set it to off");
	check_mode(l, c);
}

void
config_outbound_listener(struct load *l, struct listener_conf *c)
{
	if ((c->kind & LISTEN_OUTBOUND) != 0) {
		check_outbound(l, c);
		return;
	}
	if (c->service != NULL)
		load_fault(l, &c->service, "service: is only used with serves: [outbound]");
	if (c->socket_mode != NULL)
		load_fault(l, &c->socket_mode, "socket_mode: is only used with serves: [outbound]");
	if (c->address.unix_path != NULL)
		load_fault(l, &c->address,
		    "address: a unix socket is only possible with serves: [outbound]; write an IP "
		    "address with port");
}

static void
find_service(struct load *l, const struct proxy_conf *c, struct listener_conf *to)
{
	char normal[NAME_MAX_LEN + 1];

	if (to->service == NULL)
		return;
	to->only = proxy_conf_service_by_name(c, name_normal(str_z(to->service), normal));
	if (to->only == NULL)
		load_fault(l, &to->service,
		    "service: '%s' is not the server_name of a service of this file", to->service);
	else if (to->only->way_out.secret_file == NULL)
		load_fault(l, &to->service,
		    "service: '%s' has no outbound.secret_file, so its homeserver could not "
		    "authenticate; set it",
		    to->service);
}

/* Binding replaces the file of a unix socket: it must not be somebody else's. */
static void
check_socket(struct load *l, const struct conf_address *own, const struct conf_address *other,
    const char *what)
{
	if (other->unix_path != NULL && strcmp(own->unix_path, other->unix_path) == 0)
		load_fault(l, own, "address: '%s' is that of %s; choose another", own->text, what);
}

static void
check_sockets(struct load *l, const struct proxy_conf *c, const struct conf_address *own)
{
	check_socket(l, own, &c->admin, "admin");
	for (size_t i = 0; i < c->n_services; i++) {
		const struct service_conf *s = &c->services[i];

		for (size_t n = 0; n <= s->n_upstreams; n++) {
			const struct upstream_conf *u = service_upstream(s, n);

			for (size_t k = 0; u->address != NULL && k < u->addresses.n; k++)
				check_socket(l, own, &u->address[k], "a homeserver");
		}
	}
}

/* --- who may use them --- */

static bool
is_served(const struct proxy_conf *c, const struct service_conf *s)
{
	for (size_t i = 0; i < c->n_listeners; i++)
		if (c->listeners[i].kind == LISTEN_OUTBOUND &&
		    (c->listeners[i].service == NULL || c->listeners[i].only == s))
			return true;
	return false;
}

static void
check_use(struct load *l, struct proxy_conf *c)
{
	bool anybody = false;

	for (size_t i = 0; i < c->n_services; i++) {
		const struct service_conf *s = &c->services[i];

		if (s->way_out.secret_file == NULL)
			continue;
		anybody = true;
		if (!is_served(c, s))
			log_warn("%s: service %s: outbound.secret_file is set, but no listener "
				 "serves outbound for it; its homeserver cannot go out",
			    c->path, s->server_name != NULL ? s->server_name : "?");
	}
	for (size_t i = 0; !anybody && i < c->n_listeners; i++)
		if (c->listeners[i].kind == LISTEN_OUTBOUND && c->listeners[i].service == NULL)
			load_fault(l, &c->listeners[i].kind,
			    "serves: outbound, but no service has outbound.secret_file, so nobody "
			    "could use it; set it where a homeserver is to go out");
}

/* --- destinations that have nothing to do with the federation --- */

/* An IPv6 address as everybody writes it; the host of "*.name". */
static bool
check_host(struct load *l, struct allowed_conf *a)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr ip6;
	struct in_addr ip4;

	config_lower(a->host);
	if (inet_pton(AF_INET6, a->host, &ip6) == 1) {
		a->host =
		    arena_z(l->ctx.arena, str_z(inet_ntop(AF_INET6, &ip6, text, sizeof(text))));
		return a->host != NULL;
	}
	if (a->host[0] != '*')
		return setting_is_host(a->host);
	return a->host[1] == '.' && setting_is_host(a->host + 2) &&
	       inet_pton(AF_INET, a->host + 2, &ip4) != 1;
}

static void
check_allowed(struct load *l, const struct way_out_conf *w, size_t at, bool has_ca)
{
	struct allowed_conf *a = &w->allow[at];

	if (a->host == NULL)
		return;
	if (!check_host(l, a))
		load_fault(l, &a->host,
		    "host: '%s' is neither a host name nor *.name nor an IP address; write it "
		    "without scheme, port, path and brackets",
		    a->host);
	else if (a->host[0] == '*' && strchr(a->host + 2, '.') == NULL)
		load_fault(l, &a->host,
		    "host: '%s' is too much to be allowed; name the domain below it", a->host);
	for (size_t i = 0; i < at; i++)
		if (w->allow[i].host != NULL && w->allow[i].port == a->port &&
		    strcmp(w->allow[i].host, a->host) == 0)
			load_fault(l, &a->host, "host: '%s' with port %u appears twice; remove one",
			    a->host, (unsigned)a->port);
	if (a->inspect && !has_ca)
		load_fault(l, &a->inspect,
		    "inspect: needs outbound.ca_certificate and outbound.ca_key; make them with "
		    "schleuse-proxy --make-ca");
}

static void
check_way_out(struct load *l, struct way_out_conf *w, bool has_ca)
{
	if (w->secret_file == NULL && w->n_allow > 0)
		load_fault(l, &w->allow,
		    "allow: has no effect without outbound.secret_file of this service; set it, or "
		    "remove the list");
	for (size_t i = 0; i < w->n_allow; i++)
		check_allowed(l, w, i, has_ca);
}

/* --- the forward proxy --- */

static void
check_ca(struct load *l, struct forward_conf *f)
{
	if ((f->ca_certificate == NULL) == (f->ca_key == NULL))
		return;
	if (f->ca_key == NULL)
		load_fault(
		    l, &f->ca_certificate, "ca_certificate: goes together with ca_key; set it too");
	else
		load_fault(l, &f->ca_key, "ca_key: goes together with ca_certificate; set it too");
}

static void
set_proxy_key(struct load *l, struct forward_conf *f)
{
	const struct conf_address *a = &f->proxy_at;
	char key[DESTINATION_KEY_MAX];

	f->proxy_key = arena_dup(l->ctx.arena, destination_key_own(str_z(a->host), a->port, key));
	if (f->proxy_key.n == 0)
		load_fault(
		    l, &f->proxy, "proxy: '%s': too long a name, or out of memory", f->proxy);
}

static void
check_proxy(struct load *l, struct forward_conf *f)
{
	const char *why;

	if (f->proxy == NULL) {
		if (f->proxy_credentials_file != NULL)
			load_fault(l, &f->proxy_credentials_file,
			    "proxy_credentials_file: is only used with outbound.proxy");
		return;
	}
	why = conf_address_parse(l->ctx.arena, str_z(f->proxy), NULL, &f->proxy_at);
	if (why == NULL && (f->proxy_at.host == NULL || f->proxy_at.port == 0))
		why = "expected host:port";
	if (why != NULL)
		load_fault(l, &f->proxy, "proxy: '%s': %s", f->proxy, why);
	else
		set_proxy_key(l, f);
}

void
config_outbound(struct load *l, struct proxy_conf *c)
{
	bool has_ca = c->forward.ca_certificate != NULL || c->forward.ca_key != NULL;

	for (size_t i = 0; i < c->n_listeners; i++) {
		find_service(l, c, &c->listeners[i]);
		if (c->listeners[i].address.unix_path != NULL)
			check_sockets(l, c, &c->listeners[i].address);
	}
	for (size_t i = 0; i < c->n_services; i++)
		check_way_out(l, &c->services[i].way_out, has_ca);
	check_use(l, c);
	check_ca(l, &c->forward);
	check_proxy(l, &c->forward);
}
