/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue of one machine: what is put is handed out, once at a time for a pushkey, in order, and
 * again after a restart (ML-123618-3).
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/queuelab.h"
#include "tests/unit/wallclock.h"

TestSuite(push_delayq_file, .init = queuelab_setup, .fini = queuelab_teardown);

/* --- putting and taking --- */

Test(push_delayq_file, hands_out_all_that_was_said)
{
	struct push p = queuelab_push("b", "key", "$e");
	struct delayq_job *job;

	p.prio = PUSH_LOW;
	p.ephemeral = STR("eph");
	p.ciphertext = STR("\0\1");
	p.mac = STR("mac");
	queuelab_begin(&p, 1);
	job = queuelab_next("$e");
	cr_assert_eq(job->push.lane, 1);
	cr_assert_eq(job->attempts, 0);
	cr_assert(str_eq(job->push.app_id, p.app_id) && str_eq(job->push.pushkey, p.pushkey));
	cr_assert(str_eq(job->push.room_id, p.room_id) && str_eq(job->push.data, p.data));
	cr_assert(str_eq(job->push.ephemeral, p.ephemeral) && str_eq(job->push.mac, p.mac));
	cr_assert(str_eq(job->push.ciphertext, p.ciphertext));
	cr_assert(job->push.prio == PUSH_LOW && job->push.pushkey_ts == 1000 &&
		  job->push.accepted == p.accepted);
	cr_assert_eq(queuelab_gauges().in_hand, 1);
	queuelab_finish(job);
	cr_assert_eq(queuelab_gauges().count, 0);
	cr_assert_eq(queuelab_gauges().bytes, 0);
}

Test(push_delayq_file, hands_out_one_at_a_time_and_in_order)
{
	struct delayq_job *job;

	cr_assert_eq(queuelab_put("a", "key", "$1"), OK);
	cr_assert_eq(queuelab_put("a", "key", "$2"), OK);
	cr_assert_eq(queuelab_put("a", "key", "$3"), OK);
	job = queuelab_next("$1");
	queuelab_nothing();
	delayq_later(qlab.q, job, 0);
	job = queuelab_next("$1");
	cr_assert_eq(job->attempts, 1);
	queuelab_finish(job);
	queuelab_deliver("$2");
	queuelab_deliver("$3");
	queuelab_nothing();
}

Test(push_delayq_file, keeps_pushkeys_of_different_apps_apart)
{
	cr_assert_eq(queuelab_put("a", "key", "$1"), OK);
	cr_assert_eq(queuelab_put("b", "key", "$2"), OK);
	queuelab_next("$1");
	queuelab_next("$2");
}

Test(push_delayq_file, delays_each_push_by_at_most_the_maximum)
{
	struct delayq_job *job;
	clock_ms begin;

	qlab.cfg.limits.delay_max = 1000;
	cr_assert(delayq_adopt(qlab.q, &qlab.cfg));
	begin = loop_now(qlab.loop);
	for (int i = 0; i < 8; i++)
		cr_assert_eq(queuelab_put("a", "key", ""), OK);
	for (int i = 0; i < 8; i++) {
		job = queuelab_next("");
		cr_assert(job->due >= begin && job->due <= loop_now(qlab.loop));
		queuelab_finish(job);
	}
}

Test(push_delayq_file, draws_a_delay_for_each) /* whatever it says: nothing goes past it */
{
	static const char *const keys[] = { "0", "1", "2", "3", "4", "5", "6", "7" };
	struct push p[8];
	struct delayq_gauges g;

	qlab.cfg.limits.delay_max = 3600000;
	cr_assert(delayq_adopt(qlab.q, &qlab.cfg));
	for (size_t i = 0; i < 8; i++) {
		p[i] = queuelab_push("a", keys[i], i & 1 ? "$e" : ""); /* or counts alone */
		p[i].prio = i & 2 ? PUSH_HIGH : PUSH_LOW;
		p[i].ciphertext = i & 4 ? STR("c") : STR_NONE;
	}
	queuelab_begin(p, 8);
	UNTIL(qlab.loop, qlab.told == 1);
	queuelab_nothing();
	g = queuelab_gauges();
	cr_assert(g.count == 8 && g.in_hand == 0 && g.oldest_overdue == 0);
}

/* --- lanes --- */

Test(push_delayq_file, gives_each_lane_what_it_has_room_for)
{
	qlab.room[0] = 0;
	cr_assert_eq(queuelab_put("a", "key", "$1"), OK);
	cr_assert_eq(queuelab_put("b", "key", "$2"), OK);
	queuelab_deliver("$2");
	queuelab_nothing();
	cr_assert_gt(queuelab_gauges().oldest_overdue, 0);
	qlab.room[0] = 1;
	delayq_kick(qlab.q, 0);
	cr_assert(list_empty(&qlab.jobs), "nobody is called before it returns");
	queuelab_deliver("$1");
}

Test(push_delayq_file, assigns_lanes_anew)
{
	static const char *const other[] = { "x", "b", "a" };

	qlab.room[0] = qlab.room[2] = 0;
	cr_assert_eq(queuelab_put("a", "key", "$1"), OK);
	cr_assert_eq(queuelab_put("c", "key", "$2"), OK);
	cr_assert_eq(queuelab_put("b", "key", "$3"), OK);
	queuelab_next("$3");
	qlab.cfg.lanes = other;
	qlab.room[2] = 1;
	cr_assert(delayq_adopt(qlab.q, &qlab.cfg));
	UNTIL(qlab.loop, qlab.n_jobs == 3);
	LIST_FOR(node, &qlab.jobs) {
		const struct push *p = &LIST_ENTRY(node, struct delayq_job, node)->push;

		cr_assert_eq(p->lane, str_eq(p->app_id, STR("a")) ? 2 : DELAYQ_NO_LANE);
	}
}

static void
finish_at_once(struct delayq_job *job)
{
	delayq_finish(qlab.q, job, false);
}

Test(push_delayq_file, may_be_answered_from_within)
{
	qlab.on_due = finish_at_once;
	for (int i = 0; i < 2000; i++) {
		const struct push p = queuelab_push("a", i % 2 == 0 ? "key" : "other", "");

		queuelab_begin(&p, 1);
	}
	UNTIL(qlab.loop, qlab.told == 2000 && qlab.n_jobs == 2000);
	cr_assert_eq(queuelab_gauges().count, 0);
}

/* --- limits --- */

Test(push_delayq_file, puts_all_or_none)
{
	struct push p[3] = { queuelab_push("a", "1", "$1"), queuelab_push("a", "2", "$1"),
		queuelab_push("a", "3", "$1") };

	qlab.cfg.limits.count_max = 2;
	cr_assert(delayq_adopt(qlab.q, &qlab.cfg));
	queuelab_begin(p, 3);
	UNTIL(qlab.loop, qlab.told == 1);
	cr_assert_eq(qlab.err, ERR_QUEUE_FULL);
	cr_assert_eq(queuelab_gauges().count, 0);
	cr_assert_eq(queuelab_gauges().seen, 0);
	queuelab_begin(p, 2);
	UNTIL(qlab.loop, qlab.told == 2);
	cr_assert_eq(qlab.err, OK);
	cr_assert(qlab.of[0] == DELAYQ_QUEUED && qlab.of[1] == DELAYQ_QUEUED);
	cr_assert_eq(queuelab_put("a", "4", "$2"), ERR_QUEUE_FULL);
	queuelab_reopen();
	queuelab_deliver("$1");
	queuelab_deliver("$1");
	queuelab_nothing();
}

Test(push_delayq_file, bounds_what_waits_for_one_pushkey)
{
	qlab.cfg.limits.per_pushkey_max = 2;
	cr_assert(delayq_adopt(qlab.q, &qlab.cfg));
	cr_assert_eq(queuelab_put("a", "key", "$1"), OK);
	cr_assert_eq(queuelab_put("a", "key", "$2"), OK);
	cr_assert_eq(queuelab_put("a", "key", "$3"), ERR_QUEUE_FULL);
	cr_assert_eq(queuelab_put("a", "other", "$3"), OK);
	queuelab_deliver("$1");
	cr_assert_eq(queuelab_put("a", "key", "$3"), OK);
}

Test(push_delayq_file, bounds_the_bytes)
{
	cr_assert_eq(queuelab_put("a", "key", "$1"), OK);
	qlab.cfg.limits.bytes_max = queuelab_gauges().bytes;
	cr_assert(delayq_adopt(qlab.q, &qlab.cfg));
	cr_assert_eq(queuelab_put("a", "key", "$2"), ERR_QUEUE_FULL);
	queuelab_deliver("$1");
	cr_assert_eq(queuelab_put("a", "key", "$2"), OK);
}

/* --- repeated pushes --- */

Test(push_delayq_file, knows_what_was_put_before)
{
	cr_assert_eq(queuelab_put("a", "key", "$1"), OK);
	cr_assert_eq(queuelab_put("a", "key", "$1"), OK);
	cr_assert_eq(qlab.of[0], DELAYQ_DUPLICATE);
	queuelab_deliver("$1");
	cr_assert_eq(queuelab_put("a", "key", "$1"), OK);
	cr_assert_eq(qlab.of[0], DELAYQ_DUPLICATE, "also when it was delivered");
	queuelab_reopen();
	cr_assert_eq(queuelab_put("a", "key", "$1"), OK);
	cr_assert_eq(qlab.of[0], DELAYQ_DUPLICATE, "also after a restart");
	queuelab_nothing();
	cr_assert_eq(queuelab_put("a", "key", ""), OK);
	cr_assert_eq(queuelab_put("a", "key", ""), OK);
	cr_assert_eq(qlab.of[0], DELAYQ_QUEUED, "without an event none is like another");
}

Test(push_delayq_file, knows_it_within_one_put)
{
	const struct push p[2] = { queuelab_push("a", "key", "$1"),
		queuelab_push("a", "key", "$1") };

	queuelab_begin(p, 2);
	UNTIL(qlab.loop, qlab.told == 1);
	cr_assert(qlab.of[0] == DELAYQ_QUEUED && qlab.of[1] == DELAYQ_DUPLICATE);
}

static unsigned order[2], n_order;

static void
on_ordered(void *arg, enum err err, const enum delayq_outcome *of, size_t n)
{
	cr_assert(err == OK && n == 1);
	cr_assert_eq(of[0], arg == &order[0] ? DELAYQ_QUEUED : DELAYQ_DUPLICATE);
	order[n_order++] = arg == &order[0] ? 1 : 2;
}

Test(push_delayq_file, answers_a_repeated_one_not_before_the_first)
{
	const struct push p = queuelab_push("a", "key", "$1");

	cr_assert_not_null(delayq_put(qlab.q, &p, 1, on_ordered, &order[0]));
	loop_turn(qlab.loop); /* it is being written */
	cr_assert_not_null(delayq_put(qlab.q, &p, 1, on_ordered, &order[1]));
	UNTIL(qlab.loop, n_order == 2);
	cr_assert(order[0] == 1 && order[1] == 2);
}

Test(push_delayq_file, goes_on_when_the_caller_does_not_wait)
{
	const struct push p = queuelab_push("a", "key", "$1");
	struct delayq_call *c = delayq_put(qlab.q, &p, 1, on_ordered, &order[0]);

	delayq_cancel(c);
	queuelab_deliver("$1");
	cr_assert_eq(n_order, 0);
}

/* --- rejected pushkeys --- */

Test(push_delayq_file, drops_what_waits_for_a_rejected_pushkey)
{
	struct push later = queuelab_push("a", "key", "$5");
	struct delayq_job *job;

	cr_assert_eq(queuelab_put("a", "key", "$1"), OK);
	cr_assert_eq(queuelab_put("a", "key", "$2"), OK);
	cr_assert_eq(queuelab_put("a", "key", "$3"), OK);
	cr_assert_eq(queuelab_put("a", "other", "$3"), OK);
	job = queuelab_next("$1");
	cr_assert_eq(delayq_finish(qlab.q, job, true), 2);
	queuelab_deliver("$3");
	cr_assert_eq(queuelab_gauges().count, 0);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(queuelab_put("a", "key", "$4"), OK);
		cr_assert_eq(qlab.of[0], DELAYQ_REJECTED);
		cr_assert_eq(queuelab_gauges().rejected, 1);
		queuelab_reopen();
	}
	queuelab_nothing();
	later.pushkey_ts = clock_wall_s() + 10;
	queuelab_begin(&later, 1);
	queuelab_deliver("$5");
	queuelab_reopen();
	cr_assert_eq(queuelab_put("a", "key", "$6"), OK);
	cr_assert_eq(qlab.of[0], DELAYQ_QUEUED, "it is alive again, and stays so");
}

static enum delayq_outcome
put_push(const struct push *p)
{
	unsigned before = qlab.told;

	queuelab_begin(p, 1);
	UNTIL(qlab.loop, qlab.told > before);
	cr_assert_eq(qlab.err, OK);
	return qlab.of[0];
}

/* Web Push: whoever knows the key of another's browser can name it with an endpoint of his own. */
Test(push_delayq_file, an_endpoint_of_another_says_nothing_of_this_one)
{
	struct push mine = queuelab_push("a", "key", "$1"), his = queuelab_push("a", "key", "$1");
	struct delayq_job *job;

	mine.data = STR("{\"auth\":\"x\",\"endpoint\":\"https://push.example/1\"}");
	his.data = STR("{\"auth\":\"x\",\"endpoint\":\"https://evil.example/1\"}");
	cr_assert_eq(put_push(&his), DELAYQ_QUEUED);
	job = queuelab_next("$1");
	cr_assert_eq(put_push(&mine), DELAYQ_QUEUED, "no duplicate");
	queuelab_deliver("$1"); /* it does not wait for his */
	cr_assert_eq(delayq_finish(qlab.q, job, true), 0);
	for (int i = 0; i < 2; i++) {
		his.event_id = mine.event_id = i == 0 ? STR("$2") : STR("$3");
		cr_assert_eq(put_push(&his), DELAYQ_REJECTED);
		cr_assert_eq(put_push(&mine), DELAYQ_QUEUED);
		queuelab_reopen();
	}
	cr_assert_eq(put_push(&mine), DELAYQ_DUPLICATE);
	queuelab_deliver("$2");
	queuelab_deliver("$3");
}

/* --- restarts --- */

Test(push_delayq_file, hands_out_again_what_was_not_finished)
{
	for (int round = 0; round < 3; round++) {
		if (round == 0) {
			cr_assert_eq(queuelab_put("a", "key", "$1"), OK);
			cr_assert_eq(queuelab_put("a", "key", "$2"), OK);
			cr_assert_eq(queuelab_put("b", "key", "$3"), OK);
			queuelab_deliver("$1");
			queuelab_deliver("$3");
		}
		cr_assert_eq(queuelab_next("$2")->push.lane, 0);
		queuelab_nothing();
		queuelab_reopen();
	}
}

Test(push_delayq_file, waits_no_longer_than_the_maximum_after_a_restart)
{
	qlab.cfg.limits.delay_max = 1000000000;
	cr_assert(delayq_adopt(qlab.q, &qlab.cfg));
	for (int i = 0; i < 20; i++) /* of 20 draws one is far more than a second */
		cr_assert_eq(queuelab_put("a", "key", ""), OK);
	qlab.cfg.limits.delay_max = 50;
	queuelab_reopen();
	for (int i = 0; i < 20; i++)
		queuelab_deliver("");
}

Test(push_delayq_file, is_neither_lost_nor_held_when_the_clock_is_set)
{
	const int64_t year = 365 * 86400;
	const int64_t shifts[] = { -year, year };

	qlab.cfg.limits.delay_max = 500;
	cr_assert(delayq_adopt(qlab.q, &qlab.cfg));
	for (int i = 0; i < 2; i++) {
		for (int k = 0; k < 4; k++)
			cr_assert_eq(queuelab_put("a", "key", ""), OK);
		wallclock_shift_s = shifts[i]; /* while it runs, and before it begins anew */
		queuelab_deliver("");
		queuelab_deliver("");
		queuelab_reopen();
		queuelab_deliver("");
		queuelab_deliver("");
		cr_assert_eq(queuelab_gauges().count, 0);
	}
}

Test(push_delayq_file, belongs_to_one_process)
{
	cr_assert_null(delayq_file_open(qlab.loop, qlab.folder, &qlab.conf, &qlab.cfg));
}

Test(push_delayq_file, lets_nobody_read_its_files)
{
	struct stat st;

	cr_assert_eq(queuelab_put("a", "key", "$1"), OK);
	cr_assert_eq(stat(queuelab_path(queuelab_segment(0)), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
}

/* --- a full disk --- */

static void
limit_files(rlim_t max)
{
	const struct rlimit r = { max, RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &r), 0);
}

Test(push_delayq_file, tells_that_nothing_can_be_put_and_recovers)
{
	cr_assert_eq(queuelab_put("a", "1", "$1"), OK);
	limit_files(0);
	cr_assert_eq(queuelab_put("a", "2", "$2"), ERR_STORE_FULL);
	UNTIL(qlab.loop, qlab.state == ERR_STORE_FULL);
	cr_assert_eq(delayq_state(qlab.q), ERR_STORE_FULL);
	cr_assert_eq(queuelab_put("a", "2", "$2"), ERR_STORE_FULL);
	queuelab_deliver("$1");
	limit_files(RLIM_INFINITY);
	UNTIL(qlab.loop, qlab.state == OK);
	cr_assert_eq(queuelab_put("a", "2", "$2"), OK);
	cr_assert_eq(qlab.of[0], DELAYQ_QUEUED);
	queuelab_reopen();
	queuelab_deliver("$2");
	queuelab_nothing(); /* that $1 was delivered has been noted after all */
}

Test(push_delayq_file, a_repeated_one_fails_with_the_first)
{
	const struct push p = queuelab_push("a", "key", "$1");

	limit_files(0);
	queuelab_begin(&p, 1);
	loop_turn(qlab.loop);
	queuelab_begin(&p, 1); /* while the first is being written */
	UNTIL(qlab.loop, qlab.told > 0);
	limit_files(RLIM_INFINITY);
	UNTIL(qlab.loop, qlab.told == 2);
	cr_assert_eq(qlab.failed, 2, "what it repeats was not put");
	UNTIL(qlab.loop, delayq_state(qlab.q) == OK);
	cr_assert_eq(queuelab_put("a", "key", "$1"), OK);
	cr_assert_eq(qlab.of[0], DELAYQ_QUEUED);
}

/* --- policies --- */

Test(push_delayq_file, works_under_each_policy)
{
	const enum fsync_policy all[] = { FSYNC_ALWAYS, FSYNC_INTERVAL, FSYNC_NEVER };
	char event[32];

	for (int i = 0; i < 3; i++) {
		qlab.conf.fsync = all[i];
		qlab.conf.fsync_interval = 50;
		delayq_file_set_sync(qlab.q, &qlab.conf);
		for (int k = 0; k < 4; k++) {
			snprintf(event, sizeof(event), "$%d.%d", i, k);
			cr_assert_eq(queuelab_put("a", "key", event), OK);
			lab_pass(qlab.loop, 60); /* it may be synced meanwhile */
		}
		queuelab_reopen();
		for (int k = 0; k < 4; k++) {
			snprintf(event, sizeof(event), "$%d.%d", i, k);
			queuelab_deliver(event);
		}
	}
}
