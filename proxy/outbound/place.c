/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/outbound/place.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/hash.h"

/* What a CONNECT for the first endpoint says; an IPv6 address has brackets there. */
static const char *
first_endpoint(const struct destination *d, char out[PLACE_THROUGH_MAX])
{
	char literal[ADDRESS_TEXT_MAX];
	const char *host = d->endpoints[0].host;
	struct address a;

	if (address_parse(str_z(host), 0, &a))
		host = address_text(&a, literal);
	snprintf(out, PLACE_THROUGH_MAX, "%s:%u", host, d->endpoints[0].port);
	return out;
}

struct place
place_of(const struct destination *d, const struct destination *proxy, bool tls,
    char through[PLACE_THROUGH_MAX])
{
	const struct destination *to = proxy != NULL ? proxy : d;

	return (struct place){ .tls = tls,
		.key = d->key,
		.tls_name = d->tls_name,
		.through = proxy != NULL ? first_endpoint(d, through) : NULL,
		.n = to->n,
		.at = to->at };
}

bool
place_copy(struct place *to, const struct place *from)
{
	struct address *at = calloc(from->n + 1, sizeof(*at));

	for (size_t i = 0; at != NULL && i < from->n; i++)
		at[i] = from->at[i];
	*to = (struct place){ .tls = from->tls,
		.key = strdup(from->key),
		.tls_name = strdup(from->tls_name),
		.through = from->through != NULL ? strdup(from->through) : NULL,
		.n = from->n,
		.at = at };
	if (to->key != NULL && to->tls_name != NULL && at != NULL &&
	    (from->through == NULL || to->through != NULL))
		return true;
	place_fini(to);
	return false;
}

void
place_fini(struct place *p)
{
	free((void *)(uintptr_t)p->key);
	free((void *)(uintptr_t)p->tls_name);
	free((void *)(uintptr_t)p->through);
	free((void *)(uintptr_t)p->at);
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
	struct address *at = (struct address *)(uintptr_t)p->at;

	for (size_t i = 0; i < p->n; i++)
		at[i] = from->at[i];
}
