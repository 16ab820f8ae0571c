/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue in a real Redis: what is put, handed out and finished, by one gateway and by two that
 * share it (FD-5.2.3-1, ML-123618-3).
 */
#include "tests/unit/pushlab.h"

static struct pushlab lab;
static struct gateway one, two;

static void
setup(void)
{
	pushlab_init(&lab, NULL);
}

static void
teardown(void)
{
	gateway_close(&one);
	gateway_close(&two);
	pushlab_fini(&lab);
}

TestSuite(push_redis, .init = setup, .fini = teardown);

static void
open_both(void)
{
	gateway_open(&lab, &one);
	gateway_open(&lab, &two);
}

static bool
is_empty(void)
{
	return pushlab_number(&lab, "HGET @total count") == 0;
}

static void
until_empty(void)
{
	UNTIL(lab.loop, is_empty());
	cr_assert_eq(pushlab_number(&lab, "HGET @total bytes"), 0);
	cr_assert_str_eq(pushlab_ask(&lab, "KEYS @chain:*"), "");
	cr_assert_str_eq(pushlab_ask(&lab, "KEYS @due:*"), "");
	cr_assert_str_eq(pushlab_ask(&lab, "KEYS @claims"), "");
}

/* --- one gateway --- */

Test(push_redis, hands_out_what_was_put)
{
	struct push p = { .app_id = STR("app"),
		.pushkey = STR("key \1\n"),
		.pushkey_ts = 1700000000,
		.event_id = STR("$event"),
		.room_id = STR("!room:a"),
		.prio = PUSH_LOW,
		.ephemeral = STR("e"),
		.ciphertext = { "c\0\n\r c", 6 },
		.mac = STR("m"),
		.data = STR("{\"a\":1}"),
		.accepted = 1700000000123 };
	const struct push *got;

	gateway_open(&lab, &one);
	cr_assert_eq(gateway_puts(&lab, &one, &p, 1), OK);
	cr_assert_str_eq(one.of, "Q");
	UNTIL(lab.loop, one.n_jobs == 1);
	got = &one.jobs[0]->push;
	cr_assert(str_eq(got->app_id, p.app_id) && str_eq(got->pushkey, p.pushkey) &&
		  str_eq(got->event_id, p.event_id) && str_eq(got->room_id, p.room_id) &&
		  str_eq(got->ephemeral, p.ephemeral) && str_eq(got->ciphertext, p.ciphertext) &&
		  str_eq(got->mac, p.mac) && str_eq(got->data, p.data));
	cr_assert(got->lane == 0 && got->prio == PUSH_LOW && got->pushkey_ts == p.pushkey_ts &&
		  got->accepted == p.accepted);
	cr_assert_eq(one.jobs[0]->attempts, 0);
	cr_assert_leq(one.jobs[0]->due, clock_now());
	gateway_finish(&one, 0, false);
	until_empty();
	cr_assert_eq(one.n_jobs, 1);
}

/* ML-123618-3: every device has a delay of its own, over the whole of the range; none is handed
 * out before. */
Test(push_redis, each_push_has_its_own_delay)
{
	struct push pushes[60];
	char keys[60][8], *text, *save = NULL;
	long long before, after, score, least = 0, most = 0, scores = 0, last = 0, same = 0;

	lab.limits.delay_max = 3000000; /* nothing becomes due meanwhile */
	gateway_open(&lab, &one);
	for (size_t i = 0; i < 60; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
		pushes[i] = pushlab_push("app", keys[i], "$e");
	}
	before = clock_wall_ms();
	cr_assert_eq(gateway_puts(&lab, &one, pushes, 60), OK);
	after = clock_wall_ms();
	text = strdup(pushlab_ask(&lab, "ZRANGE @due:app 0 -1 WITHSCORES"));
	for (char *w = strtok_r(text, "\n", &save); w != NULL; w = strtok_r(NULL, "\n", &save)) {
		w = strtok_r(NULL, "\n", &save); /* behind the chain's name */
		score = atoll(w);
		least = scores == 0 ? score : least;
		most = score;
		same += score == last;
		last = score;
		scores++;
	}
	free(text);
	cr_assert_eq(scores, 60);
	cr_assert(least >= before && most <= after + 3000000);
	cr_assert(least < before + 1000000 && most > before + 2000000, "%lld %lld", least, most);
	cr_assert_lt(same, 3);
	cr_assert_eq(one.n_jobs, 0);
}

Test(push_redis, order_is_kept_for_each_pushkey)
{
	lab.limits.delay_max = 300;
	open_both();
	one.done_at_once = two.done_at_once = true;
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1 $2 $3"), OK);
	cr_assert_eq(gateway_put(&lab, &two, "k", "$4 $5"), OK);
	cr_assert_eq(gateway_put(&lab, &one, "k", "$6"), OK);
	until_empty();
	/* Whoever took them, each had its turn when the one before was finished. */
	for (size_t a = 0, b = 0, i = 1; i <= 6; i++) {
		char event[16];

		snprintf(event, sizeof(event), "$%zu ", i);
		if (strncmp(one.order + a, event, 3) == 0)
			a += 3;
		else if (strncmp(two.order + b, event, 3) == 0)
			b += 3;
		else
			cr_assert_fail("%s: '%s' and '%s'", event, one.order, two.order);
	}
}

Test(push_redis, one_of_a_pushkey_is_in_hand_at_a_time)
{
	open_both();
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1 $2"), OK);
	UNTIL(lab.loop, one.n_jobs + two.n_jobs == 1);
	cr_assert_eq(gateway_put(&lab, &two, "k", "$3"), OK);
	cr_assert_eq(gateway_put(&lab, &one, "other", "$x"), OK);
	UNTIL(lab.loop, strstr(one.order, "$x") != NULL || strstr(two.order, "$x") != NULL);
	lab_pass(lab.loop, 1200); /* both have asked again */
	cr_assert_eq(one.n_jobs + two.n_jobs, 2, "'%s' and '%s'", one.order, two.order);
	for (size_t n = 3; n <= 4; n++) {
		gateway_finish_all(&one);
		gateway_finish_all(&two);
		UNTIL(lab.loop, one.n_jobs + two.n_jobs == n);
	}
	gateway_finish_all(&one);
	gateway_finish_all(&two);
	until_empty();
}

Test(push_redis, what_is_put_off_keeps_its_place)
{
	gateway_open(&lab, &one);
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1 $2"), OK);
	UNTIL(lab.loop, one.n_jobs == 1);
	gateway_later(&one, 0, 200);
	UNTIL(lab.loop, one.n_jobs == 2);
	cr_assert_str_eq(one.order, "$1 $1 ");
	cr_assert_eq(one.jobs[1]->attempts, 1);
	gateway_later(&one, 1, PUSHLAB_HOUR);
	UNTIL(lab.loop, strcmp(pushlab_ask(&lab, "HVALS @claims"), "- 2 app") == 0);
	cr_assert_eq(atoi(pushlab_ask(&lab, "ZCOUNT @due:app %lld +inf",
			 (long long)clock_wall_ms() + PUSHLAB_HOUR / 2)),
	    1);
	cr_assert_eq(one.n_jobs, 2);
}

Test(push_redis, takes_no_more_than_there_is_room_for)
{
	one.room = 2;
	gateway_open(&lab, &one);
	for (int i = 0; i < 6; i++) {
		char key[16];

		snprintf(key, sizeof(key), "k%d", i);
		cr_assert_eq(gateway_put(&lab, &one, key, "$e"), OK);
	}
	UNTIL(lab.loop, one.n_jobs == 2);
	lab_pass(lab.loop, 1200); /* it asks again each second */
	cr_assert_eq(one.n_jobs, 2);
	cr_assert_eq(pushlab_number(&lab, "HLEN @claims"), 2);
	gateway_finish_all(&one);
	delayq_kick(one.q, 0);
	UNTIL(lab.loop, one.n_jobs == 4);
	gateway_open(&lab, &two); /* has room */
	UNTIL(lab.loop, two.n_jobs == 2);
	gateway_finish_all(&one);
	gateway_finish_all(&two);
	until_empty();
}

Test(push_redis, is_asked_seldom_when_idle)
{
	long long calls;

	gateway_open(&lab, &one);
	UNTIL(lab.loop, pushlab_number(&lab, "ZCARD @lanes") == 2);
	pushlab_ask(&lab, "CONFIG RESETSTAT");
	lab_pass(lab.loop, 3000);
	calls =
	    atoll(strchr(pushlab_ask(&lab, "INFO commandstats | grep cmdstat_evalsha:"), '=') + 1);
	cr_assert(calls > 0 && calls <= 6, "%lld", calls);
}

Test(push_redis, measures)
{
	struct delayq_gauges g;

	one.room = 1;
	gateway_open(&lab, &one);
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1"), OK);
	cr_assert_eq(gateway_put(&lab, &one, "l", "$2"), OK);
	UNTIL(lab.loop, (delayq_measure(one.q, &g), g.count == 2 && g.oldest_overdue > 0));
	cr_assert_eq(g.in_hand, 1);
	cr_assert_gt(g.bytes, 0);
	gateway_finish(&one, 0, true);
	UNTIL(lab.loop, (delayq_measure(one.q, &g), g.count == 1 && g.rejected == 1));
}

Test(push_redis, a_cancelled_put_is_not_told_but_done)
{
	struct push p = pushlab_push("app", "k", "$1");

	gateway_open(&lab, &one);
	delayq_cancel(delayq_put(one.q, &p, 1, NULL, NULL));
	UNTIL(lab.loop, one.n_jobs == 1);
	gateway_finish(&one, 0, false);
	until_empty();
}

/* --- duplicates --- */

Test(push_redis, a_repeated_push_is_put_once)
{
	open_both();
	one.done_at_once = two.done_at_once = true;
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1 $1 $2"), OK);
	cr_assert_str_eq(one.of, "QDQ");
	cr_assert_eq(gateway_put(&lab, &two, "k", "$1"), OK);
	cr_assert_str_eq(two.of, "D");
	cr_assert_eq(gateway_put(&lab, &two, "l", "$1"), OK);
	cr_assert_str_eq(two.of, "Q", "another pushkey");
	until_empty();
	cr_assert_eq(one.n_jobs + two.n_jobs, 3);
	cr_assert_eq(gateway_put(&lab, &two, "k", "$2"), OK);
	cr_assert_str_eq(two.of, "D", "also when it was delivered");
	cr_assert_eq(pushlab_number(&lab,
			 "EVAL \"local n=0 for _,k in ipairs(redis.call('keys',ARGV[1])) do "
			 "if redis.call('pttl',k)>0 then n=n+1 end end return n\" 0 '@seen:*'"),
	    3, "none of them stays for ever");
}

Test(push_redis, a_duplicate_is_forgotten_after_its_time)
{
	lab.limits.duplicates = 200;
	gateway_open(&lab, &one);
	one.done_at_once = true;
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1"), OK);
	UNTIL(lab.loop, gateway_put(&lab, &one, "k", "$1") == OK && one.of[0] == 'Q');
	until_empty();
}

Test(push_redis, without_an_event_nothing_is_a_duplicate)
{
	gateway_open(&lab, &one);
	one.done_at_once = true;
	for (int i = 0; i < 2; i++) {
		struct push p = pushlab_push("app", "k", "");

		cr_assert_eq(gateway_puts(&lab, &one, &p, 1), OK);
		cr_assert_str_eq(one.of, "Q");
	}
	UNTIL(lab.loop, one.n_jobs == 2);
	until_empty();
}

/* --- limits --- */

Test(push_redis, beyond_the_limits_nothing_is_put)
{
	lab.limits.count_max = 3;
	lab.limits.per_pushkey_max = 2;
	one.room = 0;
	gateway_open(&lab, &one);
	one.room = 0;
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1 $2 $3"), ERR_QUEUE_FULL, "of one pushkey");
	cr_assert(is_empty());
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1 $2"), OK);
	cr_assert_eq(gateway_put(&lab, &one, "k", "$3"), ERR_QUEUE_FULL);
	cr_assert_eq(gateway_put(&lab, &one, "l", "$1 $2"), ERR_QUEUE_FULL, "of all");
	cr_assert_eq(gateway_put(&lab, &one, "l", "$1"), OK, "it was not marked as seen");
	cr_assert_str_eq(one.of, "Q");
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1"), OK);
	cr_assert_str_eq(one.of, "D", "a duplicate needs no room");
	lab.limits.count_max = 100;
	lab.limits.bytes_max = (uint64_t)pushlab_number(&lab, "HGET @total bytes") + 1;
	gateway_adopt(&lab, &one);
	cr_assert_eq(gateway_put(&lab, &one, "m", "$1"), ERR_QUEUE_FULL, "bytes");
	cr_assert_eq(pushlab_number(&lab, "HGET @total count"), 3);
}

/* --- rejected pushkeys --- */

Test(push_redis, a_rejected_pushkey_is_known_to_all)
{
	struct push p = pushlab_push("app", "k", "$5");

	open_both();
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1 $2 $3"), OK);
	UNTIL(lab.loop, one.n_jobs + two.n_jobs == 1);
	gateway_finish(one.n_jobs == 1 ? &one : &two, 0, true);
	until_empty(); /* those that waited are gone */
	cr_assert_eq(one.n_jobs + two.n_jobs, 1);
	cr_assert_eq(gateway_put(&lab, &two, "k", "$1 $4"), OK);
	cr_assert_str_eq(two.of, "RR");
	p.pushkey_ts = clock_wall_s() + 2; /* set anew since */
	cr_assert_eq(gateway_puts(&lab, &one, &p, 1), OK);
	cr_assert_str_eq(one.of, "Q");
	p.pushkey_ts = 0;
	p.event_id = STR("$6");
	cr_assert_eq(gateway_puts(&lab, &two, &p, 1), OK);
	cr_assert_str_eq(two.of, "Q", "it is revived for all");
}

/* Web Push: whoever knows the key of another's browser can name it with an endpoint of his own. */
Test(push_redis, an_endpoint_of_another_says_nothing_of_this_one)
{
	struct push mine = pushlab_push("app", "k", "$1"), his = pushlab_push("app", "k", "$1");

	mine.data = STR("{\"auth\":\"x\",\"endpoint\":\"https://push.example/1\"}");
	his.data = STR("{\"auth\":\"x\",\"endpoint\":\"https://evil.example/1\"}");
	open_both();
	cr_assert_eq(gateway_puts(&lab, &one, &his, 1), OK);
	UNTIL(lab.loop, one.n_jobs + two.n_jobs == 1);
	cr_assert_eq(gateway_puts(&lab, &one, &mine, 1), OK);
	cr_assert_str_eq(one.of, "Q", "no duplicate");
	UNTIL(lab.loop, one.n_jobs + two.n_jobs == 2); /* it does not wait for his */
	for (size_t i = 0; i < one.n_jobs; i++)
		gateway_finish(&one, i, true);
	for (size_t i = 0; i < two.n_jobs; i++)
		gateway_finish(&two, i, true);
	until_empty();
	cr_assert_eq(pushlab_number(&lab, "ZCARD @rejected"), 2);
	cr_assert_eq(gateway_puts(&lab, &two, &mine, 1), OK);
	cr_assert_str_eq(two.of, "R");
}

Test(push_redis, rejections_are_bounded_and_forgotten)
{
	char key[16];

	lab.limits.rejected_max = 3;
	gateway_open(&lab, &one);
	for (int i = 0; i < 5; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		cr_assert_eq(gateway_put(&lab, &one, key, "$1"), OK);
		UNTIL(lab.loop, one.n_jobs == (size_t)i + 1);
		gateway_finish(&one, (size_t)i, true);
		until_empty();
		lab_pass(lab.loop, 5); /* the next is rejected later */
	}
	cr_assert_eq(pushlab_number(&lab, "ZCARD @rejected"), 3);
	cr_assert_eq(gateway_put(&lab, &one, "k4", "$2"), OK);
	cr_assert_str_eq(one.of, "R");
	cr_assert_eq(gateway_put(&lab, &one, "k0", "$2"), OK);
	cr_assert_str_eq(one.of, "Q", "the oldest was forgotten");
	pushlab_ask(&lab,
	    "EVAL \"for _,m in ipairs(redis.call('zrange',KEYS[1],0,-1)) do "
	    "redis.call('zincrby',KEYS[1],-%d,m) end\" 1 @rejected",
	    PUSHLAB_HOUR);
	cr_assert_eq(gateway_put(&lab, &one, "k4", "$3"), OK);
	cr_assert_str_eq(one.of, "Q", "its time is over");
}

/* --- lanes --- */

Test(push_redis, a_full_lane_holds_up_no_other)
{
	struct push p = pushlab_push("slow", "k", "$1");

	one.lanes[0] = "slow";
	one.lanes[1] = "app";
	one.n_lanes = 2;
	one.room = 1;
	gateway_open(&lab, &one);
	cr_assert_eq(gateway_puts(&lab, &one, &p, 1), OK);
	UNTIL(lab.loop, one.n_jobs == 1);
	p = pushlab_push("slow", "l", "$2");
	cr_assert_eq(gateway_puts(&lab, &one, &p, 1), OK);
	p = pushlab_push("app", "m", "$3");
	p.lane = 1;
	cr_assert_eq(gateway_puts(&lab, &one, &p, 1), OK);
	UNTIL(lab.loop, one.n_jobs == 2);
	cr_assert_str_eq(one.order, "$1 $3 ");
	cr_assert_eq(one.jobs[1]->push.lane, 1);
}

Test(push_redis, pushes_of_a_lane_that_is_gone_go_to_the_one_of_their_app)
{
	struct push p = pushlab_push("app.b", "k", "$1");

	one.lanes[0] = "app.a";
	one.lanes[1] = "app.b";
	one.n_lanes = 2;
	gateway_open(&lab, &one);
	one.room = 0;
	p.lane = 1;
	cr_assert_eq(gateway_puts(&lab, &one, &p, 1), OK);
	one.lanes[0] = "app.*"; /* has both */
	one.others = "app.";
	one.n_lanes = 1;
	one.room = 10;
	gateway_adopt(&lab, &one);
	UNTIL(lab.loop, one.n_jobs == 1);
	cr_assert_eq(one.jobs[0]->push.lane, 0);
	gateway_finish(&one, 0, false);
	until_empty();
}

Test(push_redis, the_lane_of_what_is_in_hand_follows_the_configuration)
{
	struct push p = pushlab_push("b", "k", "$1");

	one.lanes[0] = "a";
	one.lanes[1] = "b";
	one.n_lanes = 2;
	gateway_open(&lab, &one);
	p.lane = 1;
	cr_assert_eq(gateway_puts(&lab, &one, &p, 1), OK);
	UNTIL(lab.loop, one.n_jobs == 1);
	one.lanes[0] = "b";
	one.lanes[1] = "a";
	gateway_adopt(&lab, &one);
	cr_assert_eq(one.jobs[0]->push.lane, 0);
}
