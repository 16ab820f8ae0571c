/* SPDX-License-Identifier: Apache-2.0 */
/* The client finds the master through real sentinels, and follows it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/net/resolver.h"
#include "lib/store/redis.h"
#include "tests/unit/lab.h"
#include "tests/unit/redisd.h"

static struct loop *loop;
static struct resolver *resolver;
static struct redis *client;
static struct redisd one, two, sentinel;
static struct redis_node nodes[3];

static struct {
	unsigned changes, calls;
	enum err state, err, reason;
	char text[256];
} seen;

static void
on_state(void *arg, enum err why)
{
	(void)arg;
	seen.changes++;
	seen.state = why;
}

static void
on_reply(void *arg, enum err err, const redisReply *reply)
{
	(void)arg;
	seen.calls++;
	seen.err = err;
	seen.reason = reply != NULL ? redis_reason(reply) : OK;
	snprintf(seen.text, sizeof(seen.text), "%s",
	    reply != NULL && reply->str != NULL ? reply->str : "");
}

/* A sentinel that knows `master` as "m", at once and without others. */
static void
start_sentinel(const struct redisd *master, const char *password)
{
	const char *args[] = { NULL, "--sentinel", password != NULL ? "--requirepass" : NULL, password,
		NULL };
	char file[4300];
	FILE *f;

	redisd_init(&sentinel, "sentinel", true);
	snprintf(file, sizeof(file), "%s/conf", sentinel.dir);
	f = fopen(file, "w");
	cr_assert_not_null(f);
	fprintf(f, "sentinel monitor m 127.0.0.1 %u 1\n", master->port);
	fprintf(f, "sentinel down-after-milliseconds m 500\nsentinel failover-timeout m 2000\n");
	fclose(f);
	args[0] = file;
	redisd_start(&sentinel, args);
}

static void
setup(void)
{
	const struct resolver_config rc = { .n_hosts = 0 };

	loop = loop_new(NULL);
	resolver = resolver_new(loop, &rc);
	redisd_init(&one, "one", true);
	redisd_start(&one, NULL);
}

static void
teardown(void)
{
	redis_free(client);
	resolver_free(resolver);
	loop_free(loop);
	redisd_fini(&sentinel);
	redisd_fini(&one);
	redisd_fini(&two);
}

TestSuite(redis_sentinel, .init = setup, .fini = teardown);

static void
open_client(size_t n, const char *password)
{
	const struct redis_config c = { .sentinels = nodes,
		.n_sentinels = n,
		.master_name = "m",
		.resolver = resolver,
		.password = str_z(password),
		.timeout = 4000,
		.wait_min = LOOP_TICK_MS,
		.wait_max = 4 * LOOP_TICK_MS,
		.queue_max = 16,
		.state = on_state };

	client = redis_new(loop, &c);
	cr_assert_not_null(client);
}

static void
say(const char *a, const char *b, const char *c)
{
	struct str words[] = { str_z(a), str_z(b), str_z(c) };
	unsigned before = seen.calls;

	cr_assert_not_null(redis_send(client, words, c != NULL ? 3 : 2, on_reply, NULL));
	UNTIL(loop, seen.calls > before);
}

Test(redis_sentinel, finds_the_master)
{
	start_sentinel(&one, NULL);
	nodes[0] = (struct redis_node){ "127.0.0.1", sentinel.port };
	open_client(1, NULL);
	say("SET", "k", "v");
	cr_assert(seen.err == OK && seen.reason == OK);
	cr_assert_str_eq(redisd_ask(&one, "GET k"), "v");
}

Test(redis_sentinel, asks_the_next_one)
{
	start_sentinel(&one, NULL);
	nodes[0] = (struct redis_node){ "127.0.0.1", 1 };        /* nobody */
	nodes[1] = (struct redis_node){ "127.0.0.1", one.port }; /* no sentinel */
	nodes[2] = (struct redis_node){ "127.0.0.1", sentinel.port };
	open_client(3, NULL);
	say("SET", "k", "v");
	cr_assert(seen.err == OK && seen.reason == OK);
}

Test(redis_sentinel, logs_in_to_sentinels_that_demand_it)
{
	redisd_ask(&one, "CONFIG SET requirepass s3cret");
	start_sentinel(&one, "s3cret");
	nodes[0] = (struct redis_node){ "127.0.0.1", sentinel.port };
	open_client(1, "s3cret");
	say("SET", "k", "v");
	cr_assert(seen.err == OK && seen.reason == OK);
}

Test(redis_sentinel, an_open_sentinel_needs_no_login)
{
	redisd_ask(&one, "CONFIG SET requirepass s3cret");
	start_sentinel(&one, NULL);
	nodes[0] = (struct redis_node){ "127.0.0.1", sentinel.port };
	open_client(1, "s3cret");
	say("SET", "k", "v");
	cr_assert(seen.err == OK && seen.reason == OK);
}

Test(redis_sentinel, nobody_knowing_it_is_a_state)
{
	start_sentinel(&one, NULL);
	redisd_ask(&sentinel, "SENTINEL REMOVE m");
	nodes[0] = (struct redis_node){ "127.0.0.1", sentinel.port };
	open_client(1, NULL);
	UNTIL(loop, seen.changes > 0);
	cr_assert_eq(seen.state, ERR_NOT_FOUND);
	redisd_kill(&sentinel);
	UNTIL(loop, seen.state == ERR_CONNECT);
}

Test(redis_sentinel, what_is_no_master_is_left)
{
	char command[64];

	redisd_init(&two, "two", true);
	redisd_start(&two, NULL);
	start_sentinel(&one, NULL);
	nodes[0] = (struct redis_node){ "127.0.0.1", sentinel.port };
	/* The sentinel has not noticed. */
	snprintf(command, sizeof(command), "REPLICAOF 127.0.0.1 %u", two.port);
	redisd_ask(&one, command);
	open_client(1, NULL);
	UNTIL(loop, seen.changes > 0);
	cr_assert_eq(seen.state, ERR_STORE_READONLY);
	redisd_ask(&one, "REPLICAOF NO ONE");
	UNTIL(loop, seen.state == OK);
}

Test(redis_sentinel, a_demoted_master_is_left)
{
	start_sentinel(&one, NULL);
	nodes[0] = (struct redis_node){ "127.0.0.1", sentinel.port };
	open_client(1, NULL);
	say("SET", "k", "v");
	redisd_ask(&sentinel, "SENTINEL REMOVE m"); /* or it would make it a master again */
	redisd_ask(&one, "REPLICAOF 127.0.0.1 1");
	say("SET", "k", "v");
	cr_assert_eq(seen.reason, ERR_STORE_READONLY);
	UNTIL(loop, seen.state != OK);
}

Test(redis_sentinel, follows_a_failover)
{
	char command[64];

	redisd_init(&two, "two", true);
	redisd_start(&two, NULL);
	snprintf(command, sizeof(command), "REPLICAOF 127.0.0.1 %u", one.port);
	redisd_ask(&two, command);
	UNTIL(loop, strstr(redisd_ask(&two, "INFO replication"), "master_link_status:up") != NULL);
	start_sentinel(&one, NULL);
	nodes[0] = (struct redis_node){ "127.0.0.1", sentinel.port };
	open_client(1, NULL);
	say("SET", "k", "old");
	cr_assert(seen.err == OK && seen.reason == OK);
	UNTIL(loop, strstr(redisd_ask(&sentinel, "SENTINEL MASTER m"), "num-slaves\n1") != NULL);
	redisd_kill(&one);
	UNTIL(loop, strcmp(redisd_ask(&two, "ROLE | head -1"), "master") == 0);
	UNTIL(loop, (say("SET", "k", "new"), seen.err == OK && seen.reason == OK));
	cr_assert_str_eq(redisd_ask(&two, "GET k"), "new");
}
