/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a real redis-server: values, transactions, claims, announcements, and Redis away, full,
 * slow, demoted. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/jose/x5c.h"
#include "lib/net/resolver.h"
#include "lib/store/store_redis.h"
#include "tests/unit/lab.h"
#include "tests/unit/redisd.h"
#include "tests/unit/tlscert.h"

#define PREFIX "test:[x]:"
#define VALUE_MAX (32u << 20)

static struct loop *loop;
static struct resolver *resolver;
static struct redisd server;
static struct store *store;
static clock_ms patience = LAB_PATIENCE_MS;

static struct {
	unsigned calls, told, states;
	enum err err, state;
	char text[512];
	size_t n;
	unsigned long sum;
	bool free_store;
} seen;

static void
ended(enum err err)
{
	seen.calls++;
	seen.err = err;
	if (!seen.free_store)
		return;
	store_free(store);
	store = NULL;
}

static void
on_value(void *arg, enum err err, struct str value)
{
	(void)arg;
	snprintf(seen.text, sizeof(seen.text), "%.400s", value.n < 400 ? "" : "long");
	if (value.n < 400)
		snprintf(seen.text, sizeof(seen.text), STR_FMT, STR_ARG(value));
	seen.n = value.n;
	seen.sum = 0;
	for (size_t i = 0; i < value.n; i++)
		seen.sum = seen.sum * 31 + (unsigned char)value.p[i];
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
	char *at = seen.text;

	(void)arg;
	*at = '\0';
	for (size_t i = 0; i < n && i < 8; i++)
		at += sprintf(at, STR_FMT " ", STR_ARG(keys[i]));
	seen.n = n;
	ended(err);
}

static void
on_state(void *arg, enum err why)
{
	(void)arg;
	seen.states++;
	seen.state = why;
}

static void
on_told(void *arg)
{
	++*(unsigned *)arg;
}

static struct {
	const char *host; /* or the unix socket */
	X509_STORE *anchors;
	const char *password;
} way;

static struct redis_config
redis_config(void)
{
	return (struct redis_config){ .unix_path = way.host != NULL ? NULL : server.path,
		.host = way.host,
		.port = server.port,
		.anchors = way.anchors,
		.password = str_z(way.password),
		.resolver = resolver,
		.timeout = patience,
		.wait_min = LOOP_TICK_MS,
		.wait_max = 4 * LOOP_TICK_MS,
		.queue_max = 64 };
}

static struct store *
another(void)
{
	const struct store_config c = { .value_max = VALUE_MAX, .keys_max = 3000, .state = on_state };
	const struct redis_config r = redis_config();
	struct store *s = store_redis_open(loop, &c, &r, PREFIX);

	cr_assert_not_null(s);
	return s;
}

static void
setup(void)
{
	const struct resolver_config rc = { .n_hosts = 0 };

	redisd_init(&server, "store", false);
	loop = loop_new(NULL);
	resolver = resolver_new(loop, &rc);
}

static void
teardown(void)
{
	store_free(store);
	resolver_free(resolver);
	loop_free(loop);
	redisd_fini(&server);
	X509_STORE_free(way.anchors);
}

TestSuite(store_redis, .init = setup, .fini = teardown);

static void
open_store(const char *const *args)
{
	redisd_start(&server, args);
	store = another();
}

static enum err
until_done(void)
{
	unsigned before = seen.calls;

	UNTIL(loop, seen.calls > before);
	return seen.err;
}

static enum err
get(const char *key)
{
	cr_assert_not_null(store_get(store, str_z(key), on_value, NULL));
	return until_done();
}

static void
expect(const char *key, const char *value)
{
	cr_assert_eq(get(key), OK, "%s: %s", key, err_name(seen.err));
	cr_assert_str_eq(seen.text, value);
}

static enum err
apply(const struct store_op *ops, size_t n)
{
	unsigned before = seen.calls;

	cr_assert_not_null(store_apply(store, ops, n, STR_NONE, on_done, NULL));
	cr_assert_eq(seen.calls, before, "nobody is called before it returns");
	return until_done();
}

static enum err
set(const char *key, const char *value)
{
	return apply(&(struct store_op){ str_z(key), str_z(value), 0 }, 1);
}

/* --- values --- */

Test(store_redis, keeps_values)
{
	open_store(NULL);
	cr_assert_eq(get("a"), ERR_NOT_FOUND);
	cr_assert_eq(set("a", "one"), OK);
	expect("a", "one");
	cr_assert_str_eq(redisd_ask(&server, "GET 'test:[x]:a'"), "one");
	cr_assert_eq(set("a", ""), OK);
	cr_assert_eq(get("a"), ERR_NOT_FOUND);
}

Test(store_redis, several_changes_are_one)
{
	const struct store_op ops[] = { { STR("a"), STR("1"), 0 }, { STR("b"), STR("2"), 500000 },
		{ STR("c"), STR_NONE, 0 } };

	open_store(NULL);
	cr_assert_eq(set("c", "old"), OK);
	cr_assert_eq(apply(ops, 3), OK);
	expect("a", "1");
	expect("b", "2");
	cr_assert_eq(get("c"), ERR_NOT_FOUND);
	cr_assert_gt(atoi(redisd_ask(&server, "PTTL 'test:[x]:b'")), 0);
	cr_assert_eq(atoi(redisd_ask(&server, "PTTL 'test:[x]:a'")), -1);
	cr_assert_gt(atoi(redisd_ask(&server, "INFO commandstats | grep -c 'cmdstat_exec:'")), 0);
}

Test(store_redis, lists_all_keys_and_no_others)
{
	struct store_op ops[2000];
	char names[2000][16];

	open_store(NULL);
	for (int i = 0; i < 2000; i++) {
		snprintf(names[i], sizeof(names[i]), "k:%04d", i);
		ops[i] = (struct store_op){ str_z(names[i]), STR("x"), 0 };
	}
	cr_assert_eq(apply(ops, 2000), OK);
	redisd_ask(&server, "MSET 'test:x:k:1' 1 'test:[x]:/claim:k:' 1 other 1");
	cr_assert_not_null(store_list(store, STR("k:"), on_keys, NULL));
	cr_assert_eq(until_done(), OK);
	cr_assert_eq(seen.n, 2000);
	cr_assert(strncmp(seen.text, "k:0000 k:0001 ", 14) == 0);
	cr_assert_not_null(store_list(store, STR_NONE, on_keys, NULL));
	cr_assert_eq(until_done(), OK);
	cr_assert_eq(seen.n, 2000);
	cr_assert_not_null(store_list(store, STR("none"), on_keys, NULL));
	cr_assert_eq(until_done(), OK);
	cr_assert_eq(seen.n, 0);
}

Test(store_redis, values_may_be_long)
{
	size_t n = VALUE_MAX;
	char *big = malloc(n);
	const struct store_op op = { STR("big"), { big, n }, 0 };
	unsigned long sum = 0;

	open_store(NULL);
	for (size_t i = 0; i < n; i++)
		big[i] = (char)(i >> 3);
	for (size_t i = 0; i < n; i++)
		sum = sum * 31 + (unsigned char)big[i];
	cr_assert_eq(apply(&op, 1), OK, "%s", err_name(seen.err));
	cr_assert_eq(get("big"), OK);
	cr_assert(seen.n == n && seen.sum == sum);
	redisd_ask(&server, "APPEND 'test:[x]:big' x");
	cr_assert_eq(get("big"), ERR_TOO_LARGE);
	cr_assert_eq(set("big", "x"), OK);
	cr_assert_eq(seen.states, 1, "the connection was not lost");
	free(big);
}

Test(store_redis, a_cancelled_call_is_not_told)
{
	open_store(NULL);
	store_cancel(store_get(store, STR("k"), on_value, NULL));
	cr_assert_eq(set("k", "x"), OK);
	store_cancel(store_get(store, STR("k"), on_value, NULL));
	expect("k", "x");
	cr_assert_eq(seen.calls, 2);
}

Test(store_redis, a_callback_may_free_it)
{
	open_store(NULL);
	seen.free_store = true;
	cr_assert_not_null(store_get(store, STR("k"), on_value, NULL));
	cr_assert_not_null(store_get(store, STR("k"), on_value, NULL));
	UNTIL(loop, store == NULL);
	lab_pass(loop, 2 * LOOP_TICK_MS);
	cr_assert_eq(seen.calls, 1);
}

/* --- two stores --- */

Test(store_redis, watchers_elsewhere_are_told)
{
	const struct store_op op = { STR("k"), STR("1"), 0 };
	unsigned told = 0, other = 0;
	struct store *two;
	struct store_watch *w, *o;

	open_store(NULL);
	two = another();
	w = store_watch(two, STR("lists"), on_told, &told);
	o = store_watch(two, STR("others"), on_told, &other);
	UNTIL(loop, told == 2 && other == 2); /* at the beginning, and subscribed */
	cr_assert_not_null(store_apply(store, &op, 1, STR("lists"), on_done, NULL));
	UNTIL(loop, told == 3);
	store_unwatch(w);
	cr_assert_not_null(store_apply(store, &op, 1, STR("lists"), on_done, NULL));
	cr_assert_not_null(store_apply(store, &op, 1, STR("others"), on_done, NULL));
	UNTIL(loop, other == 3);
	cr_assert_eq(told, 3);
	store_unwatch(o);
	store_free(two);
}

Test(store_redis, watchers_look_again_after_redis_was_away)
{
	unsigned told = 0;
	struct store_watch *w;

	open_store(NULL);
	w = store_watch(store, STR("lists"), on_told, &told);
	UNTIL(loop, told == 2);
	redisd_ask(&server, "CLIENT KILL TYPE pubsub");
	UNTIL(loop, told == 3);
	redisd_ask(&server, "PUBLISH 'test:[x]:lists' 1");
	UNTIL(loop, told == 4);
	redisd_kill(&server);
	UNTIL(loop, seen.state == ERR_CONNECT);
	redisd_start(&server, NULL);
	UNTIL(loop, told == 5);
	UNTIL(loop, seen.state == OK);
	store_unwatch(w);
}

static void
on_held(void *arg, bool held)
{
	*(int *)arg = held ? 1 : -1;
}

Test(store_redis, a_claim_is_exclusive)
{
	int one = 0, two = 0;
	struct store *other;
	struct store_claim *a, *b;

	open_store(NULL);
	other = another();
	a = store_claim(store, STR("fetch"), 600, on_held, &one);
	UNTIL(loop, one == 1);
	b = store_claim(other, STR("fetch"), 600, on_held, &two);
	lab_pass(loop, 1200); /* longer than it lives: it is renewed */
	cr_assert(one == 1 && two == 0);
	cr_assert(store_claim_held(a) && !store_claim_held(b));
	store_claim_release(a);
	UNTIL(loop, two == 1);
	store_claim_release(b);
	UNTIL(loop, *redisd_ask(&server, "GET 'test:[x]:/claim:fetch'") == '\0');
	store_free(other);
}

Test(store_redis, a_claim_outlives_its_holder_for_its_time_only)
{
	int one = 0, two = 0;
	struct store *other;
	struct store_claim *a, *b;

	open_store(NULL);
	other = another();
	a = store_claim(other, STR("fetch"), 600, on_held, &one);
	UNTIL(loop, one == 1);
	redisd_ask(&server, "SET 'test:[x]:/claim:fetch' dead PX 500"); /* one that will not come back */
	UNTIL(loop, one == -1);
	b = store_claim(store, STR("fetch"), 600, on_held, &two);
	UNTIL(loop, one == 1 || two == 1);
	cr_assert_neq(store_claim_held(a), store_claim_held(b));
	store_claim_release(a);
	store_claim_release(b);
	store_free(other);
}

Test(store_redis, a_claim_that_cannot_be_renewed_is_over)
{
	int held = 0;
	struct store_claim *c;

	open_store(NULL);
	c = store_claim(store, STR("fetch"), 600, on_held, &held);
	UNTIL(loop, held == 1);
	redisd_kill(&server);
	UNTIL(loop, held == -1);
	cr_assert_not(store_claim_held(c));
	redisd_start(&server, NULL);
	UNTIL(loop, held == 1);
	store_claim_release(c);
}

/* --- Redis lost --- */

Test(store_redis, calls_end_when_redis_is_killed)
{
	open_store(NULL);
	cr_assert_eq(set("k", "x"), OK);
	kill(server.pid, SIGSTOP);
	cr_assert_not_null(store_get(store, STR("k"), on_value, NULL));
	lab_turn(loop);
	redisd_kill(&server);
	cr_assert_eq(until_done(), ERR_CONNECT);
	UNTIL(loop, seen.state == ERR_CONNECT);
	redisd_start(&server, NULL);
	cr_assert_eq(set("k", "y"), OK, "by itself");
	cr_assert_eq(store_state(store), OK);
}

Test(store_redis, calls_end_in_time_when_redis_is_slow)
{
	patience = 300;
	open_store(NULL);
	cr_assert_eq(set("k", "x"), OK);
	kill(server.pid, SIGSTOP);
	cr_assert_eq(get("k"), ERR_TIMEOUT);
	UNTIL(loop, seen.state == ERR_TIMEOUT);
	cr_assert_eq(get("k"), ERR_TIMEOUT, "also while there is no connection");
	kill(server.pid, SIGCONT);
	UNTIL(loop, seen.state == OK);
	expect("k", "x");
}

Test(store_redis, a_quiet_loss_is_noticed)
{
	patience = 300;
	open_store(NULL);
	cr_assert_eq(set("k", "x"), OK);
	kill(server.pid, SIGSTOP);
	UNTIL(loop, seen.state == ERR_TIMEOUT); /* though nobody asks */
	kill(server.pid, SIGCONT);
	UNTIL(loop, seen.state == OK);
}

Test(store_redis, a_full_redis_is_a_state)
{
	static const char *const args[] = { "--maxmemory-policy", "noeviction", NULL };

	open_store(args);
	cr_assert_eq(set("k", "old"), OK);
	redisd_ask(&server, "CONFIG SET maxmemory 1");
	cr_assert_eq(set("k", "new"), ERR_STORE_FULL);
	UNTIL(loop, seen.state == ERR_STORE_FULL);
	expect("k", "old");
	cr_assert_eq(store_state(store), ERR_STORE_FULL, "reading does not end it");
	redisd_ask(&server, "CONFIG SET maxmemory 0");
	UNTIL(loop, seen.state == OK); /* by itself */
	cr_assert_eq(set("k", "new"), OK);
}

Test(store_redis, a_full_redis_takes_all_or_none)
{
	const struct store_op ops[] = { { STR("a"), STR_NONE, 0 }, { STR("b"), STR("new"), 0 } };

	open_store(NULL);
	cr_assert_eq(set("a", "old"), OK);
	redisd_ask(&server, "CONFIG SET maxmemory 1");
	cr_assert_eq(apply(ops, 2), ERR_STORE_FULL);
	expect("a", "old");
}

Test(store_redis, a_replica_is_a_state)
{
	open_store(NULL);
	cr_assert_eq(set("k", "old"), OK);
	redisd_ask(&server, "REPLICAOF 127.0.0.1 1");
	UNTIL(loop, set("k", "new") == ERR_STORE_READONLY);
	UNTIL(loop, seen.state == ERR_STORE_READONLY);
	expect("k", "old");
	redisd_ask(&server, "REPLICAOF NO ONE");
	UNTIL(loop, seen.state == OK);
}

Test(store_redis, a_refused_command_is_a_state)
{
	open_store(NULL);
	cr_assert_eq(set("k", "x"), OK);
	redisd_ask(&server, "ACL SETUSER default -publish");
	cr_assert_not_null(
	    store_apply(store, &(struct store_op){ STR("k"), STR("y"), 0 }, 1, STR("ch"), on_done, NULL));
	cr_assert_eq(until_done(), ERR_REDIS_ANSWER);
	expect("k", "x");
	UNTIL(loop, seen.state == ERR_REDIS_ANSWER);
}

Test(store_redis, a_wrong_password_is_a_state)
{
	static const char *const args[] = { "--requirepass", "right", NULL };

	patience = 300;
	way.password = "wrong";
	open_store(args);
	UNTIL(loop, seen.state == ERR_REDIS_ANSWER);
	cr_assert_eq(set("k", "x"), ERR_TIMEOUT, "calls end all the same");
	redisd_ask(&server, "--no-auth-warning -a right CONFIG SET requirepass wrong");
	UNTIL(loop, seen.state == OK);
	cr_assert_eq(set("k", "x"), OK);
}

/* What was written before the connection broke is not carried out without its EXEC. */
Test(store_redis, a_transaction_cut_off_leaves_the_old)
{
	static const char *const args[] = { "--appendonly", "yes", "--appendfsync", "always", NULL };
	char *big = calloc(1, VALUE_MAX);
	const struct store_op ops[] = { { STR("a"), STR("new"), 0 }, { STR("b"), { big, VALUE_MAX }, 0 } };

	open_store(args);
	cr_assert_eq(set("a", "old"), OK);
	kill(server.pid, SIGSTOP);
	cr_assert_not_null(store_apply(store, ops, 2, STR_NONE, on_done, NULL));
	lab_pass(loop, 2 * LOOP_TICK_MS); /* MULTI is written, but there is no room for the rest */
	redisd_kill(&server);
	cr_assert_eq(until_done(), ERR_CONNECT);
	redisd_start(&server, args);
	expect("a", "old");
	cr_assert_eq(get("b"), ERR_NOT_FOUND);
	cr_assert_eq(apply(ops, 2), OK, "%s", err_name(seen.err));
	expect("a", "new");
	free(big);
}

/* --- TLS --- */

static void
start_tls(const char *name)
{
	static char cert[4300], key[4300], ca[4300];
	const char *args[] = { "--tls-port", NULL, "--tls-auth-clients", "no", "--tls-cert-file", cert,
		"--tls-key-file", key, "--tls-ca-cert-file", ca, NULL };
	const char *files[] = { ca };
	char *chain_pem, *key_pem, port[8];
	enum err why;

	snprintf(cert, sizeof(cert), "%s/cert", server.dir);
	snprintf(key, sizeof(key), "%s/key", server.dir);
	snprintf(ca, sizeof(ca), "%s/ca", server.dir);
	tlscert_make(&(struct tlscert){ .names = name }, &chain_pem, &key_pem);
	tlscert_write(server.dir, "cert", chain_pem, 0600);
	tlscert_write(server.dir, "key", key_pem, 0600);
	tlscert_write(server.dir, "ca", strstr(chain_pem + 1, "-----BEGIN"), 0600);
	free(chain_pem);
	free(key_pem);
	snprintf(port, sizeof(port), "%u", redisd_port());
	args[1] = port;
	server.port = 0; /* nothing in plain */
	redisd_start(&server, args);
	server.port = (unsigned short)atoi(port);
	way.host = "127.0.0.1";
	way.anchors = x5c_anchors(files, 1, &why);
	cr_assert_not_null(way.anchors);
}

Test(store_redis, works_over_tls)
{
	size_t n = 8 << 20;
	char *big = calloc(1, n);
	const struct store_op op = { STR("big"), { big, n }, 0 };
	unsigned told = 0;
	struct store_watch *w;

	start_tls("IP:127.0.0.1");
	store = another();
	cr_assert_eq(apply(&op, 1), OK, "%s", err_name(seen.err));
	cr_assert_eq(get("big"), OK);
	cr_assert_eq(seen.n, n);
	w = store_watch(store, STR("ch"), on_told, &told);
	UNTIL(loop, told == 2);
	store_unwatch(w);
	free(big);
}

Test(store_redis, a_certificate_of_another_is_a_state)
{
	start_tls("IP:127.0.0.2");
	store = another();
	UNTIL(loop, seen.state == ERR_TLS);
}

Test(store_redis, plain_where_tls_is_spoken_is_a_state)
{
	start_tls("IP:127.0.0.1");
	X509_STORE_free(way.anchors);
	way.anchors = NULL;
	patience = 1000;
	store = another();
	UNTIL(loop, seen.state == ERR_CONNECT || seen.state == ERR_TIMEOUT ||
			seen.state == ERR_REDIS_ANSWER);
}
