/* SPDX-License-Identifier: Apache-2.0 */
/* Wrong settings stop an app instead of wiping the pushers of its users. */
#include <criterion/criterion.h>

#include "pushgw/delivery/breaker.h"

#define PAUSE 30000

static const struct delivery_conf conf = {
	.breaker_pause = PAUSE, .breaker_window = 20, .breaker_share = 50
};
static struct breaker b;

static void
setup(void)
{
	breaker_init(&b, &conf);
}

TestSuite(push_breaker, .init = setup);

static enum breaker_event
note(enum verdict v, int times)
{
	enum breaker_event e = BREAKER_SAME;

	while (times-- > 0)
		e = breaker_note(&b, v, 1000);
	return e;
}

Test(push_breaker, believes_a_single_bad_pushkey_among_good_ones)
{
	note(VERDICT_DELIVERED, 5);
	cr_assert_eq(note(VERDICT_SUSPECT, 1), BREAKER_SAME);
	cr_assert(breaker_believes(&b));
}

Test(push_breaker, believes_no_bad_pushkey_before_anything_was_delivered)
{
	cr_assert_eq(note(VERDICT_SUSPECT, 1), BREAKER_SAME);
	cr_assert(!breaker_believes(&b));
}

Test(push_breaker, opens_on_a_jump_of_bad_pushkeys_and_believes_none_of_them)
{
	note(VERDICT_DELIVERED, 20);
	for (int i = 0; i < 9; i++)
		cr_assert_eq(note(VERDICT_SUSPECT, 1), BREAKER_SAME, "%d", i);
	cr_assert(breaker_believes(&b));
	cr_assert_eq(note(VERDICT_SUSPECT, 1), BREAKER_OPENED);
	cr_assert(!breaker_believes(&b));
}

/* Or whoever makes up pushkeys would stop the app for all. */
Test(push_breaker, tries_one_push_after_the_other_without_a_pause_while_pushkeys_are_called_wrong)
{
	note(VERDICT_SUSPECT, BREAKER_EVIDENCE);
	for (int i = 0; i < 100; i++) {
		cr_assert(breaker_allows(&b, 1000));
		breaker_try(&b);
		cr_assert(!breaker_allows(&b, 1000), "one at a time");
		cr_assert_eq(note(i % 2 == 0 ? VERDICT_SUSPECT : VERDICT_DROP, 1), BREAKER_SAME);
		cr_assert(!breaker_believes(&b));
	}
	breaker_try(&b);
	note(VERDICT_FAULT, 1);
	cr_assert(!breaker_allows(&b, 1000 + PAUSE - 1));
	cr_assert(breaker_allows(&b, 1000 + PAUSE));
}

Test(push_breaker, needs_some_evidence_to_open)
{
	cr_assert_eq(note(VERDICT_SUSPECT, BREAKER_EVIDENCE - 1), BREAKER_SAME);
	cr_assert(breaker_allows(&b, 1000));
	cr_assert_eq(note(VERDICT_SUSPECT, 1), BREAKER_OPENED);
}

Test(push_breaker, opens_at_once_when_credentials_are_refused)
{
	note(VERDICT_DELIVERED, 20);
	cr_assert_eq(note(VERDICT_FAULT, 1), BREAKER_OPENED);
	cr_assert_eq(note(VERDICT_FAULT, 1), BREAKER_SAME);
}

Test(push_breaker, lets_one_try_at_a_time_while_open)
{
	note(VERDICT_FAULT, 1);
	cr_assert(breaker_allows(&b, 1000 + PAUSE));
	breaker_try(&b);
	cr_assert(!breaker_allows(&b, 1000 + PAUSE));
	cr_assert_eq(breaker_note(&b, VERDICT_FAILED, 1000 + PAUSE), BREAKER_SAME);
	cr_assert(!breaker_allows(&b, 1000 + 2 * PAUSE - 1));
	cr_assert(breaker_allows(&b, 1000 + 2 * PAUSE));
}

Test(push_breaker, allows_another_try_when_one_was_given_up)
{
	note(VERDICT_FAULT, 1);
	breaker_try(&b);
	breaker_forget(&b);
	cr_assert(breaker_allows(&b, 1000 + PAUSE));
}

Test(push_breaker, closes_with_a_delivery_or_a_pushkey_that_is_surely_dead)
{
	static const enum verdict good[] = { VERDICT_DELIVERED, VERDICT_DEAD };

	for (size_t i = 0; i < 2; i++) {
		setup();
		note(VERDICT_SUSPECT, BREAKER_EVIDENCE);
		breaker_try(&b);
		cr_assert_eq(note(good[i], 1), BREAKER_CLOSED);
		cr_assert(breaker_allows(&b, 1000));
		/* what was before does not count any more */
		cr_assert_eq(note(VERDICT_DELIVERED, 1), BREAKER_SAME);
		cr_assert_eq(note(VERDICT_SUSPECT, 1), BREAKER_SAME);
		cr_assert(breaker_believes(&b));
	}
}

Test(push_breaker, stays_open_for_any_other_verdict)
{
	for (int v = 0; v < VERDICTS; v++) {
		if (v == VERDICT_DELIVERED || v == VERDICT_DEAD)
			continue;
		setup();
		note(VERDICT_FAULT, 1);
		breaker_try(&b);
		cr_assert_eq(note((enum verdict)v, 1), BREAKER_SAME);
		cr_assert(b.open);
		cr_assert(!breaker_believes(&b));
	}
}

Test(push_breaker, forgets_what_has_left_the_window)
{
	note(VERDICT_DELIVERED, 20);
	note(VERDICT_SUSPECT, 9);
	note(VERDICT_DELIVERED, 20);
	cr_assert_eq(note(VERDICT_SUSPECT, 9), BREAKER_SAME);
	cr_assert(breaker_believes(&b));
	cr_assert_eq(note(VERDICT_SUSPECT, 1), BREAKER_OPENED);
}

Test(push_breaker, takes_network_faults_for_no_evidence)
{
	cr_assert_eq(note(VERDICT_FAILED, 100), BREAKER_SAME);
	cr_assert_eq(note(VERDICT_BUSY, 100), BREAKER_SAME);
	cr_assert_eq(note(VERDICT_DROP, 100), BREAKER_SAME);
	cr_assert(breaker_allows(&b, 1000));
}
