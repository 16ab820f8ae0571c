/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/outbound/place.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/hash.h"

/* What a CONNECT for the first endpoint says; an IPv6 address has brackets there. */
static char *
first_endpoint(const struct destination *d)
{
	char literal[ADDRESS_TEXT_MAX], *out;
	const char *host = d->endpoints[0].host;
	struct address a;
	size_t size;

	if (address_parse(str_z(host), 0, &a))
		host = address_text(&a, literal);
	size = strlen(host) + sizeof(":65535");
	out = malloc(size);
	if (out != NULL)
		snprintf(out, size, "%s:%u", host, d->endpoints[0].port);
	return out;
}

bool
place_make(struct place *p, const struct destination *d, const struct destination *proxy, bool tls)
{
	const struct destination *to = proxy != NULL ? proxy : d;

	*p = (struct place){ .tls = tls, .n = to->n };
	p->key = strdup(d->key);
	p->tls_name = strdup(d->tls_name);
	p->at = calloc(to->n + 1, sizeof(*p->at));
	if (proxy != NULL)
		p->through = first_endpoint(d);
	if (p->key == NULL || p->tls_name == NULL || p->at == NULL ||
	    (proxy != NULL && p->through == NULL)) {
		place_fini(p);
		return false;
	}
	for (size_t i = 0; i < to->n; i++)
		p->at[i] = to->at[i];
	return true;
}

void
place_fini(struct place *p)
{
	free(p->key);
	free(p->tls_name);
	free(p->through);
	free(p->at);
	*p = (struct place){ 0 };
}

uint64_t
place_hash(const struct place *p)
{
	return hash_str(str_z(p->key));
}

bool
place_is_of(const struct place *a, const struct place *b)
{
	return a->tls == b->tls && strcmp(a->key, b->key) == 0;
}

static bool
has(const struct place *p, const struct address *a)
{
	for (size_t i = 0; i < p->n; i++)
		if (address_eq(&p->at[i], a))
			return true;
	return false;
}

bool
place_is_same(const struct place *a, const struct place *b)
{
	if (a->n != b->n || strcmp(a->tls_name, b->tls_name) != 0 ||
	    (a->through == NULL) != (b->through == NULL) ||
	    (a->through != NULL && strcmp(a->through, b->through) != 0))
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!has(a, &b->at[i]) || !has(b, &a->at[i]))
			return false;
	return true;
}

void
place_reorder(struct place *p, const struct place *from)
{
	for (size_t i = 0; i < p->n; i++)
		p->at[i] = from->at[i];
}
