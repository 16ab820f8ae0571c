/* SPDX-License-Identifier: Apache-2.0 */
/* Server connections with a scripted client; the handler is the test's. */
#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/http/server.h"
#include "tests/unit/lab.h"
#include "tests/unit/tlscert.h"

static struct http_server server;
static struct loop *loop;
static struct lab_end client;

static struct {
	struct exchange *ex;
	bool hold;        /* the answer comes later */
	bool read;        /* the body is read first */
	int requests, gone, rooms;
	enum err bad, why, body_err;
	size_t body_n;
	int counts[HTTP_COUNTS];
} seen;

static void
on_count(struct http_server *s, enum http_count what)
{
	(void)s;
	seen.counts[what]++;
}

static void
answer(void)
{
	struct exchange *ex = seen.ex;

	seen.ex = NULL;
	exchange_answer(ex, 200, "text/plain", STR("X: 1\r\n"), ex->req.target);
}

static void
on_body(void *arg)
{
	struct str data;
	enum exchange_body b;

	(void)arg;
	while ((b = exchange_peek(seen.ex, &data, &seen.body_err)) == EXCHANGE_DATA) {
		seen.body_n += data.n;
		exchange_consume(seen.ex, data.n);
	}
	if (b == EXCHANGE_BAD) {
		struct exchange *ex = seen.ex;

		seen.ex = NULL;
		exchange_answer(ex, 408, "text/plain", STR_NONE, STR("no"));
	} else if (b == EXCHANGE_END) {
		exchange_want_body(seen.ex, false);
		answer();
	}
}

static void
on_room(void *arg)
{
	(void)arg;
	seen.rooms++;
}

static void
on_gone(void *arg, enum err why)
{
	(void)arg;
	seen.gone++;
	seen.why = why;
	seen.ex = NULL;
}

static const struct exchange_events events = { .body = on_body, .room = on_room, .gone = on_gone };

static void
on_request(void *arg, struct exchange *ex, enum err bad)
{
	(void)arg;
	seen.requests++;
	seen.bad = bad;
	seen.ex = ex;
	ex->events = &events;
	if (bad != OK) {
		seen.ex = NULL;
		exchange_answer(ex, err_rows[bad].status, "text/plain", STR_NONE, STR("bad"));
	} else if (seen.read) {
		exchange_want_body(ex, true);
		if (seen.ex != NULL)
			on_body(NULL);
	} else if (!seen.hold) {
		answer();
	}
}

static void
connect_client(void)
{
	cr_assert(http_server_open(&server, lab_pair(&client), NULL, "192.0.2.1", NULL, NULL));
}

static void
setup(void)
{
	loop = loop_new(NULL);
	http_server_init(&server, loop);
	server.limits = (struct http_limits){ .head = { 1024, 256, 20 }, .body_max = 1000000,
		.request_memory = 65536, .handshake_timeout = 60000, .head_timeout = 60000,
		.idle_timeout = 60000, .body_timeout = 60000, .write_timeout = 60000 };
	server.request = on_request;
	server.count = on_count;
	memset(&seen, 0, sizeof(seen));
	client.fd = -1;
	connect_client();
}

static void
teardown(void)
{
	http_server_fini(&server);
	lab_turn(loop);
	cr_assert_eq(server.n_conns, 0);
	cr_assert_eq(seen.counts[HTTP_OPENED], seen.counts[HTTP_CLOSED]);
	lab_close(&client);
	loop_free(loop);
	buf_drop_cache();
	arena_drop_cache();
}

TestSuite(h1conn, .init = setup, .fini = teardown);

#define H "Host: h\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" H "\r\n"

static size_t
answers(void)
{
	size_t n = 0;

	lab_read(&client);
	for (const char *p = client.got; (p = strstr(p, "HTTP/1.1 ")) != NULL; p++)
		n++;
	return n;
}

/* --- keep-alive and pipelining --- */

Test(h1conn, answers_pipelined_requests_in_order)
{
	const char *a, *b, *c;

	lab_say(&client, GET("/a") "POST /b HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nxyz" GET("/c"));
	UNTIL(loop, answers() == 3 && lab_has(&client, "\r\n\r\n/c"));
	a = strstr(client.got, "\r\n\r\n/a");
	b = strstr(client.got, "\r\n\r\n/b");
	c = strstr(client.got, "\r\n\r\n/c");
	cr_assert(a != NULL && a < b && b < c);
}

Test(h1conn, answers_what_was_asked_before_a_half_close)
{
	lab_say(&client, GET("/a") GET("/b") GET("/c"));
	shutdown(client.fd, SHUT_WR);
	UNTIL(loop, lab_ended(&client));
	cr_assert_eq(answers(), 3);
}

Test(h1conn, answers_a_request_that_comes_byte_by_byte)
{
	const char *text = "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n" GET("/b");
	char one[2] = "";

	seen.read = true;
	for (; *text != '\0'; text++) {
		one[0] = *text;
		lab_say(&client, one);
		lab_turn(loop);
	}
	UNTIL(loop, answers() == 2);
	cr_assert_eq(seen.body_n, 2);
}

Test(h1conn, holds_only_so_much_of_what_is_pipelined)
{
	size_t sent = 0, n = 1;
	static char flood[65536];

	for (size_t i = 0; i + sizeof(GET("/a")) < sizeof(flood); i += sizeof(GET("/a")) - 1)
		memcpy(flood + i, GET("/a"), sizeof(GET("/a")) - 1);
	seen.hold = true;
	lab_say(&client, GET("/hold"));
	UNTIL(loop, seen.requests == 1);
	for (int still = 0; still < 20; still = n == 0 ? still + 1 : 0) {
		n = lab_put(&client, flood, sizeof(flood));
		sent += n;
		lab_turn(loop);
	}
	cr_assert_lt(sent, 4 * 1024 * 1024);
	cr_assert_eq(seen.requests, 1);
}

Test(h1conn, closes_after_http_1_0_unless_asked_to_stay)
{
	lab_say(&client, "GET /a HTTP/1.0\r\n" H "Connection: keep-alive\r\n\r\n");
	UNTIL(loop, lab_has(&client, "Connection: keep-alive\r\n") && lab_has(&client, "\r\n\r\n/a"));
	lab_say(&client, "GET /b HTTP/1.0\r\n" H "\r\n");
	UNTIL(loop, lab_ended(&client));
	cr_assert(lab_has(&client, "\r\n\r\n/b"));
}

Test(h1conn, answers_head_without_a_body)
{
	lab_say(&client, "HEAD /a HTTP/1.1\r\n" H "\r\n" GET("/b"));
	UNTIL(loop, lab_has(&client, "\r\n\r\n/b"));
	cr_assert_not(lab_has(&client, "\r\n\r\n/a"));
}

/* --- bodies nobody reads --- */

Test(h1conn, closes_when_an_unread_body_is_not_all_here)
{
	lab_say(&client, "POST /a HTTP/1.1\r\n" H "Content-Length: 100\r\n\r\nabc");
	UNTIL(loop, lab_has(&client, "\r\n\r\n/a"));
	cr_assert(lab_has(&client, "Connection: close\r\n"));
	lab_say(&client, "the rest"); /* no reset: it lingers */
	lab_turn(loop);
	UNTIL(loop, lab_ended(&client));
	lab_close(&client);
	UNTIL(loop, server.n_conns == 0);
}

Test(h1conn, waits_for_nothing_more_of_a_client_that_said_close)
{
	lab_say(&client,
	    "PUT /a HTTP/1.1\r\n" H "Connection: close\r\nContent-Length: 3\r\n\r\nabc");
	UNTIL(loop, lab_has(&client, "\r\n\r\n/a"));
	UNTIL(loop, server.n_conns == 0); /* though the client has not closed its side */
	UNTIL(loop, lab_ended(&client));
}

Test(h1conn, lingers_where_a_client_goes_on_although_it_said_close)
{
	static const char *const more[] = { "GET /b HTTP/1.1\r\n" H "\r\n", "x" };

	for (size_t i = 0; i < 2; i++) {
		lab_say(&client, "GET /a HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
		lab_say(&client, more[i]);
		UNTIL(loop, lab_ended(&client));
		cr_assert(lab_has(&client, "\r\n\r\n/a"));
		cr_assert_not(lab_has(&client, "\r\n\r\n/b"));
		cr_assert_eq(server.n_conns, 1);
		lab_close(&client);
		UNTIL(loop, server.n_conns == 0);
		connect_client();
	}
}

Test(h1conn, closes_when_the_client_waits_to_be_told_to_continue_and_is_not)
{
	lab_say(&client, "POST /a HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	UNTIL(loop, lab_ended(&client));
	cr_assert(lab_has(&client, "Connection: close\r\n"));
	cr_assert_not(lab_has(&client, "100 Continue"));
}

Test(h1conn, tells_the_client_to_continue_when_the_body_is_wanted)
{
	seen.read = true;
	lab_say(&client, "POST /a HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	UNTIL(loop, lab_got(&client, "HTTP/1.1 100 Continue\r\n\r\n"));
	lab_say(&client, "abc");
	UNTIL(loop, lab_has(&client, "\r\n\r\n/a"));
	cr_assert_not(lab_has(&client, "Connection: close\r\n"));
}

Test(h1conn, tells_nobody_to_continue_who_already_does)
{
	seen.read = true;
	lab_say(&client, "POST /a HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");
	UNTIL(loop, lab_has(&client, "\r\n\r\n/a"));
	cr_assert_not(lab_has(&client, "100 Continue"));
}

Test(h1conn, gives_up_a_body_cut_short_by_a_half_close)
{
	seen.read = true;
	lab_say(&client, "POST /a HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nab");
	shutdown(client.fd, SHUT_WR);
	UNTIL(loop, seen.body_err == ERR_CLIENT_GONE || seen.gone == 1);
	UNTIL(loop, server.n_conns == 0);
}

/* --- limits --- */

static void
refused(const char *text, enum err why)
{
	lab_say(&client, text);
	UNTIL(loop, lab_ended(&client));
	cr_assert_eq(seen.bad, why, "%s", err_name(seen.bad));
	cr_assert(lab_has(&client, "Connection: close\r\n"));
	cr_assert_eq(answers(), 1, "what follows is not to be understood");
	lab_close(&client);
	UNTIL(loop, server.n_conns == 0);
	connect_client();
}

Test(h1conn, refuses_what_goes_beyond_a_limit)
{
	char target[600] = "GET /", head[2000] = GET("/");

	memset(target + 5, 'a', 500);
	refused(target, ERR_HTTP_TARGET_SIZE);
	head[strlen(head) - 2] = '\0';
	strcat(head, "X: ");
	memset(head + strlen(head), 'a', 1200);
	refused(head, ERR_HTTP_HEAD_SIZE);
}

Test(h1conn, refuses_what_two_servers_could_read_differently)
{
	refused("GET / HTTP/1.1\r\n" H "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" GET("/x"),
	    ERR_HTTP_FRAMING);
	refused("GET / HTTP/1.1\r\n" H "A : b\r\n\r\n" GET("/x"), ERR_HTTP_FIELD);
	refused("\x16\x03\x01\x02", ERR_HTTP_LINE);
	refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ERR_HTTP_VERSION);
}

Test(h1conn, ends_a_body_beyond_its_limit)
{
	seen.read = true;
	server.limits.body_max = 4;
	lab_say(&client, "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n");
	UNTIL(loop, lab_ended(&client));
	cr_assert_eq(seen.body_err, ERR_BODY_SIZE);
}

/* --- time-outs --- */

Test(h1conn, closes_idle_connections)
{
	server.limits.idle_timeout = 100;
	lab_close(&client);
	connect_client();
	UNTIL(loop, lab_ended(&client));
	cr_assert_eq(client.n, 0);
	cr_assert_eq(seen.counts[HTTP_IDLE], 1);
}

Test(h1conn, answers_a_slow_head)
{
	server.limits.head_timeout = 100;
	lab_say(&client, "GET / HT");
	UNTIL(loop, lab_ended(&client));
	cr_assert_eq(seen.bad, ERR_SLOW_HEAD);
	cr_assert_eq(seen.counts[HTTP_HEAD_SLOW], 1);
	cr_assert_eq(answers(), 1);
}

Test(h1conn, tells_of_a_slow_body)
{
	seen.read = true;
	server.limits.body_timeout = 100;
	lab_say(&client, "POST /a HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nab");
	UNTIL(loop, lab_ended(&client));
	cr_assert_eq(seen.body_err, ERR_SLOW_BODY);
	cr_assert(lab_has(&client, "408"));
}

Test(h1conn, tells_of_a_body_that_trickles)
{
	seen.read = true;
	server.limits.body_pace = (struct pace_rule){ .rate = 1000, .window = 300 };
	lab_say(&client, "POST /a HTTP/1.1\r\n" H "Content-Length: 50000\r\n\r\n");
	UNTIL(loop, (lab_pass(loop, 50), lab_put(&client, "x", 1), lab_ended(&client)));
	cr_assert_eq(seen.body_err, ERR_BODY_RATE);
	cr_assert(lab_has(&client, "408"));
}

Test(h1conn, does_not_hurry_a_client_it_does_not_wait_for)
{
	seen.hold = true; /* as a long poll, or while the homeserver takes nothing of a body */
	server.limits.body_pace = server.limits.write_pace =
	    (struct pace_rule){ .rate = 1000, .window = 100 };
	lab_say(&client, "POST /a HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\na");
	UNTIL(loop, seen.requests == 1);
	lab_pass(loop, 400);
	exchange_want_body(seen.ex, true);
	lab_say(&client, "b");
	lab_pass(loop, 50);
	exchange_want_body(seen.ex, false);
	lab_pass(loop, 400);
	cr_assert_eq(seen.gone, 0);
	exchange_want_body(seen.ex, true);
	lab_say(&client, "c");
	UNTIL(loop, lab_has(&client, "200 OK"));
}

static void
write_much(size_t n)
{
	static const struct h1_field f = { .name = { "A", 1 }, .value = { "b", 1 } };
	struct h1_head head = { .status = 200, .reason = STR("OK"), .minor = 1, .framing = H1_CHUNKED,
		.fields = (struct h1_field *)(uintptr_t)&f, .n_fields = 1, .keep_alive = true };
	static char piece[16384];

	memset(piece, 'x', sizeof(piece));
	if (!seen.ex->head_sent)
		cr_assert(exchange_head(seen.ex, &head));
	while (n > 0 && seen.ex != NULL) {
		size_t len = n < sizeof(piece) ? n : sizeof(piece), put = exchange_write(seen.ex, str_of(piece, len));

		n -= put;
		if (put < len)
			break;
	}
	if (seen.ex != NULL)
		exchange_flush(seen.ex);
}

Test(h1conn, cuts_a_client_that_takes_nothing)
{
	server.limits.write_timeout = 100;
	seen.hold = true;
	lab_say(&client, GET("/"));
	UNTIL(loop, seen.requests == 1);
	write_much(64 * 1024 * 1024);
	UNTIL(loop, seen.gone == 1);
	cr_assert_eq(seen.why, ERR_CLIENT_SLOW);
}

Test(h1conn, cuts_a_client_that_reads_too_slowly)
{
	char some[512];

	server.limits.write_pace = (struct pace_rule){ .rate = 1 << 20, .window = 300 };
	seen.hold = true;
	lab_say(&client, GET("/"));
	UNTIL(loop, seen.requests == 1);
	write_much(64 * 1024 * 1024);
	UNTIL(loop, (lab_pass(loop, 50), (void)!read(client.fd, some, sizeof(some)), seen.gone == 1));
	cr_assert_eq(seen.why, ERR_CLIENT_RATE);
}

Test(h1conn, cuts_a_client_that_leaves_the_end_of_an_answer)
{
	server.limits.write_timeout = 100;
	seen.hold = true;
	lab_say(&client, GET("/"));
	UNTIL(loop, seen.requests == 1);
	write_much(64 * 1024 * 1024);
	exchange_end(seen.ex);
	seen.ex = NULL;
	UNTIL(loop, server.n_conns == 0);
	cr_assert_eq(seen.counts[HTTP_WRITE_SLOW], 1);
	cr_assert_eq(seen.gone, 0);
}

Test(h1conn, tells_when_there_is_room_again)
{
	seen.hold = true;
	lab_say(&client, GET("/"));
	UNTIL(loop, seen.requests == 1);
	write_much(64 * 1024 * 1024);
	lab_turn(loop);
	cr_assert_eq(seen.rooms, 0);
	UNTIL(loop, (lab_read(&client), seen.rooms > 0));
}

/* --- the peer leaves --- */

Test(h1conn, tells_once_that_the_client_left)
{
	seen.hold = true;
	lab_say(&client, GET("/"));
	UNTIL(loop, seen.requests == 1);
	lab_close(&client);
	UNTIL(loop, seen.gone == 1);
	cr_assert_eq(seen.why, ERR_CLIENT_GONE);
	cr_assert_eq(server.n_conns, 0);
}

/* By TCP, and before the loop looks: bytes and the reset are announced as one. */
static void
say_and_reset(const char *text)
{
	const struct linger at_once = { .l_onoff = 1 };
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	unsigned short port;
	int fd = lab_listen(&port), near_fd, far_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	cr_assert_eq(connect(far_fd, (struct sockaddr *)&a, len), 0);
	near_fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	close(fd);
	lab_close(&client);
	cr_assert(http_server_open(&server, near_fd, NULL, "", NULL, NULL));
	cr_assert_eq(send(far_fd, text, strlen(text), 0), (ssize_t)strlen(text));
	setsockopt(far_fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(far_fd);
	UNTIL(loop, server.n_conns == 0);
}

Test(h1conn, notices_a_reset_that_came_with_part_of_a_head)
{
	say_and_reset("GET / HT");
}

Test(h1conn, notices_a_reset_that_came_with_part_of_a_body)
{
	seen.read = true;
	say_and_reset("POST /a HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nab");
	cr_assert(seen.gone == 1 || seen.body_err == ERR_CLIENT_GONE);
}

static void
connect_tls(void)
{
	lab_close(&client);
	cr_assert(http_server_open(&server, lab_pair(&client), tlscert_accept(), "192.0.2.1", NULL, NULL));
	client.ssl = lab_client_tls("a.example.org");
	SSL_set_fd(client.ssl, client.fd);
}

/* --- tunnels --- */

#define CONNECT "CONNECT b.example:443 HTTP/1.0\r\n" H "\r\n"

static int closed;

static void
on_closed(struct http_server *s, const struct http_conn *c)
{
	cr_assert_eq(s, &server);
	cr_assert_str_eq(c->peer, "192.0.2.1");
	closed++;
}

static int
take(struct buf *rest)
{
	struct exchange *ex = seen.ex;
	int fd = exchange_take(ex, rest);

	if (fd >= 0)
		seen.ex = NULL;
	return fd;
}

Test(h1conn, gives_the_socket_of_a_tunnel_away)
{
	struct buf rest;
	char some[8];
	int fd;

	closed = 0;
	server.closed = on_closed;
	seen.hold = true;
	lab_say(&client, CONNECT "hello");
	UNTIL(loop, seen.requests == 1);
	fd = take(&rest);
	cr_assert_geq(fd, 0);
	cr_assert(str_eq(buf_str(&rest), STR("hello")));
	cr_assert_eq(closed, 1);
	cr_assert_eq(server.n_conns, 0);
	lab_say(&client, " again");
	lab_turn(loop);
	cr_assert_eq(recv(fd, some, sizeof(some), 0), 6, "the loop reads it no more");
	cr_assert_eq(send(fd, "yes", 3, 0), 3);
	UNTIL(loop, lab_got(&client, "yes"));
	cr_assert_not(lab_ended(&client));
	cr_assert_eq(seen.gone, 0);
	cr_assert_eq(seen.requests, 1);
	buf_fini(&rest);
	close(fd);
}

static bool take_at_once;

static void
on_connect(void *arg, struct exchange *ex, enum err bad)
{
	static struct buf rest;
	int fd;

	if (!take_at_once || bad != OK) {
		on_request(arg, ex, bad);
		return;
	}
	fd = exchange_take(ex, &rest);
	cr_assert_geq(fd, 0);
	cr_assert_eq(send(fd, "yes", 3, 0), 3);
	buf_fini(&rest);
	close(fd);
}

Test(h1conn, gives_the_socket_of_a_tunnel_away_while_the_request_comes)
{
	take_at_once = true;
	server.request = on_connect;
	lab_say(&client, CONNECT "hello");
	shutdown(client.fd, SHUT_WR);
	UNTIL(loop, lab_ended(&client));
	cr_assert(lab_got(&client, "yes"));
	cr_assert_eq(server.n_conns, 0);
}

Test(h1conn, keeps_a_socket_on_which_something_is_still_to_be_said)
{
	const struct h1_head interim = { .status = 102, .reason = STR("Processing") };
	struct buf rest;

	seen.hold = true;
	lab_say(&client, "CONNECT b.example:443 HTTP/1.1\r\n" H "\r\n");
	UNTIL(loop, seen.requests == 1);
	cr_assert(exchange_head(seen.ex, &interim));
	cr_assert_eq(take(&rest), -1);
	answer();
	UNTIL(loop, lab_has(&client, "\r\n\r\nb.example:443"));
}

Test(h1conn, gives_no_socket_away_but_for_connect)
{
	struct buf rest;

	seen.hold = true;
	lab_say(&client, GET("/a") GET("/b"));
	UNTIL(loop, seen.requests == 1);
	cr_assert_eq(take(&rest), -1);
	seen.hold = false;
	answer();
	UNTIL(loop, lab_has(&client, "\r\n\r\n/b"));
}

Test(h1conn, gives_no_socket_away_that_has_tls)
{
	struct buf rest;

	seen.hold = true;
	connect_tls();
	UNTIL(loop, SSL_do_handshake(client.ssl) == 1);
	lab_say(&client, CONNECT);
	UNTIL(loop, seen.requests == 1);
	cr_assert_eq(take(&rest), -1);
	answer();
	UNTIL(loop, lab_has(&client, "\r\n\r\nb.example:443"));
}

/* What follows is a tunnel's beginning, sent before it was there, and may look like a request. */
Test(h1conn, takes_nothing_behind_a_connect_that_is_refused_for_a_request)
{
	lab_say(&client, "CONNECT b.example:443 HTTP/1.1\r\n" H "\r\n" GET("/inside"));
	UNTIL(loop, lab_ended(&client));
	cr_assert_eq(seen.requests, 1);
	cr_assert(lab_has(&client, "Connection: close\r\n"));
}

/* A ClientHello that came together with CONNECT is part of the handshake. */
Test(h1conn, speaks_tls_in_a_tunnel_with_what_was_read_before)
{
	struct buf rest;
	char hello[2048];
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	int fd, n;

	client.ssl = lab_client_tls("a.example.org");
	SSL_set_bio(client.ssl, in, out);
	cr_assert_lt(SSL_do_handshake(client.ssl), 1);
	n = BIO_read(out, hello, sizeof(hello));
	cr_assert_gt(n, 0);
	seen.hold = true;
	cr_assert_eq(send(client.fd, CONNECT, strlen(CONNECT), MSG_MORE), (ssize_t)strlen(CONNECT));
	cr_assert_eq(send(client.fd, hello, (size_t)n, 0), n);
	UNTIL(loop, seen.requests == 1);
	fd = take(&rest);
	cr_assert_geq(fd, 0);
	cr_assert_gt(buf_len(&rest), 0);
	cr_assert(http_server_adopt(&server, fd, buf_str(&rest), tlscert_accept(), "192.0.2.1", NULL, NULL));
	buf_fini(&rest);
	SSL_set_fd(client.ssl, client.fd);
	UNTIL(loop, SSL_do_handshake(client.ssl) == 1);
	lab_say(&client, GET("/inside"));
	UNTIL(loop, seen.requests == 2);
	cr_assert(seen.ex->tls);
	answer();
	UNTIL(loop, lab_has(&client, "\r\n\r\n/inside"));
}

Test(h1conn, reads_what_was_read_before_on_a_plain_connection_too)
{
	lab_close(&client);
	cr_assert(http_server_adopt(&server, lab_pair(&client), STR("GET /a HTTP/1.1\r\nHo"), NULL,
	    "192.0.2.1", NULL, NULL));
	lab_say(&client, "st: h\r\n\r\n");
	UNTIL(loop, lab_has(&client, "\r\n\r\n/a"));
}

/* --- two servers on one loop --- */

Test(h1conn, a_server_for_outbound_shares_nothing_with_the_other)
{
	struct http_server second;
	struct lab_end out;

	http_server_init(&second, loop);
	second.limits = server.limits;
	second.limits.head.proxy = true;
	second.limits.head.target_max = 64;
	second.request = on_request;
	cr_assert(http_server_open(&second, lab_pair(&out), NULL, "", NULL, NULL));
	lab_say(&out, "GET matrix-federation://a.test/x HTTP/1.1\r\nHost: a.test:80\r\n\r\n");
	UNTIL(loop, lab_has(&out, "\r\n\r\n/x"));
	lab_say(&client, "GET matrix-federation://a.test/x HTTP/1.1\r\nHost: a.test:80\r\n\r\n");
	UNTIL(loop, lab_ended(&client));
	cr_assert_eq(seen.bad, ERR_HTTP_TARGET);
	lab_close(&client);
	UNTIL(loop, server.n_conns == 0);
	cr_assert_eq(second.n_conns, 1);
	http_server_drain(&second);
	connect_client();
	lab_say(&client, GET("/a"));
	UNTIL(loop, lab_has(&client, "\r\n\r\n/a"));
	cr_assert_not(lab_has(&client, "Connection: close\r\n"), "only the second one drains");
	http_server_fini(&second);
	UNTIL(loop, lab_ended(&out));
	lab_close(&out);
	cr_assert_eq(seen.counts[HTTP_OPENED], 2, "those of the first");
}

Test(h1conn, a_forward_proxy_answers_what_it_cannot_read)
{
	static const struct {
		const char *said;
		enum err bad;
	} rows[] = {
		{ "CONNECT a.test HTTP/1.0\r\n\r\n", ERR_HTTP_TARGET },
		{ "CONNECT a.test:443 HTTP/1.1\r\n\r\n", ERR_HTTP_HOST },
		{ "CONNECT u@a.test:443 HTTP/1.0\r\n\r\n", ERR_HTTP_TARGET },
		{ "GET matrix-federation:/// HTTP/1.1\r\nHost: a\r\n\r\n", ERR_HTTP_TARGET },
		{ "GET ftp://a.test/ HTTP/1.1\r\nHost: a\r\n\r\n", ERR_HTTP_TARGET },
		{ "\x16\x03\x01\x02", ERR_HTTP_LINE }, /* TLS where none is spoken */
		{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ERR_HTTP_VERSION },
	};

	server.limits.head.proxy = true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (i > 0)
			connect_client();
		lab_say(&client, rows[i].said);
		UNTIL(loop, lab_ended(&client));
		cr_assert_eq(seen.bad, rows[i].bad, "row %zu: %s", i, err_name(seen.bad));
		cr_assert_eq(answers(), 1, "row %zu", i);
		cr_assert(lab_has(&client, "Connection: close\r\n"), "row %zu", i);
		lab_close(&client);
	}
	connect_client();
}

/* --- reaping --- */

Test(h1conn, the_connection_idle_for_longest_gives_way)
{
	struct lab_end busy, later;

	seen.hold = true;
	cr_assert(http_server_open(&server, lab_pair(&busy), NULL, "", NULL, NULL));
	cr_assert(http_server_open(&server, lab_pair(&later), NULL, "", NULL, NULL));
	lab_say(&busy, GET("/busy"));
	UNTIL(loop, seen.requests == 1);
	seen.hold = false;
	lab_say(&client, GET("/")); /* the oldest, but the last to become idle */
	UNTIL(loop, lab_has(&client, "200 OK"));
	lab_say(&busy, GET("/"));
	cr_assert_not(http_server_reap(&server, 60000), "all of them may have a request under way");
	cr_assert(http_server_reap(&server, 0));
	UNTIL(loop, lab_ended(&later));
	cr_assert_not(lab_ended(&client));
	cr_assert(http_server_reap(&server, 0));
	UNTIL(loop, lab_ended(&client));
	cr_assert_not(http_server_reap(&server, 0), "the busy one stays");
	cr_assert_eq(server.n_conns, 1);
	cr_assert_eq(seen.counts[HTTP_REAPED], 2);
	lab_close(&busy);
	lab_close(&later);
	UNTIL(loop, server.n_conns == 0);
}

Test(h1conn, a_connection_in_mid_handshake_is_not_idle)
{
	connect_tls();
	UNTIL(loop, server.n_conns == 1);
	cr_assert_not(http_server_reap(&server, 0));
}

/* --- drain --- */

Test(h1conn, drains_idle_connections_soon_and_busy_ones_after_their_answer)
{
	struct lab_end busy;

	cr_assert(http_server_open(&server, lab_pair(&busy), NULL, "", NULL, NULL));
	seen.hold = true;
	lab_say(&busy, GET("/busy"));
	UNTIL(loop, seen.requests == 1);
	http_server_drain(&server);
	UNTIL(loop, lab_ended(&client));
	lab_close(&client);
	UNTIL(loop, server.n_conns == 1);
	answer();
	UNTIL(loop, lab_ended(&busy));
	cr_assert(lab_has(&busy, "Connection: close\r\n"));
	cr_assert(lab_has(&busy, "\r\n\r\n/busy"));
	lab_close(&busy);
	UNTIL(loop, server.n_conns == 0);
}

Test(h1conn, answers_what_is_on_its_way_while_draining)
{
	server.limits.drain_idle_timeout = LAB_PATIENCE_MS;
	http_server_drain(&server);
	lab_say(&client, GET("/late"));
	UNTIL(loop, lab_ended(&client));
	cr_assert(lab_has(&client, "Connection: close\r\n"));
	cr_assert(lab_has(&client, "\r\n\r\n/late"));
}

/* A head without Connection: close promises that another request may come. */
Test(h1conn, keeps_the_promise_of_a_head_that_went_out_before_the_drain)
{
	const struct h1_head head = { .status = 200, .framing = H1_CHUNKED };

	server.limits.drain_idle_timeout = LAB_PATIENCE_MS;
	seen.hold = true;
	lab_say(&client, GET("/first"));
	UNTIL(loop, seen.requests == 1);
	cr_assert(exchange_head(seen.ex, &head));
	http_server_drain(&server);
	exchange_end(seen.ex);
	UNTIL(loop, lab_has(&client, "\r\n0\r\n\r\n"));
	cr_assert_not(lab_has(&client, "Connection: close\r\n"));
	seen.hold = false;
	lab_say(&client, GET("/second"));
	UNTIL(loop, lab_ended(&client));
	cr_assert(lab_has(&client, "Connection: close\r\n"));
	cr_assert(lab_has(&client, "\r\n\r\n/second"));
}

Test(h1conn, of_a_listener_that_is_gone_idle_connections_may_stay_idle)
{
	struct lab_end other;
	int gone, stays;

	cr_assert(http_server_open(&server, lab_pair(&other), NULL, "", &stays, NULL));
	lab_close(&client);
	UNTIL(loop, server.n_conns == 1);
	cr_assert(http_server_open(&server, lab_pair(&client), NULL, "", &gone, NULL));
	server.limits.drain_idle_timeout = 0;
	http_server_leave(&server, &gone);
	lab_pass(loop, 200);
	lab_say(&client, GET("/last"));
	lab_say(&other, GET("/more"));
	UNTIL(loop, lab_ended(&client));
	cr_assert(lab_has(&client, "Connection: close\r\n"));
	UNTIL(loop, lab_has(&other, "\r\n\r\n/more"));
	cr_assert_not(lab_has(&other, "Connection: close\r\n"));
	lab_close(&other);
}

/* --- over TLS --- */

Test(h1conn, closes_a_slow_handshake)
{
	server.limits.handshake_timeout = 100;
	connect_tls();
	UNTIL(loop, seen.counts[HTTP_HANDSHAKE_SLOW] == 1);
}

Test(h1conn, keeps_a_client_that_caught_up_while_the_answer_pauses)
{
	const clock_ms patience = 200;

	server.limits.write_timeout = patience;
	seen.hold = true;
	connect_tls();
	UNTIL(loop, SSL_do_handshake(client.ssl) == 1);
	lab_say(&client, GET("/"));
	UNTIL(loop, seen.requests == 1);
	write_much(64 * 1024 * 1024); /* as much as it takes: the last of it waits as ciphertext */
	UNTIL(loop, (lab_read(&client), seen.rooms > 0) && exchange_idle(seen.ex));
	write_much(300 * 1024);
	UNTIL(loop, (lab_read(&client), exchange_idle(seen.ex)));
	lab_pass(loop, 3 * patience);
	cr_assert_eq(seen.gone, 0, "cut although nothing was waiting for it");
	exchange_end(seen.ex);
	UNTIL(loop, lab_has(&client, "\r\n0\r\n\r\n"));
}
