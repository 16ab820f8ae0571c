/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fact/recall.h"

#include <stdlib.h>

#include "lib/base/hash.h"
#include "lib/base/list.h"

struct known {
	struct hash_node node;
	struct list place;
	clock_ms until;
	size_t key_len;
	char key[];
};

struct recall {
	struct hash keys;
	struct list recent; /* the latest note first */
	size_t max_keys;
};

struct recall *
recall_new(size_t max_keys)
{
	struct recall *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	hash_init(&r->keys);
	list_init(&r->recent);
	r->max_keys = max_keys > 0 ? max_keys : 1;
	return r;
}

static void
drop(struct recall *r, struct known *k)
{
	hash_remove(&r->keys, &k->node);
	list_remove(&k->place);
	free(k);
}

void
recall_free(struct recall *r)
{
	struct list *node;

	if (r == NULL)
		return;
	while ((node = list_first(&r->recent)) != NULL)
		drop(r, LIST_ENTRY(node, struct known, place));
	hash_fini(&r->keys);
	free(r);
}

static struct known *
find(const struct recall *r, struct str key, uint64_t hash)
{
	struct hash_node *n;

	for (n = hash_first(&r->keys, hash); n != NULL; n = hash_next(n)) {
		struct known *k = HASH_ENTRY(n, struct known, node);

		if (str_eq(str_of(k->key, k->key_len), key))
			return k;
	}
	return NULL;
}

static struct known *
add(struct recall *r, struct str key, uint64_t hash)
{
	struct known *k = calloc(1, sizeof(*k) + key.n);

	if (k == NULL)
		return NULL;
	if (!hash_insert(&r->keys, &k->node, hash)) {
		free(k);
		return NULL;
	}
	list_init(&k->place);
	k->key_len = key.n;
	str_put(k->key, key);
	return k;
}

void
recall_note(struct recall *r, struct str key, clock_ms until)
{
	uint64_t hash = hash_str(key);
	struct known *k = find(r, key, hash);

	if (k == NULL)
		k = add(r, key, hash);
	if (k == NULL)
		return;
	k->until = until;
	list_remove(&k->place);
	list_prepend(&r->recent, &k->place);
	if (r->keys.count > r->max_keys)
		drop(r, LIST_ENTRY(r->recent.prev, struct known, place));
}

bool
recall_has(const struct recall *r, struct str key, clock_ms now)
{
	const struct known *k = find(r, key, hash_str(key));

	return k != NULL && now < k->until;
}
