/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "lib/http/pace.h"

#define BEGIN UINT64_C(5000000)
#define WINDOW 10000

static const struct pace_rule rule = { .rate = 500, .window = WINDOW }, none = { .window = WINDOW };
static struct pace p;
static clock_ms now;

static void
setup(void)
{
	now = BEGIN;
	pace_init(&p, &rule);
	pace_wait(&p, now, true);
}

TestSuite(pace, .init = setup);

/* Bytes every `every` ms for so long as the peer is not too slow, `most` at the longest. */
static clock_ms
lasts(uint64_t bytes, clock_ms every, clock_ms most)
{
	while (now - BEGIN < most) {
		if (pace_left(&p, &rule, now) <= every)
			return now - BEGIN + pace_left(&p, &rule, now);
		now += every;
		pace_earn(&p, &rule, now, bytes);
	}
	return most;
}

Test(pace, nothing_at_all_lasts_a_window)
{
	cr_expect_eq(pace_left(&p, &rule, now), WINDOW);
	cr_expect_eq(pace_left(&p, &rule, now + 4000), 6000);
	cr_expect_eq(pace_left(&p, &rule, now + WINDOW - 1), 1);
	cr_expect_eq(pace_left(&p, &rule, now + WINDOW), 0);
	cr_expect_eq(pace_left(&p, &rule, now + 10 * WINDOW), 0);
}

Test(pace, a_trickle_ends_soon_after_a_window)
{
	clock_ms end = lasts(1, 100, 1000 * WINDOW); /* 10 bytes a second */

	cr_expect_geq(end, WINDOW);
	cr_expect_leq(end, WINDOW + WINDOW / 40);
}

Test(pace, just_the_rate_lasts_for_ever)
{
	cr_expect_eq(lasts(50, 100, 1000 * WINDOW), 1000 * WINDOW);
}

Test(pace, a_little_less_than_the_rate_does_not)
{
	clock_ms end = lasts(45, 100, 1000 * WINDOW);

	cr_expect_lt(end, 11 * WINDOW);
	cr_expect_gt(end, 9 * WINDOW);
}

Test(pace, rests_are_fine_where_the_rate_is_kept)
{
	cr_expect_eq(lasts(4500, 9000, 1000 * WINDOW), 1000 * WINDOW);
}

Test(pace, a_fast_beginning_saves_nothing_up)
{
	pace_earn(&p, &rule, now, UINT64_MAX / 2);
	cr_expect_eq(pace_left(&p, &rule, now), WINDOW);
	cr_expect_leq(lasts(1, 100, 1000 * WINDOW), WINDOW + WINDOW / 40);
}

Test(pace, time_in_which_nothing_is_waited_for_does_not_count)
{
	pace_wait(&p, now + 1000, false);
	cr_expect_eq(pace_left(&p, &rule, now + 50 * WINDOW), UINT64_MAX);
	pace_wait(&p, now + 50 * WINDOW, true);
	pace_wait(&p, now + 50 * WINDOW + 500, true);
	cr_expect_eq(pace_left(&p, &rule, now + 50 * WINDOW + 500), WINDOW - 1500);
}

Test(pace, a_deadline_is_the_nearer_one)
{
	cr_expect_eq(pace_deadline(&p, &rule, now, 4000), 4000);
	cr_expect_eq(pace_deadline(&p, &rule, now + 7000, 4000), 3001);
	cr_expect_eq(pace_deadline(&p, &rule, now + 2 * WINDOW, 4000), 1);
	cr_expect_eq(pace_deadline(&p, &none, now + 2 * WINDOW, 4000), 4000);
}

Test(pace, a_reader_has_taken_what_waits_nowhere)
{
	struct pace_reader r = { .pace = p, .handed = 1000000 };

	cr_expect_eq(pace_look(&r, &rule, now + 5000, 1000000), ERR_CLIENT_SLOW);
	cr_expect_eq(pace_look(&r, &rule, now + 5000, 999000), OK);
	cr_expect_eq(pace_left(&r.pace, &rule, now + 5000), 7000);
	cr_expect_eq(pace_look(&r, &rule, now + 6000, 999000), ERR_CLIENT_SLOW);
	r.handed += 500;
	cr_expect_eq(pace_look(&r, &rule, now + 6000, 999500), ERR_CLIENT_SLOW, "only more waits");
	cr_expect_eq(pace_look(&r, &rule, now + 20000, 999400), ERR_CLIENT_RATE);
	cr_expect_eq(pace_look(&r, &rule, now + 20000, 0), OK);
}

Test(pace, a_backlog_of_ciphertext_may_be_more_than_was_handed_over)
{
	struct pace_reader r = { .pace = p, .handed = 1000 };

	cr_expect_eq(pace_look(&r, &rule, now + 1, 1022), ERR_CLIENT_SLOW);
	cr_expect_eq(pace_look(&r, &rule, now + 1, 10), OK);
}

Test(pace, without_a_rate_nobody_is_slow)
{
	pace_earn(&p, &none, now, 1);
	cr_expect_eq(pace_left(&p, &none, now + 1000 * WINDOW), UINT64_MAX);
}

Test(pace, very_high_rates_do_not_overflow)
{
	const struct pace_rule high = { .rate = UINT64_C(1) << 30, .window = 3600000 };

	pace_init(&p, &high);
	pace_wait(&p, now, true);
	pace_earn(&p, &high, now + 3600000, (UINT64_C(1) << 30) * 3599);
	cr_expect_eq(pace_left(&p, &high, now + 3600000), 3599000);
}
