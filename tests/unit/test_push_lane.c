/* SPDX-License-Identifier: Apache-2.0 */
/* How much of an app goes out at once, and when it is left alone. */
#include <criterion/criterion.h>

#include "pushgw/delivery/lane_tell.h"
#include "pushgw/delivery/retry.h"

static const struct delivery_conf conf = { .retry_min = 1000,
	.retry_max = 300000,
	.breaker_pause = 30000,
	.breaker_window = 20,
	.breaker_share = 50 };
static const struct provider_type one = { .name = "one", .one_server = true },
				  many = { .name = "many" };
static char id[] = "org.example", odd_id[] = "a\"b\\c";
static struct app_conf app;
static struct lane lane;
static clock_ms again;

static void
setup(void)
{
	app = (struct app_conf){ .id = id, .concurrency = 3 };
	lane = (struct lane){ .app = &app, .type = &one };
	breaker_init(&lane.breaker, &conf);
}

TestSuite(push_lane, .init = setup);

static void
come(enum verdict v, clock_ms now)
{
	const struct attempt_result r = { .verdict = v, .reason = "" };

	lane_take(&lane, now);
	lane_release(&lane);
	lane_note(&lane, &r, &conf, now);
}

Test(push_lane, has_room_up_to_its_concurrency)
{
	cr_assert_eq(lane_room(&lane, 5, &again), 3);
	lane_take(&lane, 5);
	lane_take(&lane, 5);
	lane_take(&lane, 5);
	cr_assert_eq(lane_room(&lane, 5, &again), 0);
	cr_assert_eq(again, 0, "asked again when one is done");
	lane_release(&lane);
	cr_assert_eq(lane_room(&lane, 5, &again), 1);
}

Test(push_lane, keeps_to_its_rate)
{
	size_t sent = 0;

	app.rate = 120;
	app.concurrency = 1000;
	for (clock_ms now = 100000; now < 160000; now += 50)
		for (size_t n = lane_room(&lane, now, &again); n > 0; n--) {
			lane_take(&lane, now);
			sent++;
		}
	cr_assert(sent >= 119 && sent <= 122, "%zu", sent);
}

Test(push_lane, spreads_a_rate_below_one_a_second)
{
	app.rate = 6;
	cr_assert_eq(lane_room(&lane, 100000, &again), 1);
	lane_take(&lane, 100000);
	lane_release(&lane);
	cr_assert_eq(lane_room(&lane, 100001, &again), 0);
	cr_assert(again > 100001 && again <= 100001 + 10001);
	cr_assert_eq(lane_room(&lane, again, &again), 1);
}

Test(push_lane, leaves_a_busy_provider_alone)
{
	const struct attempt_result r = {
		.verdict = VERDICT_BUSY, .reason = "", .whole_app = true, .retry_after = 60000
	};

	lane_take(&lane, 1000);
	lane_note(&lane, &r, &conf, 1000);
	lane_release(&lane);
	cr_assert_eq(lane_room(&lane, 60999, &again), 0);
	cr_assert_geq(again, 61000);
	cr_assert_eq(lane_room(&lane, again, &again), 3);
}

Test(push_lane, goes_on_with_others_when_one_device_is_busy)
{
	come(VERDICT_BUSY, 1000);
	cr_assert_eq(lane_room(&lane, 1000, &again), 3);
}

Test(push_lane, tries_a_provider_that_is_away_with_one_push_at_a_time)
{
	clock_ms last;

	for (int i = 0; i < LANE_AWAY; i++) {
		cr_assert_eq(lane_room(&lane, 1000, &again), 3);
		come(VERDICT_FAILED, 1000);
	}
	cr_assert(lane_away(&lane));
	cr_assert_eq(lane_room(&lane, 1000, &again), 0);
	cr_assert(again > 1000 && again <= 2000, "%llu", (unsigned long long)again);
	last = again;
	cr_assert_eq(lane_room(&lane, last, &again), 1);
	lane_take(&lane, last);
	cr_assert_eq(lane_room(&lane, last, &again), 0);
	lane_release(&lane);
	come(VERDICT_DELIVERED, last);
	cr_assert(!lane_away(&lane));
	cr_assert_eq(lane_room(&lane, last, &again), 3);
}

Test(push_lane, waits_ten_seconds_at_most_for_one_that_is_away)
{
	for (int i = 0; i < 50; i++)
		come(VERDICT_FAILED, 1000);
	cr_assert_eq(lane_room(&lane, 1000, &again), 0);
	cr_assert(again > 1000 && again <= 11000);
}

Test(push_lane, is_not_held_up_by_one_of_many_servers)
{
	lane.type = &many;
	for (int i = 0; i < 50; i++)
		come(VERDICT_FAILED, 1000);
	cr_assert_eq(lane_room(&lane, 1000, &again), 3);
}

Test(push_lane, tries_one_push_while_its_settings_are_wrong)
{
	come(VERDICT_FAULT, 1000);
	cr_assert_eq(lane_room(&lane, 1000, &again), 0);
	cr_assert_eq(again, 31000);
	cr_assert_eq(lane_room(&lane, 31000, &again), 1);
	lane_take(&lane, 31000);
	cr_assert_eq(lane_room(&lane, 31000, &again), 0);
}

/* A homeserver's own endpoints must not stop an app for others. */
Test(push_lane, is_not_stopped_by_what_some_of_many_servers_answer)
{
	lane.type = &many;
	for (int i = 0; i < 50; i++)
		come(VERDICT_SUSPECT, 1000);
	cr_assert(!breaker_believes(&lane.breaker), "but none is believed");
	cr_assert_eq(lane_room(&lane, 1000, &again), 3);
	lane_take(&lane, 1000);
	cr_assert_eq(lane_room(&lane, 1000, &again), 2);
}

static bool
tells(enum verdict v, enum breaker_event event, clock_ms now)
{
	const struct attempt_result r = { .verdict = v, .status = 400, .reason = "" };

	lane.breaker.open = event == BREAKER_OPENED;
	lane_tell(&lane, &r, event, now);
	return lane.trouble;
}

/* What homeservers can bring about again and again does not fill the log. */
Test(push_lane, tells_once_a_minute_that_pushkeys_are_called_wrong)
{
	cr_assert(tells(VERDICT_SUSPECT, BREAKER_OPENED, 1000));
	cr_assert(!tells(VERDICT_DELIVERED, BREAKER_CLOSED, 1001));
	cr_assert(!tells(VERDICT_SUSPECT, BREAKER_OPENED, 60999));
	cr_assert(!tells(VERDICT_DELIVERED, BREAKER_CLOSED, 60999), "nor that it works again");
	cr_assert(tells(VERDICT_FAULT, BREAKER_OPENED, 60999), "they cannot bring about this");
	cr_assert(!tells(VERDICT_DELIVERED, BREAKER_CLOSED, 60999));
	cr_assert(tells(VERDICT_SUSPECT, BREAKER_OPENED, 61000));
}

Test(push_lane, names_its_metrics_by_the_configuration)
{
	struct buf out;

	app.id = odd_id;
	come(VERDICT_DELIVERED, 1000);
	buf_init(&out, 1 << 20);
	cr_assert(lane_print(&lane, 1, &out));
	cr_assert(buf_put(&out, str_of("", 1)));
	cr_assert_not_null(strstr(buf_str(&out).p,
	    "schleuse_push_app_attempts_total{app=\"a\\\"b\\\\c\",verdict=\"delivered\"} 1\n"));
	buf_fini(&out);
}

Test(push_retry, doubles_up_to_the_longest_wait)
{
	for (unsigned n = 0; n < 40; n++) {
		clock_ms most = n < 9 ? 1000ULL << n : 300000, w = retry_wait(&conf, n, 0);

		if (most > 300000)
			most = 300000;
		cr_assert(w >= most / 2 && w <= most, "%u: %llu", n, (unsigned long long)w);
	}
}

Test(push_retry, never_comes_before_it_is_allowed)
{
	bool differ = false;
	clock_ms first = retry_wait(&conf, 0, 60000);

	for (int i = 0; i < 100; i++) {
		clock_ms w = retry_wait(&conf, 0, 60000);

		cr_assert(w >= 60000 && w <= 60500);
		differ = differ || w != first;
	}
	cr_assert(differ, "all at the same time");
}
