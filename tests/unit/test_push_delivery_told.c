/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What operators are told of deliveries, in log and metrics, and how lanes give way to others.
 */
#include <criterion/criterion.h>

#include "pushgw/series.h"
#include "tests/unit/deliverylab.h"
#include "tests/unit/logged.h"
#include "tests/unit/shortage.h"
#include "tests/unit/wallclock.h"

static void
start(void)
{
	deliverylab_start();
	logged_begin();
}

TestSuite(push_delivery_told, .init = start, .fini = deliverylab_finish);

static void
pass(int64_t s)
{
	wallclock_passed_s += s;
	loop_turn(dl.loop);
	loop_turn(dl.loop);
}

static size_t
room(unsigned lane)
{
	return dl.cfg.room(dl.cfg.arg, lane);
}

/* --- log --- */

Test(push_delivery_told, of_pushes_that_are_given_up_one_a_minute_is_told_of)
{
	for (int i = 0; i < 3; i++)
		deliverylab_try_once(VERDICT_DROP);
	cr_assert_eq(logged("refuses a push for what it is"), 1);
	pass(61);
	deliverylab_try_once(VERDICT_DROP);
	deliverylab_try_once(VERDICT_DROP);
	cr_assert_eq(logged("refuses a push for what it is"), 2);
}

Test(push_delivery_told, a_provider_that_is_away_is_told_of_once_and_so_is_its_return)
{
	for (int i = 0; i < LANE_AWAY + 3; i++)
		deliverylab_try_once(VERDICT_FAILED);
	cr_assert_eq(logged("fake is away"), 1);
	cr_assert_eq(logged("works again"), 0);
	for (int i = 0; i < 3; i++)
		deliverylab_try_once(VERDICT_DELIVERED);
	cr_assert_eq(logged("works again"), 1);
}

Test(push_delivery_told, an_app_that_is_stopped_works_again_when_something_was_delivered)
{
	deliverylab_try_once(VERDICT_FAULT);
	deliverylab_try_once(VERDICT_FAILED);
	cr_assert_eq(logged("'org.example': stopped: fake"), 1);
	cr_assert_eq(metrics_sum(S_BREAKER_OPENED), 1);
	cr_assert_eq(logged("works again"), 0, "it does not yet");
	deliverylab_try_once(VERDICT_DELIVERED);
	cr_assert_eq(logged("works again"), 1);
}

Test(push_delivery_told, the_state_of_the_queue)
{
	dl.cfg.state(dl.cfg.arg, ERR_QUEUE_DOWN);
	cr_assert_eq(metrics_sum(S_QUEUE_UP), 0);
	cr_assert_eq(logged("queue: does not work: /var/lib/x: "), 1);
	dl.cfg.state(dl.cfg.arg, OK);
	cr_assert_eq(metrics_sum(S_QUEUE_UP), 1);
	cr_assert_eq(logged("queue: works"), 1);
}

/* --- metrics --- */

Test(push_delivery_told, how_long_a_provider_took)
{
	deliverylab_hand_out();
	pass(7);
	deliverylab_answer((struct attempt_result){ .verdict = VERDICT_DELIVERED });
	cr_assert_geq(metrics_sum(S_ATTEMPT_TIME + SERIES_BUCKETS), 7000);
}

Test(push_delivery_told, the_delay_ends_with_the_first_attempt)
{
	dl.job.push.accepted = clock_wall_ms() - 3000;
	deliverylab_hand_out();
	cr_assert_geq(metrics_sum(S_DELAY + SERIES_BUCKETS), 3000);
	deliverylab_answer((struct attempt_result){ .verdict = VERDICT_FAILED });
	dl.job.push.accepted = clock_wall_ms() - 60000;
	deliverylab_hand_out();
	cr_assert_lt(metrics_sum(S_DELAY + SERIES_BUCKETS), 60000, "not that of later ones");
	deliverylab_answer((struct attempt_result){ .verdict = VERDICT_DELIVERED });
}

Test(push_delivery_told, a_pushkey_that_was_held_too_long_was_refused)
{
	dl.job.push.accepted = clock_wall_ms() - 3600001;
	deliverylab_try_once(VERDICT_SUSPECT);
	cr_assert_eq(dl.queue.told, FINISHED, "but not rejected");
	cr_assert_eq(metrics_sum(S_LOST_REFUSED), 1);
	cr_assert_eq(metrics_sum(S_LOST_AGE), 0);
}

/* --- room that comes with time --- */

Test(push_delivery_told, lanes_are_asked_again_when_they_may_have_room)
{
	deliverylab_try_once(VERDICT_FAULT);
	cr_assert_eq(room(0), 0);
	dl.queue.kicked = 0;
	pass(29);
	cr_assert_eq(dl.queue.kicked, 0);
	pass(2);
	cr_assert_eq(dl.queue.kicked, 3, "both");
	cr_assert_eq(room(0), 1);
}

Test(push_delivery_told, the_lane_that_has_room_first_decides_when)
{
	deliverylab_try_once(VERDICT_FAULT);
	cr_assert_eq(room(0), 0); /* for 30 s */
	dl.job.push.lane = 1;
	deliverylab_hand_out();
	deliverylab_answer((struct attempt_result){
	    .verdict = VERDICT_BUSY, .whole_app = true, .retry_after = 5000 });
	cr_assert_eq(room(1), 0);
	cr_assert_eq(room(0), 0, "which is later and changes nothing");
	dl.queue.kicked = 0;
	pass(6);
	cr_assert_eq(dl.queue.kicked, 3);
	cr_assert_eq(room(1), 2);
}

/* --- an end before there was a verdict --- */

Test(push_delivery_told, a_stopped_app_tries_another_when_one_could_not_be_sent)
{
	deliverylab_try_once(VERDICT_FAULT);
	pass(31);
	cr_assert_eq(room(0), 1);
	dl.provider.no_memory = true;
	deliverylab_hand_out();
	cr_assert_eq(dl.queue.told, LATER);
	cr_assert_eq(room(0), 1);
}

Test(push_delivery_told, a_push_waits_when_there_is_no_memory_to_know_it)
{
	shortage_begin(0);
	deliverylab_hand_out();
	shortage_end();
	cr_assert_eq(dl.queue.told, LATER);
	cr_assert_eq(dl.queue.after, 1000);
	cr_assert_eq(dl.provider.sent, 0);
	cr_assert_eq(delivery_in_hand(dl.delivery), 0);
}

/* --- other lanes --- */

Test(push_delivery_told, what_is_in_hand_of_old_lanes_counts_until_it_is_done)
{
	void (*fn)(void *arg, const struct attempt_result *r);
	const struct attempt_result r = { .verdict = VERDICT_DELIVERED, .reason = "" };
	void *first;

	deliverylab_hand_out();
	first = dl.provider.arg;
	fn = dl.provider.fn;
	deliverylab_hand_out();
	cr_assert(delivery_adopt(dl.delivery, deliverylab_make_lanes()));
	cr_assert_eq(delivery_in_hand(dl.delivery), 2);
	cr_assert_eq(room(0), 2, "the new ones have nothing in hand");
	dl.queue.kicked = 0;
	fn(first, &r);
	loop_turn(dl.loop);
	cr_assert_eq(dl.provider.closed, 0, "there is another");
	cr_assert_eq(delivery_in_hand(dl.delivery), 1);
	deliverylab_answer(r);
	loop_turn(dl.loop);
	cr_assert_eq(dl.provider.closed, 2);
	cr_assert_eq(delivery_in_hand(dl.delivery), 0);
	cr_assert_eq(dl.queue.kicked, 0, "an old lane has room for nobody");
}

Test(push_delivery_told, old_lanes_end_with_the_delivery)
{
	deliverylab_hand_out();
	cr_assert(delivery_adopt(dl.delivery, deliverylab_make_lanes()));
	delivery_free(dl.delivery);
	dl.delivery = NULL;
	loop_turn(dl.loop);
	cr_assert_eq(dl.provider.cancelled, 1);
	cr_assert_eq(dl.provider.closed, 4);
}

Test(push_delivery_told, an_app_that_two_entries_may_mean_has_no_lane)
{
	static char some[] = "org.*", others[] = "*.example";

	cr_assert_eq(dl.cfg.lane(dl.cfg.arg, STR("org.other")), 1);
	cr_assert_eq(dl.cfg.lane(dl.cfg.arg, STR("org.unknown")), DELAYQ_NO_LANE);
	dl.apps[0].id = some;
	dl.apps[1].id = others;
	cr_assert_eq(dl.cfg.lane(dl.cfg.arg, STR("org.example")), DELAYQ_NO_LANE);
	cr_assert_eq(dl.cfg.lane(dl.cfg.arg, STR("org.else")), 0);
}
