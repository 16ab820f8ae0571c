/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "lib/base/str.h"

Test(str, cuts_at_the_first_separator)
{
	struct str head, rest;

	cr_assert(str_cut(STR("a.b.c"), '.', &head, &rest));
	cr_assert(str_eq(head, STR("a")));
	cr_assert(str_eq(rest, STR("b.c")));
	cr_assert_not(str_cut(STR("abc"), '.', &head, &rest));
	cr_assert(str_eq(head, STR("abc")));
	cr_assert_eq(rest.n, 0);
}

Test(str, reads_only_plain_decimal_numbers_up_to_the_limit)
{
	uint64_t v;

	cr_assert(str_to_u64(STR("65535"), 65535, &v));
	cr_assert_eq(v, 65535);
	cr_assert(str_to_u64(STR("18446744073709551615"), UINT64_MAX, &v));
	cr_assert_eq(v, UINT64_MAX);
	cr_assert_not(str_to_u64(STR("65536"), 65535, &v));
	cr_assert_not(str_to_u64(STR("18446744073709551616"), UINT64_MAX, &v));
	cr_assert_not(str_to_u64(STR(""), 9, &v));
	cr_assert_not(str_to_u64(STR("+1"), 9, &v));
	cr_assert_not(str_to_u64(STR(" 1"), 9, &v));
	cr_assert_not(str_to_u64(STR("1 "), 9, &v));
	cr_assert_not(str_to_u64(STR("0x1"), 9, &v));
}

Test(str, puts_slices_one_behind_the_other)
{
	char out[4] = "xxx";

	cr_assert_eq(str_put(str_put(str_put(out, STR("a")), STR_NONE), STR("b")), out + 2);
	cr_assert(str_eq(str_of(out, 3), STR("abx")));
}

Test(str, strip_takes_line_ends_too)
{
	cr_assert(str_eq(str_strip(STR(" \t\r\na b\n ")), STR("a b")));
	cr_assert(str_eq(str_trim(STR(" \ta b\n ")), STR("a b\n")));
	cr_assert_eq(str_strip(STR("\r\n ")).n, 0);
	cr_assert_eq(str_strip(STR_NONE).n, 0);
}
