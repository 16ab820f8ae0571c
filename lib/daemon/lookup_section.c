/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/daemon/lookup_section.h"

#include <arpa/inet.h>

#include "lib/matrix/name.h"
#include "lib/trust/agent.h"

/* clang-format off */
const struct conf_option lookup_host_rows[] = {
	{ "name", CONF_STRING, CONF_FIELD(struct lookup_host, name), NULL, 1, 255, CONF_RELOAD, "host name" },
	{ "address", CONF_STRING, CONF_FIELD(struct lookup_host, address), NULL, 1, 64, CONF_RELOAD, "IP address" },
	CONF_END
};
/* clang-format on */

/* An IP literal, with or without port ("[ip6]:port"). */
static bool
is_ip_with_port(struct arena *a, const char *s)
{
	struct conf_address ad;
	struct in6_addr ip6;
	struct in_addr ip4;

	if (inet_pton(AF_INET, s, &ip4) == 1 || inet_pton(AF_INET6, s, &ip6) == 1)
		return true;
	return conf_address_parse(a, str_z(s), NULL, &ad) == NULL && conf_address_is_ip(&ad) &&
	       ad.port != 0;
}

static void
check_host(struct load *l, struct lookup_host *h)
{
	struct server_name name;

	if (h->name != NULL)
		for (char *s = h->name; *s != '\0'; s++)
			*s = str_lower(*s);
	if (h->name != NULL && !name_parse(str_z(h->name), &name))
		load_fault(l, &h->name, "hosts: '%s' is not a host name", h->name);
	if (h->address != NULL && !is_ip_with_port(&l->scratch, h->address))
		load_fault(l, &h->address,
		    "hosts: '%s' is not an IP address; write ip, ip4:port or [ip6]:port",
		    h->address);
}

void
lookup_check(struct load *l, struct lookup_conf *c)
{
	for (size_t i = 0; i < c->nameservers.n; i++)
		if (c->nameservers.v[i] != NULL &&
		    !is_ip_with_port(&l->scratch, c->nameservers.v[i]))
			load_fault(l, &c->nameservers.v[i],
			    "nameservers: '%s' is not an IP address; write ip, ip4:port or "
			    "[ip6]:port",
			    c->nameservers.v[i]);
	for (size_t i = 0; i < c->n_hosts; i++)
		check_host(l, &c->hosts[i]);
	if (c->client_id != NULL && !agent_id_ok(str_z(c->client_id)))
		load_fault(l, &c->client_id,
		    "client_id: '%s' is no client id; it has 3 to 20 letters, digits and '-'",
		    c->client_id);
	if (!c->ca_system && c->ca_file == NULL)
		load_fault(l, &c->ca_system,
		    "ca_system: false leaves no CA at all; set ca_file or make it true");
}
