/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/base/strmap.h"

Test(strmap, finds_each_key_and_no_other)
{
	static char names[1000][16];
	static struct strmap_entry entries[1000];
	struct strmap m;
	size_t v;

	for (size_t i = 0; i < 1000; i++) {
		snprintf(names[i], sizeof(names[i]), "host%zu", i * 7919 % 1000);
		entries[i] = (struct strmap_entry){ str_z(names[i]), i * 7919 % 1000 };
	}
	m = strmap_of(entries, 1000);
	for (size_t i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "host%zu", i);
		cr_assert(strmap_find(&m, str_z(name), &v), "%s", name);
		cr_assert_eq(v, i);
	}
	cr_assert_not(strmap_find(&m, STR("host"), &v));
	cr_assert_not(strmap_find(&m, STR("host1000"), &v));
	cr_assert_not(strmap_find(&m, STR(""), &v));
	m = strmap_of(NULL, 0);
	cr_assert_not(strmap_find(&m, STR("host1"), &v));
}
