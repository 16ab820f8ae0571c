/* SPDX-License-Identifier: Apache-2.0 */
/* etc/redis-acl.conf gives the push gateways what they need and nothing of others (CP-2.2-1). */
#include "tests/unit/pushlab.h"

static struct pushlab lab;
static struct gateway one, two;
static unsigned calls;
static enum err last;

static void
setup(void)
{
	pushlab_init_acl(&lab, "schleuse-pushgw");
}

static void
teardown(void)
{
	gateway_close(&one);
	gateway_close(&two);
	pushlab_fini(&lab);
}

TestSuite(push_redis_acl, .init = setup, .fini = teardown);

static bool
is_empty(void)
{
	return pushlab_number(&lab, REDISD_ADMIN "HGET schleuse:pushgw:total count") == 0;
}

Test(push_redis_acl, the_gateway_can_work)
{
	struct push again = pushlab_push("app", "k", "$3");

	gateway_open(&lab, &one);
	cr_assert_eq(gateway_put(&lab, &one, "k", "$1 $2"), OK);
	cr_assert_eq(gateway_put(&lab, &one, "l", "$1"), OK);
	cr_assert_eq(gateway_put(&lab, &one, "l", "$1"), OK);
	cr_assert_str_eq(one.of, "D");
	UNTIL(lab.loop, one.n_jobs == 2);
	gateway_later(&one, 0, 0);
	UNTIL(lab.loop, one.n_jobs == 3);
	gateway_close(&one); /* gives back */
	gateway_open(&lab, &two);
	UNTIL(lab.loop, two.n_jobs == 2);
	lab.queue.visibility = PUSHLAB_HOUR / 2;
	delayq_redis_set_visibility(two.q, &lab.queue); /* renews */
	lab_pass(lab.loop, 4 * LOOP_TICK_MS);
	for (size_t i = 0; i < 2; i++)
		gateway_finish(&two, i, two.jobs[i]->push.pushkey.p[0] == 'k');
	UNTIL(lab.loop, is_empty());
	again.pushkey_ts = clock_wall_s() + 10;
	cr_assert_eq(gateway_puts(&lab, &two, &again, 1), OK);
	cr_assert_str_eq(two.of, "Q");
	UNTIL(lab.loop, two.n_jobs == 3);
	two.lanes[0] = "else"; /* and looks into the lane that is gone */
	gateway_adopt(&lab, &two);
	gateway_later(&two, 2, 0);
	UNTIL(lab.loop,
	    strcmp(pushlab_ask(&lab, REDISD_ADMIN "HVALS schleuse:pushgw:claims"), "- 1 app") == 0);
	lab_pass(lab.loop, 4 * LOOP_TICK_MS);
	cr_assert_eq(two.state, OK);
	cr_assert_str_eq(pushlab_ask(&lab, REDISD_ADMIN "ACL LOG"), "", "nothing was refused");
}

/* --- what is refused --- */

static void
on_reply(void *arg, enum err err, const redisReply *reply)
{
	(void)arg;
	last = err != OK ? err : redis_reason(reply);
	calls++;
}

static enum err
say(struct redis *client, const char *words)
{
	struct str list[8], rest = str_z(words);
	unsigned before = calls;
	size_t n = 0;

	while (rest.n > 0 && n < 8)
		str_cut(rest, ' ', &list[n++], &rest);
	cr_assert_not_null(redis_send(client, list, n, on_reply, NULL));
	UNTIL(lab.loop, calls > before);
	return last;
}

Test(push_redis_acl, the_gateway_has_its_own_only)
{
	static const char *const refused[] = { "SET schleuse:regsvc:client:a 1",
		"DEL schleuse:tls-ticket:a", "HGET schleuse:regsvc:a b",
		"PUBLISH schleuse:regsvc:changes 1", "SCAN 0", "KEYS *", "FLUSHALL", "FLUSHDB",
		"CONFIG GET dir", "SCRIPT FLUSH", "INFO", "MONITOR", "ACL LIST",
		"EVAL return(redis.call('get',KEYS[1])) 1 schleuse:regsvc:a",
		"EVAL return(redis.call('hget','schleuse:regsvc:a','b')) 0" };
	struct redis *client = redis_section_open(lab.loop, lab.resolver, &lab.redis, NULL, NULL);

	cr_assert_not_null(client);
	cr_assert_eq(say(client, "HGET schleuse:pushgw:total count"), OK);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		cr_expect_eq(say(client, refused[i]), ERR_REDIS_ANSWER, "%s", refused[i]);
	redis_free(client);
}
