/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "lib/fact/recall.h"

Test(recall, remembers_until_the_time)
{
	struct recall *r = recall_new(4);

	recall_note(r, STR("a"), 100);
	cr_assert(recall_has(r, STR("a"), 99));
	cr_assert_not(recall_has(r, STR("a"), 100));
	cr_assert_not(recall_has(r, STR("b"), 1));
	recall_note(r, STR("a"), 200);
	cr_assert(recall_has(r, STR("a"), 100));
	recall_free(r);
}

Test(recall, forgets_the_key_noted_longest_ago_when_full)
{
	struct recall *r = recall_new(2);

	recall_note(r, STR("a"), 100);
	recall_note(r, STR("b"), 100);
	recall_note(r, STR("a"), 100);
	recall_note(r, STR("c"), 100);
	cr_assert(recall_has(r, STR("a"), 1));
	cr_assert_not(recall_has(r, STR("b"), 1));
	cr_assert(recall_has(r, STR("c"), 1));
	recall_free(r);
}
