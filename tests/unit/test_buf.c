/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "lib/base/buf.h"

Test(buf, keeps_bytes_in_order_however_they_come_and_go)
{
	struct buf b;
	unsigned char in = 0, out = 0;

	buf_init(&b, 1 << 20);
	for (int round = 0; round < 2000; round++) {
		char piece[997];
		size_t n = (size_t)(round * 31 % 997);

		for (size_t i = 0; i < n; i++)
			piece[i] = (char)in++;
		cr_assert(buf_put(&b, str_of(piece, n)));
		n = (size_t)(round * 57 % 1009);
		for (size_t i = 0; i < n && buf_len(&b) > 0; i++) {
			cr_assert_eq((unsigned char)buf_str(&b).p[0], out++);
			buf_consume(&b, 1);
		}
	}
	while (buf_len(&b) > 0) {
		cr_assert_eq((unsigned char)buf_str(&b).p[0], out++);
		buf_consume(&b, 1);
	}
	cr_assert_eq(in, out);
	buf_fini(&b);
}

Test(buf, stays_as_it_was_at_its_ceiling)
{
	struct buf b;

	buf_init(&b, 20000);
	for (int i = 0; i < 2000; i++)
		cr_assert(buf_put(&b, STR("0123456789")));
	cr_assert_not(buf_put(&b, STR("x")));
	cr_assert_not(buf_printf(&b, "%d", 1));
	cr_assert_null(buf_reserve(&b, 1));
	cr_assert_null(buf_reserve(&b, SIZE_MAX));
	cr_assert_eq(buf_len(&b), 20000);
	cr_assert(str_has_suffix(buf_str(&b), STR("0123456789")));
	buf_consume(&b, 5);
	cr_assert(buf_put(&b, STR("abcde"))); /* the ceiling is for what is inside */
	cr_assert(str_has_suffix(buf_str(&b), STR("789abcde")));
	buf_fini(&b);
}

Test(buf, takes_nothing_for_nothing)
{
	struct buf b;

	buf_init(&b, 0);
	cr_assert(buf_put(&b, STR_NONE));
	cr_assert_eq(buf_str(&b).n, 0);
	cr_assert_not(buf_put(&b, STR("x")));
	buf_release(&b);
	buf_fini(&b);
}

Test(buf, gives_its_memory_back_only_when_empty)
{
	struct buf b;

	buf_init(&b, 100);
	cr_assert(buf_put(&b, STR("ab")));
	buf_release(&b);
	cr_assert(str_eq(buf_str(&b), STR("ab")));
	buf_consume(&b, 2);
	buf_release(&b);
	cr_assert_null(b.mem);
	cr_assert(buf_put(&b, STR("cd")));
	cr_assert(str_eq(buf_str(&b), STR("cd")));
	buf_fini(&b);
}

Test(buf, shows_what_was_committed_of_a_reservation)
{
	struct buf b;
	char *p;

	buf_init(&b, 1 << 20);
	p = buf_reserve(&b, 50000);
	cr_assert_not_null(p);
	cr_assert_geq(buf_space(&b), 50000);
	memcpy(p, "abc", 3);
	buf_commit(&b, 3);
	cr_assert(str_eq(buf_str(&b), STR("abc")));
	cr_assert(buf_printf(&b, "%s=%d", "x", 7));
	cr_assert(str_eq(buf_str(&b), STR("abcx=7")));
	buf_fini(&b);
}
