/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <pthread.h>

#include "lib/net/connlimit.h"

static struct connlimit *l;

static void
setup(void)
{
	l = connlimit_new(100);
}

static void
teardown(void)
{
	connlimit_free(l);
}

TestSuite(connlimit, .init = setup, .fini = teardown);

Test(connlimit, is_full_at_the_configured_number)
{
	connlimit_enter(l);
	cr_expect_not(connlimit_full(l, 2));
	connlimit_enter(l);
	cr_expect(connlimit_full(l, 2));
	cr_expect(connlimit_full(l, 1), "a lower number may come with a reload");
	connlimit_leave(l);
	cr_expect_not(connlimit_full(l, 2));
}

Test(connlimit, is_full_at_what_the_process_can_bear)
{
	for (int i = 0; i < 99; i++)
		connlimit_enter(l);
	cr_expect_not(connlimit_full(l, 1000));
	connlimit_enter(l);
	cr_expect(connlimit_full(l, 1000));
}

Test(connlimit, is_told_once_until_there_is_room_again)
{
	for (int i = 0; i < 100; i++)
		connlimit_enter(l);
	cr_expect(connlimit_tell(l));
	cr_expect_not(connlimit_tell(l));
	connlimit_leave(l);
	connlimit_untell(l, 100);
	cr_expect_not(connlimit_tell(l));
	for (int i = 0; i < 20; i++)
		connlimit_leave(l);
	connlimit_untell(l, 100);
	cr_expect(connlimit_tell(l));
}

Test(connlimit, counts_each_party_for_itself)
{
	struct connlimit_party *a = connlimit_admit(l, STR("a"), 2), *b = connlimit_admit(l, STR("b"), 2);

	cr_assert(a != NULL && b != NULL && a != b);
	cr_expect_eq(connlimit_admit(l, STR("a"), 2), a);
	cr_expect_null(connlimit_admit(l, STR("a"), 2));
	cr_expect_eq(connlimit_admit(l, STR("b"), 2), b);
	connlimit_dismiss(l, a);
	cr_expect_eq(connlimit_admit(l, STR("a"), 2), a);
	connlimit_dismiss(l, a);
	connlimit_dismiss(l, a);
	connlimit_dismiss(l, b);
	connlimit_dismiss(l, b);
	connlimit_dismiss(l, NULL);
}

static void *
come_and_go(void *arg)
{
	uintptr_t refused = 0;

	for (int i = 0; i < 5000; i++) {
		char name = (char)('a' + i % 20);
		struct connlimit_party *p = connlimit_admit(l, str_of(&name, 1), 4);

		refused += p == NULL;
		connlimit_dismiss(l, p);
	}
	return (void *)refused;
}

Test(connlimit, threads_share_it)
{
	pthread_t threads[4];
	struct connlimit_party *p;

	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
	for (int i = 0; i < 4; i++) {
		void *refused;

		pthread_join(threads[i], &refused);
		cr_expect_null(refused);
	}
	p = connlimit_admit(l, STR("a"), 1); /* nothing is left of them */
	cr_assert_not_null(p);
	connlimit_dismiss(l, p);
}
