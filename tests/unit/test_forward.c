/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward between a scripted client (through an http_server) and a scripted upstream (through a pool).
 */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/http/forward.h"
#include "lib/http/server.h"
#include "tests/unit/lab.h"

static struct gate { /* what the proxy does, without judging */
	struct http_server server;
	struct pool *pool;
	struct forward forward;
	struct pool_wait wait;
	struct exchange *ex;
	struct forward_request how;
	struct buf body;
	bool whole;         /* read the body first */
	bool cut;           /* the upstream connection takes nothing more */
	bool leave;         /* the client leaves while its request waits for the end of the turn */
	enum err bad, result;
	int requests, ended, gone;
	bool may_retry, may_retry_unread;
} g;

static struct loop *loop;
static struct lab_end client, up;
static int listener;

static void
on_done(void *arg, enum err err)
{
	struct exchange *ex = g.ex;

	(void)arg;
	g.result = err;
	g.ended++;
	g.may_retry = forward_may_retry(&g.forward, ex);
	g.may_retry_unread = forward_may_retry_unread(&g.forward, ex);
	g.ex = NULL;
	buf_fini(&g.body);
	if (err == OK)
		exchange_end(ex);
	else if (ex->head_sent)
		exchange_abort(ex);
	else
		exchange_answer(ex, 502, "text/plain", STR("Date: now\r\n"), STR("sorry"));
}

static void
start(struct upstream *u)
{
	if (g.cut)
		shutdown(stream_fd(u->stream), SHUT_WR);
	g.how.whole_body = g.whole;
	g.how.body = buf_str(&g.body);
	forward_start(&g.forward, loop, g.ex, u, &g.how, on_done, NULL);
	if (g.leave)
		lab_close(&client);
}

static void
on_dialled(void *arg, struct upstream *u, enum err why)
{
	(void)arg;
	cr_assert_eq(why, OK);
	start(u);
}

static void
dial(void)
{
	struct upstream *u = pool_take(g.pool, false);

	if (u != NULL)
		start(u);
	else
		pool_acquire(g.pool, false, &g.wait, on_dialled, NULL);
}

static void
collect(void)
{
	struct str data;
	enum err why;
	enum exchange_body b;

	while ((b = exchange_peek(g.ex, &data, &why)) == EXCHANGE_DATA) {
		cr_assert(buf_put(&g.body, data));
		exchange_consume(g.ex, data.n);
	}
	cr_assert_neq(b, EXCHANGE_BAD);
	if (b != EXCHANGE_END)
		return;
	exchange_want_body(g.ex, false);
	dial();
}

static void
on_body(void *arg)
{
	(void)arg;
	if (g.forward.ex != NULL)
		forward_on_body(&g.forward);
	else
		collect();
}

static void
on_room(void *arg)
{
	(void)arg;
	forward_on_room(&g.forward);
}

static void
on_gone(void *arg, enum err why)
{
	(void)arg;
	(void)why;
	g.gone++;
	pool_cancel(&g.wait);
	forward_cancel(&g.forward);
	g.ex = NULL;
	buf_fini(&g.body);
}

static const struct exchange_events events = { .body = on_body, .room = on_room, .gone = on_gone };

static void
on_request(void *arg, struct exchange *ex, enum err bad)
{
	(void)arg;
	g.bad = bad;
	g.requests++;
	if (bad != OK) {
		exchange_answer(ex, 400, "text/plain", STR_NONE, STR("bad"));
		return;
	}
	ex->events = &events;
	g.ex = ex;
	if (!g.whole || ex->req.framing == H1_NO_BODY) {
		dial();
		return;
	}
	exchange_want_body(ex, true);
	collect();
}

static void
open_client(void)
{
	cr_assert(http_server_open(&g.server, lab_pair(&client), NULL, "192.0.2.1", NULL, NULL));
}

static void
setup(void)
{
	struct pool_config cfg = { .connections_max = 4, .idle_max = 4, .queue_max = 4, .connect_timeout = 20000,
		.idle_timeout = 60000, .queue_timeout = 20000, .buffer_max = 96 * 1024 };
	struct sockaddr_in *a = (struct sockaddr_in *)&cfg.address;
	unsigned short port;

	loop = loop_new(NULL);
	http_server_init(&g.server, loop);
	g.server.limits = (struct http_limits){ .head = { 8192, 4096, 100 }, .body_max = 1 << 30,
		.request_memory = 1 << 20, .handshake_timeout = 60000, .head_timeout = 60000,
		.idle_timeout = 60000, .body_timeout = 60000, .write_timeout = 60000 };
	g.server.request = on_request;
	listener = lab_listen(&port);
	*a = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	cfg.address_len = sizeof(*a);
	g.pool = pool_new(loop, &cfg);
	g.how = (struct forward_request){ .extra = STR("X-Request-ID: 1\r\n"), .head_max = 4096,
		.fields_max = 100, .first_byte_timeout = 60000, .idle_timeout = 60000 };
	buf_init(&g.body, 1 << 20);
	pool_wait_init(&g.wait);
	client.fd = up.fd = -1;
	open_client();
}

static void
teardown(void)
{
	http_server_fini(&g.server);
	pool_free(g.pool);
	lab_turn(loop);
	lab_close(&client);
	lab_close(&up);
	close(listener);
	loop_free(loop);
	buf_drop_cache();
	arena_drop_cache();
}

TestSuite(forward, .init = setup, .fini = teardown);

/* --- framings --- */

#define H "Host: h\r\n"
#define ID "X-Request-ID: 1\r\n"

static const struct {
	const char *client, *upstream; /* as sent, as received */
	const char *whole;             /* as received when the body was read first; NULL: the same */
	int minor;
	bool head;
} requests[] = {
	{ "GET /a?b HTTP/1.1\r\n" H "\r\n", "GET /a?b HTTP/1.1\r\n" H ID "\r\n", NULL, 1, false },
	{ "GET / HTTP/1.0\r\n" H "\r\n", "GET / HTTP/1.1\r\n" H ID "\r\n", NULL, 0, false },
	{ "HEAD / HTTP/1.1\r\n" H "\r\n", "HEAD / HTTP/1.1\r\n" H ID "\r\n", NULL, 1, true },
	{ "POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", "POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n" ID "\r\n",
	    NULL, 1, false },
	{ "PUT / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello",
	    "PUT / HTTP/1.1\r\n" H "Content-Length: 5\r\n" ID "\r\nhello", NULL, 1, false },
	{ "POST / HTTP/1.0\r\n" H "Content-Length: 2\r\n\r\nhi",
	    "POST / HTTP/1.1\r\n" H "Content-Length: 2\r\n" ID "\r\nhi", NULL, 0, false },
	{ "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n",
	    "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" ID "\r\n3\r\nabc\r\n0\r\n\r\n", NULL, 1, false },
	{ "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	    "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" ID "\r\n0\r\n\r\n", NULL, 1, false },
	/* What is for this hop only, and what only we may say. */
	{ "GET / HTTP/1.1\r\n" H "Connection: X-A, close\r\nX-A: 1\r\nTE: trailers\r\nUpgrade: h2c\r\nKeep-Alive: 1\r\n"
	  "Proxy-Authorization: x\r\nX-Forwarded-For: 6\r\nForwarded: 6\r\nX-Real-IP: 6\r\n"
	  "X-HTTP-Method-Override: PUT\r\nX-Request-ID: 9\r\nX-B: 2\r\n\r\n",
	    "GET / HTTP/1.1\r\n" H "X-B: 2\r\n" ID "\r\n", NULL, 1, false },
};

static const struct {
	const char *upstream;
	bool close;               /* the upstream closes behind it */
	const char *head;         /* of the answer: status line and fields without framing and Connection */
	const char *length;       /* field lines of framing to HTTP/1.1 */
	const char *body, *chunks; /* to HTTP/1.0, to HTTP/1.1 */
	bool keeps_length;        /* HTTP/1.0 gets it framed too */
} responses[] = {
	{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n", "", "abc", "abc",
	    true },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", "", "", "", true },
	{ "HTTP/1.1 204 No Content\r\nA: b\r\n\r\n", false, "HTTP/1.1 204 No Content\r\nA: b\r\n", "", "", "", true },
	{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false,
	    "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n", "", "", "", true },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: X-C\r\nX-C: 1\r\n\r\n3\r\nabc\r\n0\r\nT: v\r\n\r\n", false,
	    "HTTP/1.1 200 OK\r\n", "Transfer-Encoding: chunked\r\n", "abc", "3\r\nabc\r\n0\r\n\r\n", false },
	{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\nxyz", true, "HTTP/1.1 200 OK\r\n", "Transfer-Encoding: chunked\r\n",
	    "xyz", "3\r\nxyz\r\n0\r\n\r\n", false },
};

/* Says `text` in one piece or byte by byte. */
static void
say(struct lab_end *e, const char *text, bool bytes)
{
	char one[2] = "";

	if (!bytes)
		lab_say(e, text);
	for (; bytes && *text != '\0'; text++) {
		one[0] = *text;
		lab_say(e, one);
		lab_turn(loop);
	}
}

/* The answer without chunking (its sizes depend on how the bytes arrived) and without what tells the end. */
static char *
plain(const char *answer, bool chunked)
{
	const char *end = strstr(answer, "\r\n\r\n");
	char *out = calloc(1, strlen(answer) + 1);
	size_t n;

	if (end == NULL || !chunked)
		return strcpy(out, answer);
	n = (size_t)(end + 4 - answer);
	memcpy(out, answer, n);
	for (const char *p = answer + n; *p != '\0';) {
		char *line;
		size_t size = strtoul(p, &line, 16);

		strncat(out, line + 2, size);
		p = line + 2 + size + 2;
	}
	return out;
}

static void
expect_answer(size_t q, size_t r, char out[1024])
{
	bool old = requests[q].minor == 0, head = requests[q].head;
	bool close = strstr(requests[q].client, "close") != NULL || old;

	snprintf(out, 1024, "%s%s%s\r\n%s", responses[r].head, old || head ? "" : responses[r].length,
	    close ? "Connection: close\r\n" : "", head ? "" : responses[r].body);
}

static void
one_exchange(size_t q, size_t r, bool bytes, bool whole)
{
	char want[1024], *have = NULL;
	bool done = false;

	g.whole = whole;
	say(&client, requests[q].client, bytes);
	UNTIL(loop, up.fd >= 0 || lab_accepted(listener, &up));
	UNTIL(loop, (lab_read(&up), up.n >= strlen(requests[q].upstream)) ||
	    (bytes && strstr(requests[q].upstream, "chunked") && lab_has(&up, "0\r\n\r\n")));
	have = plain(up.got, bytes && strstr(requests[q].upstream, "chunked") != NULL);
	if (!bytes)
		cr_assert_str_eq(have, requests[q].upstream);
	free(have);
	lab_forget(&up);
	/* An answer to HEAD ends with its head. */
	if (requests[q].head) {
		const char *end = strstr(responses[r].upstream, "\r\n\r\n");
		char text[512];

		if (strstr(end + 4, "\r\n\r\n") != NULL && strstr(end, "HTTP/") != NULL)
			end = strstr(end + 4, "\r\n\r\n");
		snprintf(text, sizeof(text), "%.*s", (int)(end + 4 - responses[r].upstream), responses[r].upstream);
		say(&up, text, bytes);
	} else {
		say(&up, responses[r].upstream, bytes);
	}
	if (responses[r].close)
		lab_close(&up);
	expect_answer(q, r, want);
	while (!done) {
		UNTIL(loop, (lab_read(&client), client.n > 0));
		have = plain(client.got, strstr(client.got, "chunked") != NULL && !requests[q].head && g.ended > 0);
		done = g.ended > 0 && strcmp(have, want) == 0;
		cr_assert(done || strlen(have) <= strlen(want) || g.ended == 0, "request %zu response %zu:\n%s\n---\n%s",
		    q, r, have, want);
		free(have);
		lab_turn(loop);
	}
	cr_assert_eq(g.result, OK);
	cr_assert_eq(g.ended, 1);
}

static void
every_framing(bool bytes, bool whole)
{
	for (size_t q = 0; q < sizeof(requests) / sizeof(requests[0]); q++)
		for (size_t r = 0; r < sizeof(responses) / sizeof(responses[0]); r++) {
			g.ended = 0;
			one_exchange(q, r, bytes, whole);
			/* A connection of its own for each, upstream and client. */
			lab_close(&client);
			lab_close(&up);
			UNTIL(loop, g.server.n_conns == 0 && pool_connections(g.pool) == 0);
			open_client();
		}
}

Test(forward, carries_every_framing)
{
	every_framing(false, false);
}

Test(forward, carries_every_framing_byte_by_byte)
{
	every_framing(true, false);
}

Test(forward, carries_every_framing_with_the_body_at_hand)
{
	every_framing(false, true);
	every_framing(true, true);
}

/* --- chosen fields --- */

static bool
keep_few(const struct h1_field *f)
{
	return f->id == H1_F_USER_AGENT || f->id == H1_F_AUTHORIZATION || f->id == H1_F_CONTENT_TYPE;
}

static bool
keep_any(const struct h1_field *f)
{
	(void)f;
	return true;
}

#define NEW_HOST "Host: delegated.test\r\n"

Test(forward, sends_on_the_fields_it_is_told_to)
{
	static const struct {
		const char *client, *upstream;
		bool (*keep)(const struct h1_field *f);
		bool whole;
	} rows[] = {
		/* as Synapse asks a forward proxy */
		{ "PUT matrix-federation://a.test/x HTTP/1.1\r\nConnection: close\r\nContent-Length: 2\r\n"
		  "User-Agent: Synapse\r\nContent-Type: application/json\r\nAuthorization: X-Matrix a\r\n"
		  "Proxy-Authorization: Bearer s3cret\r\nHost: a.test:80\r\nCookie: c\r\n\r\n{}",
		    "PUT /x HTTP/1.1\r\nContent-Length: 2\r\nUser-Agent: Synapse\r\nContent-Type: application/json\r\n"
		    "Authorization: X-Matrix a\r\n" NEW_HOST "\r\n{}", keep_few, false },
		{ "POST https://a.test/y HTTP/1.1\r\nHost: b.test\r\nAccept: *\r\nConnection: close\r\n"
		  "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		    "POST /y HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" NEW_HOST "\r\n3\r\nabc\r\n0\r\n\r\n",
		    keep_few, true },
		{ "POST https://a.test/z HTTP/1.0\r\nAccept: *\r\nContent-Length: 0\r\n\r\n",
		    "POST /z HTTP/1.1\r\nContent-Length: 0\r\n" NEW_HOST "\r\n", keep_few, false },
		{ "GET https://a.test HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\n" NEW_HOST "\r\n", keep_few, false },
		/* what only we may say, and what is for one hop, stays behind whatever is kept */
		{ "GET http://a.test/ HTTP/1.0\r\nProxy-Authorization: Basic x\r\nX-Forwarded-For: 6\r\nA: b\r\n"
		  "Proxy-Connection: close\r\n\r\n", "GET / HTTP/1.1\r\nA: b\r\n" NEW_HOST "\r\n", keep_any, false },
	};

	g.server.limits.head.proxy = true;
	g.how.extra = STR(NEW_HOST);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		g.how.keep = rows[i].keep;
		g.whole = rows[i].whole;
		lab_say(&client, rows[i].client);
		UNTIL(loop, up.fd >= 0 || lab_accepted(listener, &up));
		UNTIL(loop, (lab_read(&up), up.n >= strlen(rows[i].upstream)));
		cr_assert_str_eq(up.got, rows[i].upstream, "row %zu", i);
		lab_say(&up, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
		UNTIL(loop, lab_ended(&client));
		cr_assert_eq(g.result, OK);
		lab_close(&up);
		lab_close(&client);
		open_client();
	}
}

/* --- reuse --- */

static void
ask(const char *text)
{
	lab_forget(&client);
	lab_say(&client, text);
	if (up.fd < 0)
		UNTIL(loop, lab_accepted(listener, &up));
	UNTIL(loop, lab_has(&up, "\r\n\r\n"));
	lab_forget(&up);
}

static bool
upstream_closed(void)
{
	lab_turn(loop);
	return lab_ended(&up);
}

#define GET "GET / HTTP/1.1\r\n" H "\r\n"

Test(forward, uses_a_connection_again)
{
	for (int i = 0; i < 3; i++) {
		ask(GET);
		lab_say(&up, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
		UNTIL(loop, lab_has(&client, "\r\n\r\nx"));
	}
	cr_assert_eq(pool_connections(g.pool), 1);
	cr_assert_eq(g.ended, 3);
}

Test(forward, does_not_use_a_connection_again_that_may_be_out_of_step)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsurplus..",
	};

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		ask(GET);
		lab_say(&up, answers[i]);
		UNTIL(loop, lab_has(&client, "\r\n\r\nx"));
		UNTIL(loop, upstream_closed());
		cr_assert(!lab_has(&client, "surplus"));
		lab_close(&up);
	}
}

/* --- an answer before the end of the upload --- */

#define BIG (8 * 1024 * 1024)

static char
pattern(size_t i)
{
	return (char)('a' + i % 23);
}

/* Sends up to n bytes of the pattern from *at on, as far as the socket takes them. */
static void
pump(struct lab_end *e, size_t *at, size_t n)
{
	char piece[16384];
	size_t len = n - *at < sizeof(piece) ? n - *at : sizeof(piece), put;

	for (size_t i = 0; i < len; i++)
		piece[i] = pattern(*at + i);
	put = len > 0 ? lab_put(e, piece, len) : 0;
	*at += put;
}

static size_t
begin_upload(void)
{
	size_t sent = 0, before;
	int still = 0;

	lab_say(&client, "POST / HTTP/1.1\r\n" H "Content-Length: 8388608\r\n\r\n");
	UNTIL(loop, lab_accepted(listener, &up));
	while (still < 20) { /* until nobody takes any more */
		before = sent;
		pump(&client, &sent, BIG);
		still = sent == before ? still + 1 : 0;
		lab_turn(loop);
	}
	cr_assert_lt(sent, BIG);
	return sent;
}

Test(forward, takes_nothing_from_an_upload_that_goes_on_behind_an_early_head)
{
	size_t sent = begin_upload(), body;
	char *p;

	lab_say(&up, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
	UNTIL(loop, lab_has(&client, "\r\n\r\n"));
	cr_assert(lab_has(&client, "Connection: close\r\n"), "it cannot know how the upload ends");
	UNTIL(loop, (pump(&client, &sent, BIG), lab_read(&up), up.n > BIG));
	UNTIL(loop, (lab_read(&up), (p = memmem(up.got, up.n, "\r\n\r\n", 4)) != NULL &&
	    up.n - (size_t)(p + 4 - up.got) == BIG));
	body = (size_t)(p + 4 - up.got);
	for (size_t i = 0; i < BIG; i++)
		cr_assert_eq(up.got[body + i], pattern(i), "hole at %zu", i);
	lab_say(&up, "ok");
	UNTIL(loop, lab_has(&client, "\r\n\r\nok") && lab_ended(&client));
	cr_assert_eq(g.result, OK);
}

Test(forward, ends_with_an_early_answer)
{
	begin_upload();
	lab_say(&up, "HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\n\r\nno");
	UNTIL(loop, lab_has(&client, "\r\n\r\nno"));
	cr_assert_eq(g.result, OK);
	UNTIL(loop, upstream_closed());
	cr_assert_eq(pool_connections(g.pool), 0);
}

Test(forward, passes_on_an_answer_of_an_upstream_that_closed)
{
	size_t sent = begin_upload();

	lab_say(&up, "HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\n\r\nno");
	lab_close(&up); /* with bytes unread: a reset */
	UNTIL(loop, (pump(&client, &sent, BIG), g.ended == 1));
	cr_assert(g.result == OK || g.result == ERR_UPSTREAM_DOWN);
	UNTIL(loop, lab_has(&client, g.result == OK ? "no" : "sorry"));
}

/* --- broken upstreams --- */

static enum err
break_after(size_t n)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
	char part[sizeof(answer)] = "";

	memcpy(part, answer, n);
	g.ended = 0;
	ask(GET);
	lab_say(&up, part);
	lab_close(&up);
	UNTIL(loop, g.ended == 1);
	return g.result;
}

Test(forward, ends_wherever_the_upstream_breaks_off)
{
	for (size_t n = 0; n < 38 + 5; n++) {
		enum err want = n == 0 ? ERR_UPSTREAM_DOWN : n < 38 ? ERR_UPSTREAM_BAD : ERR_UPSTREAM_BROKE;

		cr_assert_eq(break_after(n), want, "after %zu bytes: %s", n, err_name(g.result));
		if (n >= 38) {
			UNTIL(loop, lab_ended(&client));
			cr_assert(!lab_has(&client, "hello"));
			lab_close(&client);
			open_client();
		} else {
			UNTIL(loop, lab_has(&client, "sorry"));
		}
	}
	cr_assert_eq(break_after(38 + 5), OK);
}

Test(forward, refuses_what_is_no_answer)
{
	static const char *const answers[] = {
		"SSH-2.0-OpenSSH\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		g.ended = 0;
		ask(GET);
		lab_say(&up, answers[i]);
		UNTIL(loop, lab_has(&client, "sorry"));
		cr_assert_eq(g.result, ERR_UPSTREAM_BAD);
		UNTIL(loop, upstream_closed());
		lab_close(&up);
	}
}

Test(forward, refuses_a_head_without_end)
{
	size_t n = 0;

	ask(GET);
	lab_say(&up, "HTTP/1.1 200 OK\r\nX: ");
	UNTIL(loop, (n < 200000 ? pump(&up, &n, 200000) : (void)0, g.ended == 1));
	cr_assert_eq(g.result, ERR_UPSTREAM_BAD);
}

Test(forward, gives_up_a_silent_upstream)
{
	g.how.first_byte_timeout = 100;
	ask(GET);
	UNTIL(loop, g.ended == 1);
	cr_assert_eq(g.result, ERR_UPSTREAM_SLOW);
}

Test(forward, gives_up_an_upstream_that_stalls_behind_its_head)
{
	g.how.idle_timeout = 100;
	ask(GET);
	lab_say(&up, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
	UNTIL(loop, g.ended == 1);
	cr_assert_eq(g.result, ERR_UPSTREAM_BROKE);
}

/* --- retries --- */

/* Whether a request may be sent again whose connection ends at this point: before its bytes are
 * delivered, behind them, or behind the first of an answer; the connection had carried one before. */
enum point { BEFORE, BEHIND, ANSWERED };

static bool
may_retry(const char *request, bool whole, enum point point)
{
	g.whole = false;
	ask(GET);
	lab_say(&up, "HTTP/1.1 204 No Content\r\n\r\n");
	UNTIL(loop, lab_has(&client, "204"));
	g.whole = whole;
	g.ended = 0;
	g.cut = point == BEFORE;
	if (point == BEFORE) {
		lab_forget(&client);
		lab_say(&client, request);
	} else {
		ask(request);
	}
	if (point == ANSWERED)
		lab_say(&up, "H");
	lab_close(&up);
	UNTIL(loop, g.ended == 1);
	g.cut = false;
	cr_assert_eq(g.result, point == ANSWERED ? ERR_UPSTREAM_BAD : ERR_UPSTREAM_DOWN);
	lab_close(&client);
	UNTIL(loop, g.server.n_conns == 0 && pool_connections(g.pool) == 0);
	open_client();
	return g.may_retry;
}

#define WITH(method) method " / HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\n{}"
#define WITHOUT(method) method " / HTTP/1.1\r\n" H "\r\n"

Test(forward, repeats_only_what_may_be_done_twice)
{
	static const struct {
		const char *request;
		bool whole;           /* its body was read before */
		bool before, behind; /* may be repeated, where the connection ends */
	} cases[] = {
		{ WITHOUT("GET"), false, true, true },
		{ WITHOUT("HEAD"), false, true, true },
		{ WITHOUT("DELETE"), false, true, true },
		{ WITH("PUT"), true, true, true },
		{ WITH("PUT"), false, false, false }, /* its body is gone */
		{ WITH("POST"), true, true, false },
		{ WITH("POST"), false, false, false },
		{ WITHOUT("POST"), false, true, false },
		{ WITHOUT("PATCH"), false, true, false },
		{ WITHOUT("WIPE"), false, true, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool at_hand = cases[i].whole || strstr(cases[i].request, "Content-Length") == NULL;

		cr_assert_eq(may_retry(cases[i].request, cases[i].whole, BEFORE), cases[i].before, "%zu before", i);
		cr_assert_eq(g.may_retry_unread, at_hand, "%zu before, whatever its method", i);
		cr_assert_eq(may_retry(cases[i].request, cases[i].whole, BEHIND), cases[i].behind, "%zu behind", i);
		cr_assert_not(g.may_retry_unread, "%zu was read", i);
		cr_assert_not(may_retry(cases[i].request, cases[i].whole, ANSWERED), "%zu answered", i);
		cr_assert_not(g.may_retry_unread, "%zu was answered", i);
	}
}

Test(forward, repeats_nothing_on_a_connection_that_was_new)
{
	ask(GET);
	lab_close(&up);
	UNTIL(loop, g.ended == 1);
	cr_assert_eq(g.result, ERR_UPSTREAM_DOWN);
	cr_assert_not(g.may_retry);
}

/* --- the client --- */

Test(forward, ends_when_the_client_leaves_as_it_is_told_to_continue)
{
	g.leave = true;
	lab_say(&client, "POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
	UNTIL(loop, g.gone == 1);
	UNTIL(loop, pool_connections(g.pool) == 0);
	cr_assert_eq(g.ended, 0);
}

Test(forward, lets_the_client_continue)
{
	lab_say(&client, "POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
	UNTIL(loop, lab_got(&client, "HTTP/1.1 100 Continue\r\n\r\n"));
	lab_say(&client, "{}");
	UNTIL(loop, lab_accepted(listener, &up));
	UNTIL(loop, lab_has(&up, "\r\n\r\n{}"));
	cr_assert_not(lab_has(&up, "Expect"));
}

Test(forward, passes_on_interim_answers_at_once)
{
	ask(GET);
	lab_say(&up, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
	UNTIL(loop, lab_got(&client, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"));
	lab_say(&up, "HTTP/1.1 204 No Content\r\n\r\n");
	UNTIL(loop, lab_has(&client, "HTTP/1.1 204 No Content\r\n\r\n"));
}

Test(forward, closes_the_upstream_when_the_client_leaves)
{
	ask(GET);
	lab_close(&client);
	UNTIL(loop, upstream_closed());
	cr_assert_eq(g.gone, 1);
	cr_assert_eq(g.ended, 0);
}

Test(forward, refuses_a_body_cut_short)
{
	lab_say(&client, "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhel");
	UNTIL(loop, lab_accepted(listener, &up));
	UNTIL(loop, lab_has(&up, "hel"));
	lab_close(&client);
	UNTIL(loop, upstream_closed());
	cr_assert_eq(pool_connections(g.pool), 0);
}

Test(forward, refuses_a_bad_chunk_and_ends_the_upstream_connection)
{
	lab_say(&client, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3\r\nabcX");
	UNTIL(loop, g.ended == 1);
	cr_assert_eq(g.result, ERR_HTTP_CHUNK);
	UNTIL(loop, lab_ended(&client));
	cr_assert_eq(pool_connections(g.pool), 0);
}

Test(forward, holds_no_more_than_its_buffers_for_a_slow_client)
{
	size_t sent = 0, before;
	int still = 0;
	char *p;

	ask(GET);
	lab_say(&up, "HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n");
	while (still < 20) {
		before = sent;
		pump(&up, &sent, BIG);
		still = sent == before ? still + 1 : 0;
		lab_turn(loop);
		if (g.forward.up != NULL)
			cr_assert_leq(buf_len(&g.forward.up->in), 96 * 1024 + 64 * 1024);
	}
	cr_assert_lt(sent, BIG);
	UNTIL(loop, (pump(&up, &sent, BIG), lab_read(&client), client.n > BIG) && g.ended == 1);
	p = strstr(client.got, "\r\n\r\n") + 4;
	UNTIL(loop, (lab_read(&client), client.n == (size_t)(p - client.got) + BIG));
	p = strstr(client.got, "\r\n\r\n") + 4;
	for (size_t i = 0; i < BIG; i++)
		cr_assert_eq(p[i], pattern(i));
	cr_assert_eq(g.result, OK);
}
