/* SPDX-License-Identifier: Apache-2.0 */
/* Guessing is slowed down, and locks nobody out. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/daemon/guard.h"

static const struct guard_conf conf = {
	.failures = 3, .forget = 1000, .delay = 100, .delay_max = 250, .places = 64
};
static const struct guard_series series;
static struct guard *g;

static void
setup(void)
{
	g = guard_new(&conf, &series);
	cr_assert_not_null(g);
}

static void
teardown(void)
{
	guard_free(g);
}

/* What an attempt that nobody goes on with would have to wait. */
static clock_ms
wait_of(const char *peer, clock_ms now)
{
	clock_ms wait = guard_enter(g, peer, now);

	if (wait == 0)
		guard_leave(g, peer);
	return wait;
}

static void
fail(const char *peer, const char *id, int n)
{
	while (n-- > 0)
		guard_failed(g, peer, str_z(id), 10000);
}

TestSuite(guard, .init = setup, .fini = teardown);

Test(guard, an_address_has_to_wait_after_some_failures)
{
	fail("192.0.2.1", "p", 2);
	cr_assert_eq(wait_of("192.0.2.1", 10000), 0);
	fail("192.0.2.1", "q", 1);
	cr_assert_eq(wait_of("192.0.2.1", 10000), 1000);
	cr_assert_eq(wait_of("192.0.2.1", 10999), 1);
	cr_assert_eq(wait_of("192.0.2.1", 11000), 0);
}

Test(guard, others_do_not_have_to)
{
	fail("192.0.2.1", "p", 50);
	cr_assert_eq(wait_of("192.0.2.2", 10000), 0);
	fail("2001:db8:0:1::1", "p", 50);
	cr_assert_gt(wait_of("2001:db8:0:1::2", 10000), 0, "the same /64");
	cr_assert_eq(wait_of("2001:db8:0:2::1", 10000), 0);
}

Test(guard, attempts_under_way_count_until_they_are_over)
{
	fail("192.0.2.1", "p", 1);
	cr_assert_eq(guard_enter(g, "192.0.2.1", 10000), 0);
	cr_assert_eq(guard_enter(g, "192.0.2.1", 10000), 0);
	cr_assert_gt(guard_enter(g, "192.0.2.1", 10000), 0, "two and one that failed");
	cr_assert_eq(wait_of("192.0.2.2", 10000), 0);
	guard_leave(g, "192.0.2.1");
	cr_assert_eq(guard_enter(g, "192.0.2.1", 10000), 0, "one was right");
	guard_abandoned(g, "192.0.2.1", 10000);
	cr_assert_gt(guard_enter(g, "192.0.2.1", 10000), 0, "going away is no way around it");
	fail("192.0.2.1", "p", 1);
	cr_assert_eq(wait_of("192.0.2.1", 10000), 1000, "none is under way, three have failed");
}

Test(guard, failures_for_one_client_are_answered_later_and_later)
{
	cr_assert_eq(guard_failed(g, "192.0.2.1", STR("p"), 10000), 0);
	cr_assert_eq(guard_failed(g, "192.0.2.2", STR("p"), 10000), 100);
	cr_assert_eq(guard_failed(g, "192.0.2.3", STR("p"), 10000), 200);
	cr_assert_eq(guard_failed(g, "192.0.2.4", STR("p"), 10000), 250);
	cr_assert_eq(guard_failed(g, "192.0.2.5", STR("q"), 10000), 0);
	cr_assert_eq(guard_failed(g, "192.0.2.6", STR("p"), 20000), 0, "forgotten");
}

Test(guard, a_crowd_does_not_wash_out_who_failed_often)
{
	char peer[32];

	fail("192.0.2.1", "p", 200);
	for (int i = 0; i < 2000; i++) {
		snprintf(peer, sizeof(peer), "198.51.%d.%d", i / 250, i % 250);
		fail(peer, "", 1);
	}
	cr_assert_gt(wait_of("192.0.2.1", 10000), 0);
}
