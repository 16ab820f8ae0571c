/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/federation/digests.h"

#include <criterion/criterion.h>
#include <stdio.h>

static void
add(struct digests *d, const struct digest *e)
{
	cr_assert(digests_room(d));
	d->v[d->n++] = *e;
}

static struct digest
numbered(unsigned i)
{
	struct digest e = { 0 };
	char text[24];

	digest_of(str_of(text, (size_t)snprintf(text, sizeof(text), "%u.example.org", i)), &e);
	return e;
}

Test(digests, is_sha256)
{
	static const unsigned char abc[] = { 0xba, 0x78, 0x16, 0xbf };
	struct digest e;

	digest_of(STR("abc"), &e);
	cr_assert_eq(memcmp(e.bytes, abc, sizeof(abc)), 0);
}

Test(digests, empty)
{
	struct digests d = { 0 };
	struct digest e = numbered(1);

	cr_assert(digests_sort(&d));
	cr_assert_null(digests_find(&d, &e));
	digests_fini(&d);
}

Test(digests, finds_each_of_many_and_no_other)
{
	struct digests d = { 0 };

	for (unsigned i = 0; i < 5000; i++) {
		struct digest e = numbered(i);

		e.flag = i % 3 == 0;
		add(&d, &e);
	}
	cr_assert(digests_sort(&d));
	cr_assert_eq(d.n, 5000);
	for (unsigned i = 0; i < 10000; i++) {
		struct digest e = numbered(i);
		const struct digest *found = digests_find(&d, &e);

		cr_assert_eq(found != NULL, i < 5000, "%u", i);
		cr_assert(found == NULL || found->flag == (i % 3 == 0));
	}
	digests_fini(&d);
}

Test(digests, keeps_one_of_each_flagged_if_any_was)
{
	struct digests d = { 0 };

	for (unsigned i = 0; i < 300; i++) {
		struct digest e = numbered(i % 3);

		e.flag = i == 200; /* 200 % 3 == 2 */
		add(&d, &e);
	}
	cr_assert(digests_sort(&d));
	cr_assert_eq(d.n, 3);
	for (unsigned i = 0; i < 3; i++) {
		struct digest e = numbered(i);

		cr_assert_eq(digests_find(&d, &e)->flag, i == 2);
	}
	digests_fini(&d);
}

/* Nobody can make such names, but a list may carry any hash. */
Test(digests, made_to_look_alike)
{
	struct digests d = { 0 };
	struct digest e = { 0 };

	for (unsigned i = 0; i < 3000; i++) {
		e.bytes[30] = (unsigned char)(i >> 8);
		e.bytes[31] = (unsigned char)i;
		add(&d, &e);
	}
	memset(e.bytes, 0xff, sizeof(e.bytes));
	add(&d, &e);
	cr_assert(digests_sort(&d));
	cr_assert_eq(d.n, 3001);
	cr_assert_not_null(digests_find(&d, &e));
	for (unsigned i = 0; i < 3000; i++) {
		memset(e.bytes, 0, sizeof(e.bytes));
		e.bytes[30] = (unsigned char)(i >> 8);
		e.bytes[31] = (unsigned char)i;
		cr_assert_not_null(digests_find(&d, &e));
	}
	e.bytes[0] = 1;
	cr_assert_null(digests_find(&d, &e));
	digests_fini(&d);
}
