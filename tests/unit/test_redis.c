/* SPDX-License-Identifier: Apache-2.0 */
/* The client against a real redis-server, and against one played by the test. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/net/resolver.h"
#include "lib/store/redis.h"
#include "tests/unit/lab.h"

static struct loop *loop;
static struct resolver *resolver;
static struct redis *client;
static char folder[] = "redis.XXXXXX";
static char path[4200];
static pid_t server;

static struct {
	unsigned changes;
	enum err state;
	unsigned calls;
	enum err err;
	int type;
	char text[256];
	bool free_client; /* in the callback */
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
	seen.type = reply != NULL ? reply->type : 0;
	snprintf(seen.text, sizeof(seen.text), "%s",
	    reply != NULL && reply->str != NULL ? reply->str : "");
	if (seen.free_client) {
		redis_free(client);
		client = NULL;
	}
}

/* --- servers --- */

static void
start_server(const char *password)
{
	if (system("command -v redis-server >/dev/null") != 0)
		cr_skip_test("redis-server is not installed");
	server = fork();
	if (server != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test crashes */
	if (freopen("/dev/null", "w", stdout) != NULL)
		execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path,
		    "--save", "", "--dir", folder, "--requirepass", password, (char *)NULL);
	_exit(127);
}

static void
stop_server(void)
{
	int status;

	if (server <= 0)
		return;
	kill(server, SIGKILL);
	waitpid(server, &status, 0);
	server = 0;
	unlink(path);
}

static void
setup(void)
{
	const struct resolver_config rc = { .n_hosts = 0 };

	char here[4096];

	cr_assert_not_null(mkdtemp(folder));
	cr_assert_not_null(getcwd(here, sizeof(here)));
	snprintf(path, sizeof(path), "%s/%s/s", here, folder);
	loop = loop_new(NULL);
	resolver = resolver_new(loop, &rc);
}

static void
teardown(void)
{
	redis_free(client);
	resolver_free(resolver);
	stop_server();
	rmdir(folder);
	loop_free(loop);
}

TestSuite(redis, .init = setup, .fini = teardown);

static struct redis_config
config(void)
{
	return (struct redis_config){ .unix_path = path,
		.resolver = resolver,
		.timeout = LAB_PATIENCE_MS,
		.wait_min = LOOP_TICK_MS,
		.wait_max = 4 * LOOP_TICK_MS,
		.queue_max = 16,
		.state = on_state };
}

static void
open_client(const struct redis_config *c)
{
	client = redis_new(loop, c);
	cr_assert_not_null(client);
}

static struct redis_call *
ask(const char *a, const char *b, const char *c)
{
	struct str words[] = { str_z(a), str_z(b), str_z(c) };

	return redis_send(client, words, c != NULL ? 3 : b != NULL ? 2 : 1, on_reply, NULL);
}

/* One command to its end. */
static void
say(const char *a, const char *b, const char *c)
{
	unsigned before = seen.calls;

	cr_assert_not_null(ask(a, b, c));
	cr_assert_eq(seen.calls, before, "nobody is called before the sender returns");
	UNTIL(loop, seen.calls > before);
}

/* --- a real server --- */

Test(redis, sets_and_gets)
{
	struct redis_config c = config();

	start_server("");
	open_client(&c);
	say("SET", "k", "v");
	cr_assert(seen.err == OK && seen.type == REDIS_REPLY_STATUS);
	say("GET", "k", NULL);
	cr_assert(seen.err == OK && seen.type == REDIS_REPLY_STRING);
	cr_assert_str_eq(seen.text, "v");
	say("GET", "other", NULL);
	cr_assert_eq(seen.type, REDIS_REPLY_NIL);
	cr_assert_eq(seen.state, OK);
}

Test(redis, an_error_reply_is_a_reply)
{
	struct redis_config c = config();

	start_server("");
	open_client(&c);
	say("NONSENSE", NULL, NULL);
	cr_assert(seen.err == OK && seen.type == REDIS_REPLY_ERROR);
	say("PING", NULL, NULL);
	cr_assert_str_eq(seen.text, "PONG", "and the connection goes on");
}

Test(redis, logs_in)
{
	struct redis_config c = config();

	start_server("s3cret");
	c.password = STR("s3cret");
	c.db = 3;
	open_client(&c);
	say("SET", "k", "v");
	cr_assert(seen.err == OK && seen.type == REDIS_REPLY_STATUS);
}

Test(redis, a_refused_login_is_a_state)
{
	struct redis_config c = config();

	start_server("s3cret");
	c.password = STR("wrong");
	open_client(&c);
	UNTIL(loop, seen.state == ERR_REDIS_ANSWER);
	redis_free(client);
	c.password = STR_NONE;
	open_client(&c);
	UNTIL(loop, seen.changes > 1 && seen.state == ERR_REDIS_ANSWER);
}

Test(redis, a_command_waits_for_the_server)
{
	struct redis_config c = config();

	open_client(&c);
	UNTIL(loop, seen.changes > 0);
	cr_assert_eq(seen.state, ERR_CONNECT);
	cr_assert_not_null(ask("SET", "k", "v"));
	start_server("");
	UNTIL(loop, seen.calls == 1);
	cr_assert_eq(seen.err, OK);
	cr_assert_eq(seen.state, OK);
}

Test(redis, comes_back_after_a_restart_in_mid_operation)
{
	struct redis_config c = config();

	start_server("");
	open_client(&c);
	say("PING", NULL, NULL);
	/* Blocks until the server is gone. */
	cr_assert_not_null(redis_send(client,
	    (struct str[]){ STR("BLPOP"), STR("list"), STR("0") }, 3, on_reply, NULL));
	lab_pass(loop, 4 * LOOP_TICK_MS);
	stop_server();
	UNTIL(loop, seen.calls == 2);
	cr_assert_eq(seen.err, ERR_CONNECT);
	UNTIL(loop, seen.state == ERR_CONNECT);
	start_server("");
	say("PING", NULL, NULL);
	cr_assert(seen.err == OK && seen.state == OK);
}

Test(redis, replies_come_in_order)
{
	struct redis_config c = config();
	unsigned n = 0;

	start_server("");
	open_client(&c);
	for (; n < 10; n++) {
		char number[8];

		snprintf(number, sizeof(number), "%u", n);
		cr_assert_not_null(ask("ECHO", number, NULL));
	}
	for (n = 0; n < 10; n++) {
		UNTIL(loop, seen.calls > n);
		cr_assert_eq((unsigned)atoi(seen.text), seen.calls - 1);
	}
}

Test(redis, a_callback_may_free_the_client)
{
	struct redis_config c = config();

	start_server("");
	open_client(&c);
	seen.free_client = true;
	cr_assert_not_null(ask("PING", NULL, NULL));
	cr_assert_not_null(ask("PING", NULL, NULL));
	UNTIL(loop, client == NULL);
	lab_pass(loop, 2 * LOOP_TICK_MS);
	cr_assert_eq(seen.calls, 1, "who waits then is not called");
}

Test(redis, a_cancelled_call_is_not_told)
{
	struct redis_config c = config();
	struct redis_call *call;

	start_server("");
	open_client(&c);
	redis_cancel(ask("PING", NULL, NULL)); /* still waiting */
	say("PING", NULL, NULL);
	call = ask("BLPOP", "nothing", "0.1"); /* sent, and not answered at once */
	lab_turn(loop);
	redis_cancel(call);
	say("ECHO", "next", NULL);
	cr_assert_eq(seen.calls, 2);
	cr_assert_str_eq(seen.text, "next");
}

/* --- a server played by the test --- */

static struct lab_end far;
static int listener;

static struct redis_config
fake_config(void)
{
	struct redis_config c = config();
	unsigned short port;

	listener = lab_listen(&port);
	c.unix_path = NULL;
	c.host = "127.0.0.1";
	c.port = port;
	return c;
}

/* Accepts, and answers the login. */
static void
accept_client(void)
{
	UNTIL(loop, lab_accepted(listener, &far));
	UNTIL(loop, lab_has(&far, "SELECT"));
	lab_forget(&far);
	lab_say(&far, "+OK\r\n");
}

Test(redis, the_queue_is_bounded)
{
	struct redis_config c = fake_config();

	c.queue_max = 2;
	open_client(&c);
	cr_assert_not_null(ask("PING", NULL, NULL));
	cr_assert_not_null(ask("PING", NULL, NULL));
	cr_assert_null(ask("PING", NULL, NULL));
	close(listener);
}

Test(redis, a_silent_server_is_left)
{
	struct redis_config c = fake_config();

	c.timeout = 4 * LOOP_TICK_MS;
	open_client(&c);
	accept_client();
	cr_assert_not_null(ask("PING", NULL, NULL));
	UNTIL(loop, seen.calls == 1);
	cr_assert_eq(seen.err, ERR_TIMEOUT);
	UNTIL(loop, lab_ended(&far));
	UNTIL(loop, seen.state == ERR_TIMEOUT);
	lab_close(&far);
	close(listener);
}

static void
check_left(const char *answer)
{
	struct redis_config c = fake_config();

	open_client(&c);
	accept_client();
	cr_assert_not_null(ask("PING", NULL, NULL));
	UNTIL(loop, lab_has(&far, "PING"));
	lab_say(&far, answer);
	UNTIL(loop, lab_ended(&far));
	UNTIL(loop, seen.state == ERR_REDIS_ANSWER && seen.calls == 1);
	lab_close(&far);
	close(listener);
}

Test(redis, what_is_no_reply_ends_the_connection)
{
	check_left("HTTP/1.1 400 Bad Request\r\n\r\n");
	cr_assert_eq(seen.err, ERR_CONNECT);
}

Test(redis, a_reply_nobody_asked_for_ends_the_connection)
{
	check_left("+PONG\r\n+PONG\r\n");
	cr_assert_eq(seen.err, OK);
}

Test(redis, a_reply_may_come_byte_by_byte)
{
	struct redis_config c = fake_config();
	const char *answer = "$5\r\nhello\r\n";

	open_client(&c);
	accept_client();
	cr_assert_not_null(ask("GET", "k", NULL));
	UNTIL(loop, lab_has(&far, "GET"));
	for (const char *p = answer; *p != '\0'; p++) {
		cr_assert_eq(lab_put(&far, p, 1), 1);
		lab_turn(loop);
	}
	UNTIL(loop, seen.calls == 1);
	cr_assert_str_eq(seen.text, "hello");
	lab_close(&far);
	close(listener);
}

/* --- transactions --- */

static void
transact(void)
{
	const struct str one[] = { STR("SET"), STR("a"), STR("1") }, two[] = { STR("SET"), STR("b"), STR("2") };
	const struct redis_command commands[] = { { one, 3 }, { two, 3 } };

	cr_assert_not_null(redis_transact(client, commands, 2, on_reply, NULL));
}

Test(redis, a_transaction_has_one_reply)
{
	struct redis_config c = config();

	start_server("");
	open_client(&c);
	transact();
	UNTIL(loop, seen.calls == 1);
	cr_assert(seen.err == OK && seen.type == REDIS_REPLY_ARRAY);
	say("GET", "b", NULL);
	cr_assert_str_eq(seen.text, "2");
}

Test(redis, a_transaction_tells_its_first_error)
{
	struct redis_config c = fake_config();

	open_client(&c);
	accept_client();
	transact();
	UNTIL(loop, lab_has(&far, "EXEC\r\n"));
	lab_say(&far, "+OK\r\n+QUEUED\r\n-OOM no room\r\n-EXECABORT gone\r\n");
	UNTIL(loop, seen.calls == 1);
	cr_assert(seen.err == OK && seen.type == REDIS_REPLY_ERROR);
	cr_assert_str_eq(seen.text, "OOM no room");
	cr_assert_not_null(ask("PING", NULL, NULL));
	UNTIL(loop, lab_has(&far, "PING"));
	lab_say(&far, "+PONG\r\n");
	UNTIL(loop, seen.calls == 2);
	cr_assert_str_eq(seen.text, "PONG", "and replies still belong to their commands");
	lab_close(&far);
	close(listener);
}

Test(redis, a_transaction_is_not_begun_again)
{
	struct redis_config c = fake_config();

	open_client(&c);
	accept_client();
	transact();
	UNTIL(loop, lab_has(&far, "EXEC\r\n"));
	lab_say(&far, "+OK\r\n+QUEUED\r\n");
	lab_close(&far);
	UNTIL(loop, seen.calls == 1);
	cr_assert_eq(seen.err, ERR_CONNECT);
	accept_client();
	cr_assert_not_null(ask("PING", NULL, NULL));
	UNTIL(loop, lab_has(&far, "PING"));
	cr_assert_not(lab_has(&far, "SET"), "nor is a part of it");
	lab_close(&far);
	close(listener);
}

Test(redis, replies_to_what_is_not_written_yet_end_the_connection)
{
	struct redis_config c = fake_config();
	size_t n = 16 << 20;
	char *big = calloc(1, n);

	open_client(&c);
	accept_client();
	cr_assert_not_null(redis_send(
	    client, (struct str[]){ STR("SET"), STR("k"), { big, n } }, 3, on_reply, NULL));
	lab_turn(loop);
	lab_say(&far, "+OK\r\n");
	UNTIL(loop, seen.calls == 1);
	cr_assert_eq(seen.err, ERR_CONNECT);
	UNTIL(loop, seen.state == ERR_REDIS_ANSWER);
	lab_close(&far);
	close(listener);
	free(big);
}

/* --- what takes longer --- */

/* A reply in pieces that takes several times the time of a command. */
static void
dribble(clock_ms longest)
{
	struct redis_config c = fake_config();

	c.timeout = 4 * LOOP_TICK_MS;
	c.longest = longest;
	open_client(&c);
	accept_client();
	cr_assert_not_null(ask("GET", "k", NULL));
	UNTIL(loop, lab_has(&far, "GET"));
	lab_say(&far, "$12\r\n");
	for (int i = 0; i < 12 && seen.calls == 0; i++) {
		lab_say(&far, "x");
		lab_pass(loop, LOOP_TICK_MS);
	}
	if (seen.calls == 0)
		lab_say(&far, "\r\n");
	UNTIL(loop, seen.calls == 1);
	lab_close(&far);
	close(listener);
}

Test(redis, a_reply_may_take_longer_while_it_comes)
{
	dribble(LAB_PATIENCE_MS);
	cr_assert_eq(seen.err, OK);
	cr_assert_str_eq(seen.text, "xxxxxxxxxxxx");
}

Test(redis, but_not_unless_told_so)
{
	dribble(0);
	cr_assert_eq(seen.err, ERR_TIMEOUT);
}
