/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fact/backoff.h"

#include <stdlib.h>

#include "lib/base/hash.h"
#include "lib/base/list.h"

struct failing {
	struct hash_node node;
	struct list place;
	clock_ms wait;
	size_t key_len;
	char key[];
};

struct backoff {
	struct hash keys;
	struct list recent; /* the latest failure first */
	clock_ms min, max;
	size_t max_keys;
};

struct backoff *
backoff_new(clock_ms min_ms, clock_ms max_ms, size_t max_keys)
{
	struct backoff *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	hash_init(&b->keys);
	list_init(&b->recent);
	b->min = min_ms;
	b->max = max_ms > min_ms ? max_ms : min_ms;
	b->max_keys = max_keys > 0 ? max_keys : 1;
	return b;
}

static void
drop(struct backoff *b, struct failing *f)
{
	hash_remove(&b->keys, &f->node);
	list_remove(&f->place);
	free(f);
}

void
backoff_free(struct backoff *b)
{
	struct list *node;

	if (b == NULL)
		return;
	while ((node = list_first(&b->recent)) != NULL)
		drop(b, LIST_ENTRY(node, struct failing, place));
	hash_fini(&b->keys);
	free(b);
}

static struct failing *
find(const struct backoff *b, struct str key, uint64_t hash)
{
	struct hash_node *n;

	for (n = hash_first(&b->keys, hash); n != NULL; n = hash_next(n)) {
		struct failing *f = HASH_ENTRY(n, struct failing, node);

		if (str_eq(str_of(f->key, f->key_len), key))
			return f;
	}
	return NULL;
}

static struct failing *
add(struct backoff *b, struct str key, uint64_t hash)
{
	struct failing *f = calloc(1, sizeof(*f) + key.n);

	if (f == NULL)
		return NULL;
	if (!hash_insert(&b->keys, &f->node, hash)) {
		free(f);
		return NULL;
	}
	list_init(&f->place);
	f->key_len = key.n;
	if (key.n > 0)
		memcpy(f->key, key.p, key.n);
	return f;
}

clock_ms
backoff_fail(struct backoff *b, struct str key)
{
	uint64_t hash = hash_str(key);
	struct failing *f = find(b, key, hash);

	if (f == NULL)
		f = add(b, key, hash);
	if (f == NULL)
		return b->min;
	f->wait = f->wait == 0 ? b->min : f->wait * 2;
	if (f->wait > b->max)
		f->wait = b->max;
	list_remove(&f->place);
	list_prepend(&b->recent, &f->place);
	if (b->keys.count > b->max_keys)
		drop(b, LIST_ENTRY(b->recent.prev, struct failing, place));
	return f->wait;
}

void
backoff_forget(struct backoff *b, struct str key)
{
	struct failing *f = find(b, key, hash_str(key));

	if (f != NULL)
		drop(b, f);
}
