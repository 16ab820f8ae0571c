/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "lib/base/budget.h"

static unsigned
takes(struct budget *b, unsigned max, clock_ms now)
{
	unsigned n = 0;

	while (n < 10000 && budget_take(b, max, 1000, now))
		n++;
	return n;
}

Test(budget, a_zeroed_one_is_full)
{
	struct budget b = { 0 };

	cr_assert_eq(takes(&b, 10, 5000000), 10);
	cr_assert_eq(takes(&b, 10, 5000000), 0);
}

Test(budget, refills_with_time)
{
	struct budget b = { 0 };

	takes(&b, 10, 5000000);
	cr_assert_eq(takes(&b, 10, 5000099), 0);
	cr_assert_eq(takes(&b, 10, 5000100), 1);
	cr_assert_eq(takes(&b, 10, 5000450), 3);
	cr_assert_eq(takes(&b, 10, 5000500), 1, "the rest of a token is not lost");
	cr_assert_eq(takes(&b, 10, 5900000), 10, "never more than all");
}

Test(budget, small_steps_add_up)
{
	struct budget b = { 0 };
	unsigned n = 0;

	takes(&b, 7, 1000000);
	for (clock_ms now = 1000001; now <= 1010000; now++)
		n += budget_take(&b, 7, 1000, now);
	cr_assert_geq(n, 69);
	cr_assert_leq(n, 70);
}

Test(budget, what_is_given_back_can_be_taken)
{
	struct budget b = { 0 };

	takes(&b, 5, 1000000);
	budget_give(&b, 2);
	cr_assert_eq(takes(&b, 5, 1000000), 2);
	budget_give(&b, 100);
	cr_assert_eq(takes(&b, 5, 1000000), 5);
}

Test(budget, follows_a_changed_limit)
{
	struct budget b = { 0 };

	takes(&b, 10, 1000000);
	cr_assert_eq(takes(&b, 15, 1000000), 5);
	cr_assert_not(budget_take(&b, 3, 1000, 1000000));
}
