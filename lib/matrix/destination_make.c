/* SPDX-License-Identifier: Apache-2.0 */
/*
 * destination_make - the parts of destination that need no loop.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/matrix/destination_int.h"

struct str
destination_key_host(struct str host, uint16_t port, char out[DESTINATION_KEY_MAX])
{
	bool bare = str_chr(host, ':') != NULL && !str_has_prefix(host, STR("["));
	int n = snprintf(out, DESTINATION_KEY_MAX, bare ? "@[" STR_FMT "]:%u" : "@" STR_FMT ":%u",
	    STR_ARG(host), port);

	return n > 0 && n < DESTINATION_KEY_MAX ? str_of(out, (size_t)n) : STR_NONE;
}

struct str
destination_key_own(struct str host, uint16_t port, char out[DESTINATION_KEY_MAX])
{
	struct str key = destination_key_host(host, port, out);

	if (key.n > 0)
		out[0] = '=';
	return key;
}

static bool
same_host(struct str a, struct str b)
{
	struct address x, y;

	if (!address_parse(a, 0, &x) || !address_parse(b, 0, &y))
		return str_eq_ci(a, b);
	return address_eq(&x, &y);
}

bool
destination_is_at(const struct destination *d, struct str host, uint16_t port)
{
	if (host.n > 0 && host.p[host.n - 1] == '.')
		host.n--;
	for (size_t i = 0; i < d->n_endpoints; i++)
		if (d->endpoints[i].port == port && same_host(str_z(d->endpoints[i].host), host))
			return true;
	return false;
}

/* The first of the wanted family from v[*at] on. */
static const struct address *
next_of(const struct address *v, size_t n, size_t *at, sa_family_t family, bool private_addresses)
{
	while (*at < n) {
		const struct address *a = &v[(*at)++];

		if (a->sa.sa_family == family && (private_addresses || address_is_public(&a->sa)))
			return a;
	}
	return NULL;
}

void
destination_leg_take(
    struct destination_leg *leg, const struct address *v, size_t n, bool private_addresses)
{
	size_t at6 = 0, at4 = 0;
	const struct address *six, *four;

	leg->n = 0;
	do {
		six = next_of(v, n, &at6, AF_INET6, private_addresses);
		four = next_of(v, n, &at4, AF_INET, private_addresses);
		if (six != NULL && leg->n < RESOLVER_MAX_ANSWERS)
			leg->at[leg->n++] = *six;
		if (four != NULL && leg->n < RESOLVER_MAX_ANSWERS)
			leg->at[leg->n++] = *four;
	} while (six != NULL || four != NULL);
	leg->err = leg->n > 0 ? OK : ERR_ADDRESS;
}

static void
free_destination(struct snapshot *s)
{
	free(s); /* one piece of memory */
}

static const char *
put(char **at, struct str s)
{
	char *here = *at, *end = str_put(here, s);

	*end = '\0';
	*at = end + 1;
	return here;
}

static void
add_address(struct address *to, size_t *n, const struct address *a)
{
	for (size_t i = 0; i < *n; i++)
		if (address_eq(&to[i], a))
			return;
	if (*n < DESTINATION_ADDRESSES_MAX)
		to[(*n)++] = *a;
}

/* A literal that was filtered is no endpoint: a proxy in between must not be told of it. */
static size_t
put_endpoints(struct destination_endpoint *to, char **texts, const struct destination_plan *plan)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->n_legs; i++) {
		const struct destination_leg *leg = &plan->legs[i];

		if (leg->err == ERR_ADDRESS)
			continue;
		to[n].host = put(texts, leg->host);
		to[n++].port = leg->port;
	}
	return n;
}

struct destination *
destination_make(const struct destination_plan *plan)
{
	size_t texts = plan->key.n + plan->tls_name.n + plan->host.n + 3;
	size_t endpoints = plan->n_legs * sizeof(struct destination_endpoint);
	size_t addresses = DESTINATION_ADDRESSES_MAX * sizeof(struct address);
	struct destination_endpoint *to;
	struct destination *d;
	struct address *at;
	char *text;

	for (size_t i = 0; i < plan->n_legs; i++)
		texts += plan->legs[i].host.n + 1;
	d = calloc(1, sizeof(*d) + endpoints + addresses + texts);
	if (d == NULL)
		return NULL;
	snapshot_init(&d->fact.snap, free_destination);
	to = (struct destination_endpoint *)(d + 1);
	at = (struct address *)(void *)((char *)to + endpoints);
	text = (char *)at + addresses;
	d->key = put(&text, plan->key);
	d->tls_name = put(&text, plan->tls_name);
	d->host = put(&text, plan->host);
	d->endpoints = to;
	d->n_endpoints = put_endpoints(to, &text, plan);
	d->at = at;
	for (size_t i = 0; i < plan->n_legs; i++)
		for (size_t k = 0; k < plan->legs[i].n; k++)
			add_address(at, &d->n, &plan->legs[i].at[k]);
	return d;
}
