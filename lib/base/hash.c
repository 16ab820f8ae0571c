/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/hash.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

static unsigned char key[crypto_shorthash_KEYBYTES];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
draw_key(void)
{
	randombytes_buf(key, sizeof(key));
}

uint64_t
hash_str(struct str s)
{
	unsigned char out[crypto_shorthash_BYTES];
	uint64_t v;

	pthread_once(&once, draw_key);
	crypto_shorthash(out, (const unsigned char *)s.p, s.n, key);
	memcpy(&v, out, sizeof(v));
	return v;
}

void
hash_init(struct hash *h)
{
	*h = (struct hash){ 0 };
}

void
hash_fini(struct hash *h)
{
	free(h->buckets);
	*h = (struct hash){ 0 };
}

static bool
grow(struct hash *h)
{
	size_t size = h->size > 0 ? h->size * 2 : 16;
	struct hash_node **buckets = calloc(size, sizeof(*buckets));

	if (buckets == NULL)
		return false;
	for (size_t i = 0; i < h->size; i++) {
		struct hash_node *n = h->buckets[i], *next;

		for (; n != NULL; n = next) {
			next = n->next;
			n->next = buckets[n->hash & (size - 1)];
			buckets[n->hash & (size - 1)] = n;
		}
	}
	free(h->buckets);
	h->buckets = buckets;
	h->size = size;
	return true;
}

bool
hash_insert(struct hash *h, struct hash_node *n, uint64_t hash)
{
	/* A table that cannot grow still works, only slower; one without buckets does not. */
	if (h->count >= h->size && !grow(h) && h->size == 0)
		return false;
	n->hash = hash;
	n->next = h->buckets[hash & (h->size - 1)];
	h->buckets[hash & (h->size - 1)] = n;
	h->count++;
	return true;
}

void
hash_remove(struct hash *h, struct hash_node *n)
{
	struct hash_node **at = &h->buckets[n->hash & (h->size - 1)];

	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	h->count--;
}

struct hash_node *
hash_first(const struct hash *h, uint64_t hash)
{
	struct hash_node *n = h->size > 0 ? h->buckets[hash & (h->size - 1)] : NULL;

	while (n != NULL && n->hash != hash)
		n = n->next;
	return n;
}

struct hash_node *
hash_next(const struct hash_node *n)
{
	uint64_t hash = n->hash;

	for (n = n->next; n != NULL && n->hash != hash;)
		n = n->next;
	return (struct hash_node *)(uintptr_t)n;
}
