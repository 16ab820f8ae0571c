/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "lib/base/hash.h"

struct item {
	int value;
	struct hash_node node;
};

static struct item *
find(const struct hash *h, uint64_t hash, int value)
{
	for (struct hash_node *n = hash_first(h, hash); n != NULL; n = hash_next(n))
		if (HASH_ENTRY(n, struct item, node)->value == value)
			return HASH_ENTRY(n, struct item, node);
	return NULL;
}

Test(hash, finds_what_was_inserted_and_not_what_was_removed)
{
	static struct item items[5000];
	struct hash h;

	hash_init(&h);
	cr_assert_null(hash_first(&h, 1));
	for (int i = 0; i < 5000; i++) {
		items[i].value = i;
		/* Few hashes, so that chains of equal ones are walked. */
		cr_assert(hash_insert(&h, &items[i].node, (uint64_t)(i % 1000)));
	}
	cr_assert_eq(h.count, 5000);
	for (int i = 0; i < 5000; i += 2)
		hash_remove(&h, &items[i].node);
	cr_assert_eq(h.count, 2500);
	for (int i = 0; i < 5000; i++)
		cr_assert_eq(find(&h, (uint64_t)(i % 1000), i), i % 2 ? &items[i] : NULL, "%d", i);
	hash_fini(&h);
	cr_assert_null(hash_first(&h, 1));
}

Test(hash, does_not_mix_hashes_of_one_bucket)
{
	struct item a = { .value = 1 }, b = { .value = 2 };
	struct hash h;

	hash_init(&h);
	cr_assert(hash_insert(&h, &a.node, 16));
	cr_assert(hash_insert(&h, &b.node, 32));
	cr_assert_eq(hash_first(&h, 16), &a.node);
	cr_assert_null(hash_next(&a.node));
	cr_assert_eq(hash_first(&h, 32), &b.node);
	cr_assert_null(hash_first(&h, 48));
	hash_fini(&h);
}

Test(hash, is_the_same_for_equal_bytes_only)
{
	char copy[] = "a.example";

	cr_assert_eq(hash_str(STR("a.example")), hash_str(str_z(copy)));
	cr_assert_neq(hash_str(STR("a.example")), hash_str(STR("b.example")));
	cr_assert_eq(hash_str(STR_NONE), hash_str(STR("")));
}
