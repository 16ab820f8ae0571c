/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/queue/rejected.h"

#include <stdlib.h>

#define KEY_OF(member_node) LIST_ENTRY(member_node, struct rejected_key, age)

static void
forget(struct rejected *r, struct rejected_key *k)
{
	hash_remove(&r->keys, &k->node);
	list_remove(&k->age);
	free(k);
}

static struct rejected_key *
find(const struct rejected *r, struct mark m)
{
	for (struct hash_node *n = hash_first(&r->keys, m.v[0]); n != NULL; n = hash_next(n)) {
		struct rejected_key *k = HASH_ENTRY(n, struct rejected_key, node);

		if (mark_eq(k->mark, m))
			return k;
	}
	return NULL;
}

static void
shrink(struct rejected *r, uint64_t max)
{
	while (r->keys.count > max)
		forget(r, KEY_OF(list_first(&r->ages)));
}

void
rejected_init(struct rejected *r, clock_ms lifetime, uint64_t max)
{
	hash_init(&r->keys);
	list_init(&r->ages);
	rejected_limit(r, lifetime, max);
}

void
rejected_fini(struct rejected *r)
{
	shrink(r, 0);
	hash_fini(&r->keys);
}

void
rejected_limit(struct rejected *r, clock_ms lifetime, uint64_t max)
{
	r->lifetime = (int64_t)(lifetime / 1000);
	r->max = max;
	shrink(r, max);
}

void
rejected_pass(struct rejected *r, int64_t now)
{
	struct list *node;

	while ((node = list_first(&r->ages)) != NULL && KEY_OF(node)->since < now - r->lifetime)
		forget(r, KEY_OF(node));
}

struct rejected_key *
rejected_add(struct rejected *r, struct mark m, int64_t since)
{
	struct rejected_key *k = find(r, m);

	if (r->max == 0)
		return NULL;
	if (k != NULL) {
		list_remove(&k->age);
	} else {
		k = calloc(1, sizeof(*k));
		if (k == NULL || !hash_insert(&r->keys, &k->node, m.v[0])) {
			free(k);
			return NULL;
		}
	}
	k->mark = m;
	k->since = since;
	list_append(&r->ages, &k->age);
	shrink(r, r->max);
	return k;
}

bool
rejected_has(struct rejected *r, struct mark m, int64_t pushkey_ts)
{
	struct rejected_key *k = find(r, m);

	if (k != NULL && pushkey_ts > k->since) {
		forget(r, k);
		return false;
	}
	return k != NULL;
}
