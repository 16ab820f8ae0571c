/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue of one machine at its limits: memory, time, a disk that is slow.
 */
#include <criterion/criterion.h>

#include "tests/unit/queuelab.h"
#include "tests/unit/shortage.h"
#include "tests/unit/wallclock.h"

#define HOUR_MS 3600000

TestSuite(push_delayq_limits, .init = queuelab_setup, .fini = queuelab_teardown);

static void
pass(int64_t s)
{
	wallclock_passed_s += s;
	lab_turn(qlab.loop);
}

/* The next job, put off for so long. */
static void
put_off(const char *event, clock_ms after)
{
	delayq_later(qlab.q, queuelab_next(event), after);
}

/* --- memory --- */

Test(push_delayq_limits, a_put_that_fails_leaves_nothing)
{
	struct push p[] = { queuelab_push("a", "1", "$1"), queuelab_push("b", "2", "$2"),
		queuelab_push("c", "3", "$3") };
	unsigned told = 0;
	bool failed = true;

	for (unsigned after = 1; failed; after++) { /* 0: the call itself */
		shortage_begin(after);
		queuelab_begin(p, 3);
		failed = shortage_end();
		UNTIL(qlab.loop, qlab.told == told + 1);
		told++;
		if (qlab.err == OK)
			break;
		cr_assert_eq(qlab.err, ERR_MEMORY);
		cr_assert_eq(queuelab_gauges().count, 0);
		cr_assert_eq(queuelab_gauges().seen, 0);
	}
	cr_assert_gt(told, 3);
	cr_assert_eq(queuelab_gauges().count, 3);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(qlab.of[i], DELAYQ_QUEUED, "it is not known from before");
}

Test(push_delayq_limits, what_is_due_while_memory_is_short_comes_soon)
{
	bool failed;

	cr_assert_eq(queuelab_put("b", "2", "$2"), OK);
	put_off("$2", HOUR_MS);
	qlab.room[0] = 0;
	cr_assert_eq(queuelab_put("a", "1", "$1"), OK);
	queuelab_nothing();
	qlab.room[0] = 1;
	delayq_kick(qlab.q, 0);
	shortage_begin(0);
	loop_turn(qlab.loop);
	failed = shortage_end();
	cr_assert(failed);
	cr_assert(list_empty(&qlab.jobs));
	pass(2);
	queuelab_deliver("$1");
}

/* --- time --- */

Test(push_delayq_limits, whatever_lane_is_first_is_waited_for)
{
	cr_assert_eq(queuelab_put("a", "1", "$1"), OK);
	put_off("$1", HOUR_MS);
	cr_assert_eq(queuelab_put("b", "2", "$2"), OK);
	put_off("$2", 5000);
	cr_assert_eq(queuelab_put("c", "3", "$3"), OK);
	put_off("$3", HOUR_MS);
	queuelab_nothing();
	pass(6);
	queuelab_deliver("$2");
	pass(3600);
	queuelab_deliver("$1");
	queuelab_deliver("$3");
}

Test(push_delayq_limits, the_one_that_has_waited_for_longest_tells_for_how_long)
{
	qlab.room[0] = qlab.room[1] = 0;
	cr_assert_eq(queuelab_put("a", "1", "$1"), OK);
	pass(10);
	cr_assert_eq(queuelab_put("b", "2", "$2"), OK);
	pass(5);
	cr_assert_geq(queuelab_gauges().oldest_overdue, 15000);
}

Test(push_delayq_limits, a_push_that_is_tried_again_was_due_when_it_was)
{
	struct delayq_job *job;
	clock_ms due;

	cr_assert_eq(queuelab_put("a", "1", "$1"), OK);
	job = queuelab_next("$1");
	due = job->due;
	delayq_later(qlab.q, job, 3000);
	pass(4);
	job = queuelab_next("$1");
	cr_assert_eq(job->due, due);
	queuelab_finish(job);
}

Test(push_delayq_limits, attempts_are_counted_up_to_255_and_waits_up_to_seven_weeks)
{
	cr_assert_eq(queuelab_put("a", "1", "$1"), OK);
	for (int i = 0; i < 300; i++)
		put_off("$1", 0);
	put_off("$1", 1ULL << 33);
	pass(1 << 22);
	queuelab_nothing();
	pass(1 << 22);
	cr_assert_eq(queuelab_next("$1")->attempts, 255);
}

Test(push_delayq_limits, rejected_pushkeys_are_known_for_their_time_and_in_their_number)
{
	qlab.cfg.limits.rejected = 60000;
	cr_assert(delayq_adopt(qlab.q, &qlab.cfg));
	cr_assert_eq(queuelab_put("a", "1", "$1"), OK);
	cr_assert_eq(queuelab_put("a", "2", "$1"), OK);
	delayq_finish(qlab.q, queuelab_next("$1"), true);
	delayq_finish(qlab.q, queuelab_next("$1"), true);
	cr_assert_eq(queuelab_gauges().rejected, 2);
	qlab.cfg.limits.rejected_max = 1;
	cr_assert(delayq_adopt(qlab.q, &qlab.cfg));
	cr_assert_eq(queuelab_gauges().rejected, 1);
	wallclock_shift_s += 62;
	cr_assert_eq(queuelab_put("a", "3", "$1"), OK);
	cr_assert_eq(queuelab_gauges().rejected, 0);
}

/* --- order and disk --- */

Test(push_delayq_limits, order_outlasts_several_starts)
{
	qlab.room[0] = 0;
	cr_assert_eq(queuelab_put("a", "key", "$1"), OK);
	cr_assert_eq(queuelab_put("a", "key", "$2"), OK);
	queuelab_reopen();
	cr_assert_eq(queuelab_put("a", "key", "$3"), OK);
	queuelab_reopen();
	qlab.room[0] = 1;
	delayq_kick(qlab.q, 0);
	queuelab_deliver("$1");
	queuelab_deliver("$2");
	queuelab_deliver("$3");
}

/* A homeserver that was answered need not say it again. */
Test(push_delayq_limits, is_answered_when_it_is_on_disk_and_not_with_those_before)
{
	struct push first = queuelab_push("a", "1", "$1"), second = queuelab_push("a", "2", "$2");

	qlab.conf.fsync = FSYNC_ALWAYS;
	delayq_file_set_sync(qlab.q, &qlab.conf);
	queuelab_syncs = 0;
	queuelab_begin(&first, 1);
	UNTIL(qlab.loop, queuelab_sync_waits);
	queuelab_begin(&second, 1);
	for (int i = 0; i < 10; i++)
		lab_turn(qlab.loop);
	cr_assert_eq(qlab.told, 0);
	queuelab_syncs = 1;
	UNTIL(qlab.loop, qlab.told == 1);
	for (int i = 0; i < 10; i++)
		lab_turn(qlab.loop);
	cr_assert_eq(qlab.told, 1);
	queuelab_syncs = -1;
	UNTIL(qlab.loop, qlab.told == 2);
}
