/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a push, by the verdict of its provider.
 */
#include <criterion/criterion.h>

#include "pushgw/series.h"
#include "tests/unit/deliverylab.h"

TestSuite(push_delivery, .init = deliverylab_start, .fini = deliverylab_finish);

Test(push_delivery, finishes_what_was_delivered)
{
	deliverylab_hand_out();
	cr_assert_eq(dl.queue.told, NOTHING);
	cr_assert_eq(delivery_in_hand(dl.delivery), 1);
	deliverylab_answer((struct attempt_result){ .verdict = VERDICT_DELIVERED, .status = 200 });
	cr_assert_eq(dl.queue.told, FINISHED);
	cr_assert_eq(delivery_in_hand(dl.delivery), 0);
	cr_assert_gt(dl.queue.kicked, 0, "the lane has room again");
	cr_assert_eq(metrics_sum(S_VERDICTS + VERDICT_DELIVERED), 1);
	cr_assert_eq(metrics_sum(S_ANSWERS + 2), 1, "2xx");
}

/* ML-123618-3: from a lifetime counted from its acceptance the provider would know the delay. */
Test(push_delivery, tells_the_provider_a_lifetime_that_does_not_tell_when_it_was_accepted)
{
	static const int64_t ages[] = { 0, 1, 9999, 3599999, 7200000, -5000 };

	for (size_t i = 0; i < sizeof(ages) / sizeof(*ages); i++) {
		int64_t before = clock_wall_ms();

		dl.job.push.accepted = before - ages[i];
		deliverylab_hand_out();
		cr_assert(dl.provider.expires >= before + 3600000 &&
			  dl.provider.expires <= clock_wall_ms() + 3600000);
		deliverylab_answer((struct attempt_result){ .verdict = VERDICT_DELIVERED });
	}
}

Test(push_delivery, rejects_a_dead_pushkey_and_counts_what_waited_for_it)
{
	deliverylab_try_once(VERDICT_DEAD);
	cr_assert_eq(dl.queue.told, REJECTED);
	cr_assert_eq(metrics_sum(S_PUSHKEYS_DEAD), 1);
	cr_assert_eq(metrics_sum(S_DROPPED_DEAD), 3);
}

Test(push_delivery, keeps_what_failed_for_later)
{
	static const enum verdict again[] = { VERDICT_BUSY, VERDICT_FAILED, VERDICT_FAULT };

	for (size_t i = 0; i < 3; i++) {
		dl.job.attempts = 0;
		deliverylab_try_once(again[i]);
		cr_assert_eq(dl.queue.told, LATER);
		cr_assert(dl.queue.after >= 500 && dl.queue.after <= 1000);
	}
	cr_assert_eq(metrics_sum(S_RETRIES), 3);
	cr_assert_eq(metrics_sum(S_LOST_AGE), 0);
}

Test(push_delivery, has_pushes_ready_for_when_their_provider_is_back)
{
	dl.job.attempts = 8;
	deliverylab_try_once(VERDICT_FAILED);
	cr_assert_geq(dl.queue.after, 128000, "its own pauses grow");
	for (int i = 1; i < LANE_AWAY; i++) {
		dl.job.attempts = 8;
		deliverylab_try_once(VERDICT_FAILED);
	}
	cr_assert_eq(dl.queue.told, LATER);
	cr_assert_leq(dl.queue.after, 1000, "those of the lane do now");
}

Test(push_delivery, honours_retry_after)
{
	deliverylab_hand_out();
	deliverylab_answer((struct attempt_result){
	    .verdict = VERDICT_BUSY, .status = 429, .retry_after = 120000 });
	cr_assert_eq(dl.queue.told, LATER);
	cr_assert_geq(dl.queue.after, 120000);
}

Test(push_delivery, drops_what_will_never_be_taken_and_counts_it_as_lost)
{
	deliverylab_try_once(VERDICT_DROP);
	cr_assert_eq(dl.queue.told, FINISHED);
	cr_assert_eq(metrics_sum(S_LOST_REFUSED), 1);
}

Test(push_delivery, does_not_believe_a_bad_pushkey_before_anything_was_delivered)
{
	deliverylab_try_once(VERDICT_SUSPECT);
	cr_assert_eq(dl.queue.told, LATER);
	cr_assert_geq(dl.queue.after, 30000, "others come first");
	cr_assert_eq(metrics_sum(S_SUSPECT_HELD), 1);
	cr_assert_eq(metrics_sum(S_PUSHKEYS_DEAD), 0);
	deliverylab_try_once(VERDICT_DELIVERED);
	deliverylab_try_once(VERDICT_DELIVERED);
	deliverylab_try_once(VERDICT_SUSPECT);
	cr_assert_eq(dl.queue.told, LATER, "half of them are suspects");
	deliverylab_try_once(VERDICT_DELIVERED);
	deliverylab_try_once(VERDICT_DELIVERED);
	deliverylab_try_once(VERDICT_SUSPECT);
	cr_assert_eq(dl.queue.told, REJECTED);
}

Test(push_delivery, wipes_no_pushers_when_every_pushkey_is_called_wrong)
{
	for (int i = 0; i < 20; i++)
		deliverylab_try_once(VERDICT_DELIVERED);
	for (int i = 0; i < 100; i++)
		deliverylab_try_once(VERDICT_SUSPECT);
	cr_assert_leq(metrics_sum(S_PUSHKEYS_DEAD), 10);
	cr_assert_eq(metrics_sum(S_BREAKER_OPENED), 1);
	cr_assert_eq(dl.cfg.room(dl.cfg.arg, 0), 1, "one after the other");
	deliverylab_hand_out();
	cr_assert_eq(dl.cfg.room(dl.cfg.arg, 0), 0);
	deliverylab_answer((struct attempt_result){ .verdict = VERDICT_DELIVERED });
	cr_assert_eq(dl.cfg.room(dl.cfg.arg, 0), 2);
}

Test(push_delivery, tries_a_push_whatever_its_age_but_only_once_when_it_is_too_old)
{
	dl.job.push.accepted = clock_wall_ms() - 3600001;
	deliverylab_try_once(VERDICT_DELIVERED);
	cr_assert_eq(dl.queue.told, FINISHED);
	cr_assert_eq(metrics_sum(S_LOST_AGE), 0);
	deliverylab_try_once(VERDICT_FAILED);
	cr_assert_eq(dl.queue.told, FINISHED);
	cr_assert_eq(metrics_sum(S_LOST_AGE), 1);
}

Test(push_delivery, gives_up_what_belongs_to_an_app_that_is_configured_no_more)
{
	dl.job.push.lane = DELAYQ_NO_LANE;
	deliverylab_hand_out();
	cr_assert_eq(dl.provider.sent, 0);
	cr_assert_eq(dl.queue.told, FINISHED);
	cr_assert_eq(metrics_sum(S_LOST_APP), 1);
}

Test(push_delivery, keeps_a_push_when_memory_is_short)
{
	dl.provider.no_memory = true;
	deliverylab_hand_out();
	cr_assert_eq(dl.queue.told, LATER);
	cr_assert_eq(delivery_in_hand(dl.delivery), 0);
}

Test(push_delivery, leaves_the_place_to_others_while_a_server_has_its_share)
{
	dl.provider.crowded = true;
	deliverylab_hand_out();
	cr_assert_eq(dl.provider.sent, 0);
	cr_assert_eq(delivery_in_hand(dl.delivery), 0);
	cr_assert_eq(dl.queue.told, LATER);
	dl.job.attempts = 30;
	deliverylab_hand_out();
	cr_assert(dl.queue.after >= 500 && dl.queue.after <= 1000, "it did not fail");
	cr_assert_eq(metrics_sum(S_CROWDED), 2);
	cr_assert_eq(metrics_sum(S_RETRIES), 0);
	dl.job.push.accepted = clock_wall_ms() - 3600001;
	deliverylab_hand_out();
	cr_assert_eq(dl.queue.told, LATER, "the clock was set: it has not waited for so long");
	dl.conf.queue.age_max = 0;
	deliverylab_hand_out();
	cr_assert_eq(dl.queue.told, FINISHED);
	cr_assert_eq(metrics_sum(S_LOST_AGE), 1);
}

Test(push_delivery, takes_no_more_while_draining)
{
	cr_assert_eq(dl.cfg.room(dl.cfg.arg, 0), 2);
	delivery_drain(dl.delivery);
	cr_assert_eq(dl.cfg.room(dl.cfg.arg, 0), 0);
}

Test(push_delivery, ends_old_lanes_with_what_is_in_hand_of_them)
{
	deliverylab_hand_out();
	cr_assert(delivery_adopt(dl.delivery, deliverylab_make_lanes()));
	loop_turn(dl.loop);
	cr_assert_eq(dl.provider.closed, 0);
	deliverylab_answer((struct attempt_result){ .verdict = VERDICT_DELIVERED });
	loop_turn(dl.loop);
	cr_assert_eq(dl.provider.closed, 2);
	cr_assert_eq(dl.queue.told, FINISHED);
}

Test(push_delivery, goes_on_with_the_old_lanes_when_the_queue_cannot_change)
{
	struct lanes *next = deliverylab_make_lanes();

	dl.queue.adopts = false;
	cr_assert(!delivery_adopt(dl.delivery, next));
	lanes_close(next);
	loop_turn(dl.loop);
	cr_assert_eq(dl.provider.closed, 2, "the new ones");
	cr_assert_eq(dl.cfg.room(dl.cfg.arg, 0), 2);
	deliverylab_try_once(VERDICT_DELIVERED);
	cr_assert_eq(dl.queue.told, FINISHED);
}

Test(push_delivery, forgets_that_settings_were_wrong_when_they_are_changed)
{
	deliverylab_try_once(VERDICT_FAULT);
	cr_assert_eq(dl.cfg.room(dl.cfg.arg, 0), 0);
	cr_assert(delivery_adopt(dl.delivery, deliverylab_make_lanes()));
	cr_assert_eq(dl.cfg.room(dl.cfg.arg, 0), 2);
}

Test(push_delivery, cancels_what_is_under_way_at_the_end)
{
	deliverylab_hand_out();
	delivery_free(dl.delivery);
	dl.delivery = NULL;
	cr_assert_eq(dl.provider.cancelled, 1);
	cr_assert_eq(dl.queue.told, NOTHING, "it stays in the queue");
}
