/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue in Redis when Redis is killed, slow, full, a replica, forgets scripts, or refuses us:
 * nothing that was put is lost.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/pushlab.h"

static const char *const safe[] = { "--appendonly", "yes", "--appendfsync", "always", NULL };
static struct pushlab lab;
static struct gateway one, two;

static void
setup(void)
{
	pushlab_init(&lab, safe);
}

static void
teardown(void)
{
	gateway_close(&one);
	gateway_close(&two);
	pushlab_fini(&lab);
}

TestSuite(push_redis_faults, .init = setup, .fini = teardown);

static bool
is_empty(void)
{
	return pushlab_number(&lab, "HGET @total count") == 0;
}

static void
restart(void)
{
	redisd_kill(&lab.server);
	UNTIL(lab.loop, one.state == ERR_CONNECT);
	redisd_start(&lab.server, safe);
}

Test(push_redis_faults, a_killed_redis_loses_nothing)
{
	char key[16];

	gateway_open(&lab, &one);
	one.room = 20;
	for (int i = 0; i < 50; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		cr_assert_eq(gateway_put(&lab, &one, key, "$1 $2"), OK);
	}
	UNTIL(lab.loop, one.n_jobs == 20);
	gateway_finish(&one, 0, false);
	UNTIL(lab.loop, pushlab_number(&lab, "HGET @total count") == 99);
	restart();
	gateway_finish_all(&one); /* while it is away: told when it is back */
	one.done_at_once = true;
	UNTIL(lab.loop, one.state == OK);
	UNTIL(lab.loop, is_empty());
	cr_assert_eq(one.n_jobs, 100, "%zu", one.n_jobs);
}

Test(push_redis_faults, what_was_finished_without_an_answer_is_told_again)
{
	gateway_open(&lab, &one);
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1 $2"), OK);
	UNTIL(lab.loop, one.n_jobs == 1);
	kill(lab.server.pid, SIGSTOP);
	gateway_finish(&one, 0, false);
	lab_pass(lab.loop, 2 * LOOP_TICK_MS); /* it is sent */
	restart();
	UNTIL(lab.loop, one.n_jobs == 2);
	cr_assert_str_eq(one.order, "$1 $2 ");
	gateway_finish(&one, 1, false);
	UNTIL(lab.loop, is_empty());
}

Test(push_redis_faults, seen_and_rejected_outlive_redis)
{
	gateway_open(&lab, &one);
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1"), OK);
	cr_assert_eq(gateway_put(&lab, &one, "l", "$1"), OK);
	UNTIL(lab.loop, one.n_jobs == 2);
	gateway_finish(&one, 0, true);
	gateway_finish(&one, 1, false);
	UNTIL(lab.loop, is_empty());
	restart();
	UNTIL(lab.loop, one.state == OK);
	cr_assert_eq(gateway_put(&lab, &one, "k", "$2"), OK);
	cr_assert_str_eq(one.of, "R");
	cr_assert_eq(gateway_put(&lab, &one, "l", "$1"), OK);
	cr_assert_str_eq(one.of, "D");
}

Test(push_redis_faults, a_put_while_redis_is_away_ends)
{
	lab.redis.timeout = 300;
	gateway_open(&lab, &one);
	redisd_kill(&lab.server);
	UNTIL(lab.loop, one.state == ERR_CONNECT);
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1"), ERR_TIMEOUT);
	cr_assert_eq(delayq_state(one.q), ERR_CONNECT);
	redisd_start(&lab.server, safe);
	UNTIL(lab.loop, one.state == OK);
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1"), OK);
	UNTIL(lab.loop, one.n_jobs == 1);
}

/* What was carried out though no answer came is not put twice. */
Test(push_redis_faults, a_put_without_an_answer_may_be_repeated)
{
	lab.redis.timeout = 300;
	gateway_open(&lab, &one);
	one.room = 0;
	cr_assert_eq(gateway_put(&lab, &one, "k", "$0"), OK);
	kill(lab.server.pid, SIGSTOP);
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1"), ERR_TIMEOUT);
	kill(lab.server.pid, SIGCONT);
	UNTIL(lab.loop, one.state == OK);
	UNTIL(lab.loop, pushlab_number(&lab, "HGET @total count") == 2);
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1"), OK);
	cr_assert_str_eq(one.of, "D");
}

/* What Redis gave us in an answer that never came is not lost for the time of a claim. */
Test(push_redis_faults, what_was_taken_without_an_answer_is_given_back)
{
	lab.redis.timeout = 300;
	gateway_open(&lab, &one);
	one.room = 0;
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1"), OK);
	kill(lab.server.pid, SIGSTOP);
	one.room = 10;
	delayq_kick(one.q, 0);
	UNTIL(lab.loop, one.state == ERR_TIMEOUT);
	kill(lab.server.pid, SIGCONT);
	UNTIL(lab.loop, one.n_jobs == 1);
	gateway_finish(&one, 0, false);
	UNTIL(lab.loop, is_empty());
}

Test(push_redis_faults, forgotten_scripts_are_sent_again)
{
	gateway_open(&lab, &one);
	one.done_at_once = true;
	for (int i = 0; i < 5; i++) {
		char event[16];

		snprintf(event, sizeof(event), "$%d", i);
		pushlab_ask(&lab, "SCRIPT FLUSH");
		cr_assert_eq(gateway_put(&lab, &one, "k", event), OK);
		pushlab_ask(&lab, "SCRIPT FLUSH");
		UNTIL(lab.loop, is_empty());
	}
	cr_assert_eq(one.n_jobs, 5);
	cr_assert_eq(one.state, OK);
}

/* Full, it takes nothing, but what is in it gets out. */
Test(push_redis_faults, a_full_redis_empties)
{
	gateway_open(&lab, &one);
	one.room = 0;
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1 $2"), OK);
	cr_assert_eq(gateway_put(&lab, &one, "l", "$1 $2"), OK);
	pushlab_ask(&lab, "CONFIG SET maxmemory 1");
	cr_assert_eq(gateway_put(&lab, &one, "m", "$1"), ERR_STORE_FULL);
	UNTIL(lab.loop, one.state == ERR_STORE_FULL);
	one.room = 10;
	delayq_kick(one.q, 0);
	UNTIL(lab.loop, one.n_jobs == 2);
	gateway_later(&one, 0, 0);
	gateway_finish(&one, 1, true);
	UNTIL(lab.loop, one.n_jobs == 3);
	one.done_at_once = true;
	gateway_finish(&one, 2, false);
	UNTIL(lab.loop, is_empty());
	cr_assert_eq(one.state, ERR_STORE_FULL);
	pushlab_ask(&lab, "CONFIG SET maxmemory 0");
	UNTIL(lab.loop, one.state == OK); /* by itself */
	cr_assert_eq(gateway_put(&lab, &one, "m", "$1"), OK);
	cr_assert_str_eq(one.of, "Q", "it was not marked as seen");
}

Test(push_redis_faults, a_replica_is_a_state)
{
	gateway_open(&lab, &one);
	pushlab_ask(&lab, "REPLICAOF 127.0.0.1 1");
	UNTIL(lab.loop, one.state == ERR_STORE_READONLY);
	UNTIL(lab.loop, gateway_put(&lab, &one, "k", "$1") == ERR_STORE_READONLY);
	pushlab_ask(&lab, "REPLICAOF NO ONE");
	UNTIL(lab.loop, one.state == OK);
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1"), OK);
	UNTIL(lab.loop, one.n_jobs == 1);
}

Test(push_redis_faults, a_refused_command_is_a_state)
{
	gateway_open(&lab, &one);
	pushlab_ask(&lab, "ACL SETUSER default -rpush");
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1"), ERR_REDIS_ANSWER);
	UNTIL(lab.loop, one.state == ERR_REDIS_ANSWER);
	pushlab_ask(&lab, "ACL SETUSER default +rpush");
	UNTIL(lab.loop, one.state == OK);
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1"), OK);
	cr_assert_str_eq(one.of, "Q", "it was not marked as seen");
	UNTIL(lab.loop, one.n_jobs == 1);
	gateway_finish(&one, 0, false);
	UNTIL(lab.loop, is_empty()); /* though it was counted twice */
}

Test(push_redis_faults, a_wrong_password_is_a_state)
{
	lab.redis.password = STR("wrong");
	gateway_open_on(&lab, &one, lab.loop);
	pushlab_ask(&lab, "CONFIG SET requirepass right");
	UNTIL(lab.loop, one.state == ERR_REDIS_ANSWER);
	lab.redis.password = STR("right");
	cr_assert(delayq_redis_reopen(one.q, lab.resolver, &lab.redis));
	UNTIL(lab.loop, one.state == OK);
}

Test(push_redis_faults, a_new_connection_goes_on_with_what_is_in_hand)
{
	lab.redis.timeout = 1000;
	gateway_open(&lab, &one);
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1 $2"), OK);
	UNTIL(lab.loop, one.n_jobs == 1);
	gateway_ask(&one, (const struct push[]){ pushlab_push("app", "l", "$3") }, 1);
	gateway_finish(&one, 0, false);
	cr_assert(delayq_redis_reopen(one.q, lab.resolver, &lab.redis));
	one.done_at_once = true;
	UNTIL(lab.loop, one.answers == 2);
	cr_assert_eq(one.err, OK, "on the old one");
	UNTIL(lab.loop, one.n_jobs == 3);
	UNTIL(lab.loop, is_empty());
	UNTIL(lab.loop, pushlab_number(&lab, "CLIENT LIST | wc -l") == 2); /* us, and who asks */
}
