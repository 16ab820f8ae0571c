/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue in Redis when gateways share it and one dies, has another configuration, or when clocks
 * jump.
 */
#include <stdio.h>
#include <stdlib.h>

#include "pushgw/queue/delayq_redis_int.h"
#include "tests/unit/pushlab.h"

#define MANY 60

static struct pushlab lab;
static struct gateway one, two;
static struct loop *apart; /* of a gateway that stands still unless it is turned */

static void
setup(void)
{
	pushlab_init(&lab, NULL);
	apart = loop_new(NULL);
}

static void
teardown(void)
{
	gateway_close(&one);
	gateway_close(&two);
	loop_free(apart);
	pushlab_fini(&lab);
}

TestSuite(push_redis_shared, .init = setup, .fini = teardown);

static bool
is_empty(void)
{
	return pushlab_number(&lab, "HGET @total count") == 0;
}

static long long
score(void)
{
	const char *text = pushlab_ask(&lab, "ZRANGE @due:app 0 -1 WITHSCORES");
	const char *end = strchr(text, '\n');

	return end != NULL ? atoll(end) : 0;
}

/* Redis has answered to what was finished and put off. */
static bool
is_told(struct gateway *g)
{
	const struct delayq_redis *q = delayq_redis_of(g->q);

	return list_empty(&q->ended) && list_empty(&q->settling);
}

/* Opens one on the loop of its own and has it take the only push there is. */
static void
take_apart(void)
{
	gateway_open_on(&lab, &one, apart);
	UNTIL(apart, delayq_state(one.q) == OK);
	gateway_ask(&one, (const struct push[]){ pushlab_push("app", "k", "$1") }, 1);
	UNTIL(apart, one.n_jobs == 1);
}

/* --- several --- */

Test(push_redis_shared, each_push_is_handed_out_once)
{
	bool seen[MANY] = { false };

	one.room = two.room = 7;
	gateway_open(&lab, &one);
	gateway_open(&lab, &two);
	for (int i = 0; i < MANY; i++) {
		char key[16], event[16];

		snprintf(key, sizeof(key), "k%d", i);
		snprintf(event, sizeof(event), "$%d", i);
		cr_assert_eq(gateway_put(&lab, i % 2 ? &one : &two, key, event), OK);
	}
	UNTIL(lab.loop, one.n_jobs == 7 && two.n_jobs == 7); /* both have their share */
	one.done_at_once = two.done_at_once = true;
	gateway_finish_all(&one);
	gateway_finish_all(&two);
	UNTIL(lab.loop, is_empty());
	cr_assert_eq(one.n_jobs + two.n_jobs, MANY);
	for (int which = 0; which < 2; which++) {
		char *save = NULL;

		for (char *e = strtok_r(which ? one.order : two.order, " ", &save); e != NULL;
		     e = strtok_r(NULL, " ", &save)) {
			cr_assert_not(seen[atoi(e + 1)], "%s twice", e);
			seen[atoi(e + 1)] = true;
		}
	}
}

Test(push_redis_shared, another_delivers_what_a_dead_one_had)
{
	lab.queue.visibility = 300;
	take_apart(); /* and stands still from now on */
	lab.queue.visibility = PUSHLAB_HOUR;
	gateway_open(&lab, &two);
	UNTIL(lab.loop, two.n_jobs == 1);
	cr_assert_str_eq(two.order, "$1 ");
	/* It comes back, and says that it is finished: the other one has it by now. */
	gateway_finish(&one, 0, true);
	UNTIL(apart, is_told(&one));
	cr_assert_not(is_empty());
	cr_assert_eq(pushlab_number(&lab, "ZCARD @rejected"), 0);
	gateway_later(&two, 0, 0);
	UNTIL(lab.loop, two.n_jobs == 2);
	gateway_finish(&two, 1, false);
	UNTIL(lab.loop, is_empty());
}

Test(push_redis_shared, what_is_in_hand_stays_there)
{
	long long first;

	lab.queue.visibility = 4000;
	gateway_open(&lab, &one);
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1"), OK);
	UNTIL(lab.loop, one.n_jobs == 1);
	first = score();
	cr_assert_gt(first, 0);
	UNTIL(lab.loop, score() > first); /* it is renewed */
	lab.queue.visibility = PUSHLAB_HOUR;
	delayq_redis_set_visibility(one.q, &lab.queue);
	UNTIL(lab.loop, score() > first + PUSHLAB_HOUR / 2); /* for the new time */
	cr_assert_eq(one.n_jobs, 1);
	gateway_finish(&one, 0, false);
	UNTIL(lab.loop, is_empty());
}

/* A gateway that stood still for longer than that does not take what it has. */
Test(push_redis_shared, what_is_in_hand_is_not_taken_once_more)
{
	lab.queue.visibility = 200;
	take_apart();
	lab_pass(lab.loop, 600);
	gateway_ask(&one, (const struct push[]){ pushlab_push("app", "l", "$2") }, 1);
	UNTIL(apart, one.n_jobs == 2);
	gateway_finish_all(&one);
	UNTIL(apart, is_empty());
	cr_assert_str_eq(one.order, "$1 $2 ");
}

Test(push_redis_shared, who_ends_gives_back_what_was_in_hand)
{
	gateway_open(&lab, &one);
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1"), OK);
	cr_assert_eq(gateway_put(&lab, &one, "l", "$2"), OK);
	UNTIL(lab.loop, one.n_jobs == 2);
	gateway_finish(&one, 1, false); /* told on the way out */
	gateway_close(&one);
	gateway_open(&lab, &two);
	UNTIL(lab.loop, two.n_jobs == 1);
	cr_assert_str_eq(two.order, "$1 ");
	cr_assert_eq(two.jobs[0]->attempts, 0);
	gateway_finish(&two, 0, false);
	UNTIL(lab.loop, is_empty());
}

/* --- clocks --- */

Test(push_redis_shared, a_clock_set_back_strands_nothing)
{
	gateway_open(&lab, &one);
	one.room = 0;
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1"), OK);
	cr_assert_eq(gateway_put(&lab, &one, "l", "$2"), OK);
	/* As if they had been put before Redis' clock went back by a day. */
	pushlab_ask(&lab, "HINCRBY @total clock 86400000");
	pushlab_ask(&lab, "EVAL \"for _,m in ipairs(redis.call('zrange',KEYS[1],0,-1)) do "
			  "redis.call('zincrby',KEYS[1],86400000,m) end\" 1 @due:app");
	one.room = 10;
	delayq_kick(one.q, 0);
	UNTIL(lab.loop, one.n_jobs == 2);
	cr_assert_geq(pushlab_number(&lab, "HGET @total ahead"), 86000000);
	gateway_finish_all(&one);
	cr_assert_eq(gateway_put(&lab, &one, "m", "$3"), OK);
	UNTIL(lab.loop, one.n_jobs == 3);
	gateway_finish_all(&one);
	UNTIL(lab.loop, is_empty());
}

/* --- configurations --- */

/* A new app that only the other gateway knows yet is not given up here. */
Test(push_redis_shared, a_lane_of_another_gateway_is_left_to_it)
{
	struct delayq_redis *q;
	struct push p = pushlab_push("new", "k", "$1");
	clock_ms since;

	two.lanes[0] = "new";
	two.n_lanes = 1;
	gateway_open(&lab, &two);
	two.room = 0;
	delayq_redis_of(two.q)->serve_every = LOOP_TICK_MS;
	gateway_open(&lab, &one);
	q = delayq_redis_of(one.q);
	q->serve_every = LOOP_TICK_MS;
	cr_assert_eq(gateway_puts(&lab, &two, &p, 1), OK);
	UNTIL(lab.loop, !list_empty(&q->strangers));
	since = LIST_ENTRY(q->strangers.next, struct delayq_stranger, node)->since;
	UNTIL(lab.loop, LIST_ENTRY(q->strangers.next, struct delayq_stranger, node)->since > since);
	cr_assert_eq(one.n_jobs, 0);
	/* Until nobody says to serve it. */
	gateway_close(&two);
	q->grace = 100;
	UNTIL(lab.loop, one.n_jobs == 1);
	cr_assert_eq(one.jobs[0]->push.lane, DELAYQ_NO_LANE);
	gateway_finish(&one, 0, false);
	UNTIL(lab.loop, is_empty());
	UNTIL(lab.loop, list_empty(&q->strangers));
}

/* The app is gone here; another gateway may still have it. */
Test(push_redis_shared, an_app_that_is_gone_is_not_given_up_at_once)
{
	struct delayq_redis *q;

	gateway_open(&lab, &one);
	one.room = 0;
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1"), OK);
	one.lanes[0] = "else";
	one.room = 10;
	gateway_adopt(&lab, &one);
	q = delayq_redis_of(one.q);
	UNTIL(lab.loop, strcmp(pushlab_ask(&lab, "HVALS @claims"), "- 0 app") == 0);
	cr_assert_eq(one.n_jobs, 0, "looked at and put back");
	q->grace = 0;
	UNTIL(lab.loop, one.n_jobs == 1);
	cr_assert_eq(one.jobs[0]->push.lane, DELAYQ_NO_LANE);
}

/* Put by a gateway that writes another form of records. */
Test(push_redis_shared, what_cannot_be_read_is_put_off)
{
	gateway_open(&lab, &one);
	one.room = 0;
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1"), OK);
	pushlab_ask(&lab, "EVAL \"local c=redis.call('zrange',KEYS[1],0,0)[1] "
			  "redis.call('lset',KEYS[2]..c,0,'1 other form')\" 2 @due:app @chain:");
	one.room = 10;
	delayq_kick(one.q, 0);
	UNTIL(lab.loop, strcmp(pushlab_ask(&lab, "HVALS @claims"), "- 1 app") == 0);
	cr_assert_eq(one.n_jobs, 0);
	cr_assert_gt(score(), (long long)clock_wall_ms());
	cr_assert_not(is_empty());
}
