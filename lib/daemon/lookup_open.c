/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup_open - apart from the rows, so that who only reads a configuration does not need the loop.
 */
#include <stdlib.h>

#include "lib/daemon/lookup_section.h"

struct resolver *
lookup_resolver(struct loop *loop, const struct lookup_conf *c)
{
	struct resolver_host *hosts = calloc(c->n_hosts + 1, sizeof(*hosts));
	struct resolver_config cfg = { .hosts = hosts,
		.n_hosts = c->n_hosts,
		.nameservers = (const char *const *)c->nameservers.v,
		.n_nameservers = c->nameservers.n };
	struct resolver *r;

	if (hosts == NULL)
		return NULL;
	for (size_t i = 0; i < c->n_hosts; i++)
		hosts[i] = (struct resolver_host){ .name = c->hosts[i].name,
			.address = c->hosts[i].address };
	r = resolver_new(loop, &cfg);
	free(hosts);
	return r;
}

struct fetcher *
lookup_fetcher(struct loop *loop, struct resolver *resolver, const struct lookup_conf *c,
    const struct fetch_proxy *proxy)
{
	const struct fetcher_config fc = { .resolver = resolver,
		.ca_file = c->ca_file,
		.ca_system = c->ca_system,
		.private_addresses = c->private_addresses,
		.proxy = proxy };

	return fetcher_new(loop, &fc);
}
