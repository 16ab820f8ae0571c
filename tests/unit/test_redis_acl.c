/* SPDX-License-Identifier: Apache-2.0 */
/* etc/redis-acl.conf gives each daemon what it needs and nothing of the others (CP-2.2-1). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/fsutil.h"
#include "lib/net/resolver.h"
#include "lib/store/store_redis.h"
#include "tests/unit/lab.h"
#include "tests/unit/redisd.h"

#define ADMIN REDISD_ADMIN

static struct loop *loop;
static struct resolver *resolver;
static struct redisd server;
static struct redis *client;
static struct store *store;
static unsigned calls;
static enum err last;
static char text[256];

static void
setup(void)
{
	const struct resolver_config rc = { .n_hosts = 0 };

	redisd_init(&server, "acl", false);
	redisd_start_acl(&server);
	loop = loop_new(NULL);
	resolver = resolver_new(loop, &rc);
}

static void
teardown(void)
{
	redis_free(client);
	store_free(store);
	resolver_free(resolver);
	loop_free(loop);
	redisd_fini(&server);
}

TestSuite(redis_acl, .init = setup, .fini = teardown);

static struct redis_config
config(const char *user)
{
	return (struct redis_config){ .unix_path = server.path,
		.resolver = resolver,
		.user = user,
		.password = STR("pw"),
		.timeout = LAB_PATIENCE_MS,
		.wait_min = LOOP_TICK_MS,
		.wait_max = LOOP_TICK_MS,
		.queue_max = 64 };
}

static void
ended(enum err err)
{
	last = err;
	calls++;
}

/* --- the store of the registration service --- */

static void
on_value(void *arg, enum err err, struct str value)
{
	(void)arg;
	(void)value;
	ended(err);
}

static void
on_done(void *arg, enum err err)
{
	(void)arg;
	ended(err);
}

static void
on_keys(void *arg, enum err err, const struct str *keys, size_t n)
{
	(void)arg;
	(void)keys;
	(void)n;
	ended(err);
}

static void
on_told(void *arg)
{
	++*(unsigned *)arg;
}

static void
on_held(void *arg, bool held)
{
	*(bool *)arg = held;
}

static void
until_ok(struct store_call *c)
{
	unsigned before = calls;

	cr_assert_not_null(c);
	UNTIL(loop, calls > before);
	cr_assert_eq(last, OK, "%s", err_name(last));
}

static void
open_store(void)
{
	const struct store_config sc = { .value_max = 1000, .keys_max = 10 };
	const struct redis_config rc = config("schleuse-regsvc");

	store = store_redis_open(loop, &sc, &rc, "schleuse:regsvc:");
	cr_assert_not_null(store);
}

Test(redis_acl, the_registration_service_can_work)
{
	const struct store_op ops[] = { { STR("k"), STR("v"), 0 }, { STR("l"), STR("v"), 1000 } };
	const struct store_op gone = { STR("k"), STR_NONE, 0 };
	unsigned told = 0;
	bool held = false;
	struct store_watch *w;
	struct store_claim *c;

	open_store();
	w = store_watch(store, STR("changes"), on_told, &told);
	UNTIL(loop, told == 2);
	until_ok(store_apply(store, ops, 2, STR("changes"), on_done, NULL));
	UNTIL(loop, told == 3);
	until_ok(store_get(store, STR("k"), on_value, NULL));
	until_ok(store_list(store, STR_NONE, on_keys, NULL));
	until_ok(store_apply(store, &gone, 1, STR_NONE, on_done, NULL));
	c = store_claim(store, STR("fetch"), 600, on_held, &held);
	UNTIL(loop, held);
	lab_pass(loop, 600); /* renewed */
	cr_assert(held);
	store_claim_release(c);
	store_unwatch(w);
	until_ok(store_list(store, STR_NONE, on_keys, NULL));
	cr_assert_eq(store_state(store), OK);
	cr_assert_str_eq(redisd_ask(&server, ADMIN "ACL LOG"), "", "nothing was refused");
}

Test(redis_acl, the_registration_service_recovers_from_a_full_redis)
{
	const struct store_op op = { STR("k"), STR("v"), 0 };

	open_store();
	redisd_ask(&server, ADMIN "CONFIG SET maxmemory 1");
	cr_assert_not_null(store_apply(store, &op, 1, STR_NONE, on_done, NULL));
	UNTIL(loop, store_state(store) == ERR_STORE_FULL);
	redisd_ask(&server, ADMIN "CONFIG SET maxmemory 0");
	UNTIL(loop, store_state(store) == OK);
	cr_assert_str_eq(redisd_ask(&server, ADMIN "ACL LOG"), "", "nothing was refused");
}

/* --- what is refused --- */

static void
on_reply(void *arg, enum err err, const redisReply *reply)
{
	(void)arg;
	snprintf(text, sizeof(text), "%s",
	    reply != NULL && reply->str != NULL ? reply->str : err_name(err));
	ended(err != OK ? err : redis_reason(reply));
}

static enum err
say(const char *words)
{
	struct str list[8], rest = str_z(words);
	unsigned before = calls;
	size_t n = 0;

	while (rest.n > 0 && n < 8)
		str_cut(rest, ' ', &list[n++], &rest);
	cr_assert_not_null(redis_send(client, list, n, on_reply, NULL));
	UNTIL(loop, calls > before);
	return last;
}

static void
refused(const char *words)
{
	cr_expect_eq(say(words), ERR_REDIS_ANSWER, "%s", words);
	cr_expect(strncmp(text, "NOPERM", 6) == 0, "%s: %s", words, text);
}

static void
log_in(const char *user)
{
	const struct redis_config rc = config(user);

	client = redis_new(loop, &rc);
	cr_assert_not_null(client);
}

static const char *const nobodys[] = { "FLUSHALL", "FLUSHDB", "CONFIG GET dir", "KEYS *",
	"SHUTDOWN", "REPLICAOF NO ONE", "ACL LIST", "MONITOR", "CLIENT LIST", "INFO", "SAVE", "SWAPDB 0 1",
	"SCRIPT FLUSH", "MODULE LIST", "RENAME schleuse:regsvc:a schleuse:regsvc:b" };

static void
nothing_dangerous(void)
{
	for (size_t i = 0; i < sizeof(nobodys) / sizeof(nobodys[0]); i++)
		refused(nobodys[i]);
}

Test(redis_acl, the_registration_service_has_its_own_only)
{
	log_in("schleuse-regsvc");
	cr_assert_eq(say("SET schleuse:regsvc:a 1"), OK);
	refused("SET schleuse:tls-ticket:a 1");
	refused("GETRANGE schleuse:tls-ticket:a 0 9");
	refused("SET other 1");
	refused("PUBLISH other 1");
	refused("SUBSCRIBE other");
	cr_expect_neq(say("EVAL return(redis.call('get',KEYS[1])) 1 schleuse:tls-ticket:a"), OK);
	cr_expect_neq(say("EVAL return(redis.call('get','other')) 0"), OK);
	nothing_dangerous();
}

Test(redis_acl, the_proxy_has_its_own_only)
{
	log_in("schleuse-proxy");
	cr_assert_eq(say("SET schleuse:tls-ticket:a 1 NX PX 1000"), OK);
	cr_assert_eq(say("MGET schleuse:tls-ticket:a schleuse:tls-ticket:b"), OK);
	refused("SET schleuse:regsvc:list:current 1");
	refused("MGET schleuse:tls-ticket:a schleuse:regsvc:list:current");
	refused("PUBLISH schleuse:regsvc:changes 1");
	refused("SUBSCRIBE schleuse:regsvc:changes");
	refused("DEL schleuse:tls-ticket:a");
	refused("SCAN 0");
	refused("EVAL return(1) 0");
	nothing_dangerous();
}

Test(redis_acl, nobody_gets_in_without_a_password)
{
	cr_assert(strstr(redisd_ask(&server, "GET schleuse:regsvc:a"), "NOAUTH") != NULL);
	cr_assert(strstr(redisd_ask(&server, "--no-auth-warning --user schleuse-proxy --pass no PING"),
		      "WRONGPASS") != NULL);
}

Test(redis_acl, no_command_in_it_is_dangerous)
{
	char dangerous[4096], words[4096], *save = NULL;
	struct buf conf;

	snprintf(dangerous, sizeof(dangerous), "\n%.4000s\n",
	    redisd_ask(&server, ADMIN "ACL CAT dangerous"));
	cr_assert(strstr(dangerous, "\nflushall\n") != NULL);
	buf_init(&conf, 1 << 16);
	cr_assert_eq(fs_read(TEST_SRCDIR "/etc/redis-acl.conf", &conf), 0);
	cr_assert_lt(buf_len(&conf), sizeof(words));
	snprintf(words, sizeof(words), STR_FMT, STR_ARG(buf_str(&conf)));
	for (char *w = strtok_r(words, " \n", &save); w != NULL; w = strtok_r(NULL, " \n", &save)) {
		char line[100];

		if (w[0] != '+')
			continue;
		snprintf(line, sizeof(line), "\n%s\n", w + 1);
		cr_expect_null(strstr(dangerous, line), "%s", w);
	}
	buf_fini(&conf);
}
