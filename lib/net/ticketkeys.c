/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/ticketkeys.h"

#include <sodium.h>
#include <stdlib.h>

_Static_assert(sizeof(struct tls_ticket_key) == 80, "a record of a key file");

static void
tickets_free(struct snapshot *s)
{
	struct tls_tickets *t = (struct tls_tickets *)s;

	sodium_memzero(t->keys, sizeof(t->keys));
	free(t);
}

struct tls_tickets *
tls_tickets_of(const struct tls_ticket_key *keys, size_t n)
{
	struct tls_tickets *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	snapshot_init(&t->snap, tickets_free);
	t->n = n < TLS_TICKET_KEYS ? n : TLS_TICKET_KEYS;
	memcpy(t->keys, keys, t->n * sizeof(*keys));
	return t;
}

struct tls_tickets *
tls_tickets_rotate(const struct tls_tickets *old)
{
	struct tls_ticket_key keys[TLS_TICKET_KEEP];
	struct tls_tickets *t;
	size_t n = 1;

	randombytes_buf(&keys[0], sizeof(keys[0]));
	for (size_t i = 0; old != NULL && i < old->n && n < TLS_TICKET_KEEP; i++)
		keys[n++] = old->keys[i];
	t = tls_tickets_of(keys, n);
	sodium_memzero(keys, sizeof(keys));
	return t;
}

size_t
tls_tickets_read(struct str file, struct tls_ticket_key keys[TLS_TICKET_KEYS])
{
	size_t n = file.n / sizeof(*keys);

	if (n == 0 || n > TLS_TICKET_KEYS || file.n % sizeof(*keys) != 0)
		return 0;
	memcpy(keys, file.p, file.n);
	for (size_t i = 1; i < n; i++)
		for (size_t k = 0; k < i; k++)
			if (memcmp(keys[i].name, keys[k].name, sizeof(keys[i].name)) == 0)
				return 0;
	return n;
}
