/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/proven.h"

#include <sodium.h>
#include <stdlib.h>

#define WAYS 8
#define DIGEST 32

struct place {
	unsigned char digest[DIGEST];
	clock_ms until;
};

struct proven {
	unsigned char key[crypto_generichash_KEYBYTES];
	size_t n; /* sets, a power of two */
	struct place places[];
};

struct proven *
proven_new(size_t places)
{
	size_t n = 1;
	struct proven *p;

	while (n * WAYS < places)
		n *= 2;
	p = calloc(1, sizeof(*p) + n * WAYS * sizeof(p->places[0]));
	if (p == NULL)
		return NULL;
	p->n = n;
	randombytes_buf(p->key, sizeof(p->key));
	return p;
}

void
proven_free(struct proven *p)
{
	if (p == NULL)
		return;
	sodium_memzero(p->key, sizeof(p->key));
	free(p);
}

/* The set where it would be, and its digest there.  The name is hashed with its NUL, so that no
 * name and secret read like others. */
static size_t
find(
    const struct proven *p, const struct client *c, struct str secret, unsigned char digest[DIGEST])
{
	crypto_generichash_state state;
	uint64_t set;

	crypto_generichash_init(&state, p->key, sizeof(p->key), DIGEST);
	crypto_generichash_update(&state, (const unsigned char *)c->id, strlen(c->id) + 1);
	crypto_generichash_update(&state, (const unsigned char *)&c->mark, sizeof(c->mark));
	crypto_generichash_update(&state, (const unsigned char *)secret.p, secret.n);
	crypto_generichash_final(&state, digest, DIGEST);
	memcpy(&set, digest, sizeof(set));
	return (size_t)(set & (p->n - 1)) * WAYS;
}

bool
proven_has(const struct proven *p, const struct client *c, struct str secret, clock_ms now)
{
	unsigned char digest[DIGEST];
	size_t at = find(p, c, secret, digest);

	for (size_t i = 0; i < WAYS; i++)
		if (p->places[at + i].until > now &&
		    sodium_memcmp(p->places[at + i].digest, digest, DIGEST) == 0)
			return true;
	return false;
}

void
proven_put(struct proven *p, const struct client *c, struct str secret, clock_ms until)
{
	unsigned char digest[DIGEST];
	size_t at = find(p, c, secret, digest);
	struct place *oldest = &p->places[at];

	for (size_t i = 0; i < WAYS; i++) {
		struct place *one = &p->places[at + i];

		if (memcmp(one->digest, digest, DIGEST) == 0) {
			oldest = one;
			break;
		}
		if (one->until < oldest->until)
			oldest = one;
	}
	memcpy(oldest->digest, digest, DIGEST);
	oldest->until = until;
}
