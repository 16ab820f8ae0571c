/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 connections on a socket pair; the client is nghttp2 too, the handler is the test's. */
#include <criterion/criterion.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/http/h2conn.h"
#include "tests/unit/lab.h"

#define STREAMS 64

static struct http_server server;
static struct loop *loop;

/* --- the server's handler --- */

enum mode { ECHO_PATH, HOLD, READ_BODY, FILL };

static enum mode mode;
static int counts[HTTP_COUNTS];

static struct handled {
	struct exchange *ex; /* NULL: over */
	enum err bad, gone, body_err;
	bool ended;
	size_t body, written;
	int bodies, rooms;
} handled[STREAMS];
static size_t n_handled;

static void
on_count(struct http_server *s, enum http_count what)
{
	(void)s;
	counts[what]++;
}

static void
answer(struct handled *h, int status, struct str body)
{
	struct exchange *ex = h->ex;

	h->ex = NULL;
	h->ended = true;
	exchange_answer(ex, status, "text/plain", STR("X-Made: 1\r\n"), body);
}

static void
read_body(struct handled *h)
{
	struct str data;
	enum exchange_body b;

	while ((b = exchange_peek(h->ex, &data, &h->body_err)) == EXCHANGE_DATA) {
		h->body += data.n;
		exchange_consume(h->ex, data.n);
	}
	if (b == EXCHANGE_BAD)
		answer(h, err_rows[h->body_err].status, STR("bad body"));
	else if (b == EXCHANGE_END)
		answer(h, 200, STR("read"));
}

static void
on_body(void *arg)
{
	struct handled *h = arg;

	h->bodies++;
	read_body(h);
}

static void
fill(struct handled *h)
{
	static const char piece[10000];
	size_t n;

	do {
		n = exchange_write(h->ex, str_of(piece, sizeof(piece)));
		h->written += n;
	} while (n == sizeof(piece));
}

static void
on_room(void *arg)
{
	struct handled *h = arg;

	h->rooms++;
	fill(h);
}

static void
on_gone(void *arg, enum err why)
{
	struct handled *h = arg;

	cr_assert_not_null(h->ex, "gone only once, and not after the end");
	h->ex = NULL;
	h->gone = why;
}

static const struct exchange_events events = { .body = on_body, .room = on_room, .gone = on_gone };

static void
on_request(void *listener, struct exchange *ex, enum err bad)
{
	struct h1_head head = { .status = 200, .framing = H1_CHUNKED };
	struct handled *h = &handled[n_handled++ % STREAMS];

	(void)listener;
	*h = (struct handled){ .ex = ex, .bad = bad };
	ex->events = &events;
	ex->arg = h;
	if (bad != OK) {
		answer(h, err_rows[bad].status, STR("bad"));
	} else if (mode == ECHO_PATH) {
		answer(h, 200, ex->req.target);
	} else if (mode == READ_BODY) {
		exchange_want_body(ex, true);
		read_body(h);
	} else if (mode == FILL) {
		cr_assert(exchange_head(ex, &head));
		fill(h);
	}
}

/* --- the client --- */

static struct lab_end far;
static nghttp2_session *client;
static bool reading; /* the client takes what comes */

static struct got {
	int32_t id;
	int status, interim;
	size_t n;
	char body[64];
	bool closed;
	uint32_t code;
	size_t upload; /* bytes the client still has for its body */
	bool open;     /* more of it may come */
} got[STREAMS];

static int goaways;
static uint32_t goaway_code;
static int32_t goaway_last;

static struct got *
got_of(int32_t id)
{
	return &got[id / 2 % STREAMS];
}

static int
on_status(nghttp2_session *s, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
    const uint8_t *value, size_t value_n, uint8_t flags, void *arg)
{
	struct got *g = got_of(frame->hd.stream_id);

	(void)s, (void)value_n, (void)flags, (void)arg;
	if (name_n == 7 && memcmp(name, ":status", 7) == 0) {
		g->interim = g->status;
		g->status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + value[2] - '0';
	}
	return 0;
}

static int
on_chunk(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *data, size_t n, void *arg)
{
	struct got *g = got_of(id);

	(void)s, (void)flags, (void)arg;
	for (size_t i = 0; i < n && g->n + i < sizeof(g->body) - 1; i++)
		g->body[g->n + i] = (char)data[i];
	g->n += n;
	return 0;
}

static int
on_close(nghttp2_session *s, int32_t id, uint32_t code, void *arg)
{
	(void)s, (void)arg;
	got_of(id)->closed = true;
	got_of(id)->code = code;
	return 0;
}

static int
on_goaway(nghttp2_session *s, const nghttp2_frame *frame, void *arg)
{
	(void)s, (void)arg;
	if (frame->hd.type == NGHTTP2_GOAWAY) {
		goaways++;
		goaway_code = frame->goaway.error_code;
		goaway_last = frame->goaway.last_stream_id;
	}
	return 0;
}

static ssize_t
on_upload(nghttp2_session *s, int32_t id, uint8_t *p, size_t n, uint32_t *flags,
    nghttp2_data_source *source, void *arg)
{
	struct got *g = got_of(id);

	(void)s, (void)source, (void)arg;
	if (g->upload == 0)
		return NGHTTP2_ERR_DEFERRED;
	if (n > g->upload)
		n = g->upload;
	memset(p, 'u', n);
	g->upload -= n;
	if (g->upload == 0 && !g->open)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static void
client_open(uint32_t window)
{
	nghttp2_session_callbacks *cb;
	nghttp2_option *option;
	nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window } };

	nghttp2_session_callbacks_new(&cb);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_status);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_goaway);
	nghttp2_option_new(&option);
	nghttp2_option_set_no_auto_window_update(option, window == 0); /* then the test opens it */
	cr_assert_eq(nghttp2_session_client_new2(&client, cb, NULL, option), 0);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(cb);
	nghttp2_submit_settings(client, NGHTTP2_FLAG_NONE, settings, 1);
}

static nghttp2_nv
nv(const char *name, const char *value)
{
	return (nghttp2_nv){ (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
		strlen(value), NGHTTP2_NV_FLAG_NONE };
}

/* upload: bytes of a body, 0: none. */
static int32_t
ask(const char *method, const char *path, size_t upload, const char *name, const char *value)
{
	nghttp2_nv fields[] = { nv(":method", method), nv(":scheme", "http"), nv(":authority", "h"),
		nv(":path", path), nv(name != NULL ? name : "x-none", value != NULL ? value : "1") };
	nghttp2_data_provider body = { .read_callback = on_upload };
	int32_t id = nghttp2_submit_request(client, NULL, fields, 5, upload > 0 ? &body : NULL, NULL);

	cr_assert_gt(id, 0);
	*got_of(id) = (struct got){ .id = id, .upload = upload };
	return id;
}

static struct got *
get(const char *path)
{
	return got_of(ask("GET", path, 0, NULL, NULL));
}

/* One turn of both sides. */
static bool
turn(void)
{
	const uint8_t *p;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(client, &p)) > 0)
		for (size_t put = 0; put < (size_t)n && !far.eof;) {
			size_t some = lab_put(&far, (const char *)p + put, (size_t)n - put);

			put += some;
			if (some == 0)
				lab_turn(loop);
			if (some == 0 && reading)
				lab_read(&far);
		}
	lab_turn(loop);
	if (!reading)
		return true;
	lab_read(&far);
	if (far.n > 0)
		cr_assert_eq(nghttp2_session_mem_recv(client, (const uint8_t *)far.got, far.n),
		    (ssize_t)far.n);
	lab_forget(&far);
	return true;
}

#define MEET(condition) UNTIL(loop, turn() && (condition))

/* --- a connection for each test --- */

static void
ignore(void *arg, unsigned what)
{
	(void)arg, (void)what;
}

static void
connect_client(uint32_t window)
{
	struct http_conn *from = calloc(1, sizeof(*from));

	from->server = &server;
	from->stream = stream_new(loop, lab_pair(&far), NULL, false, ignore, NULL);
	snprintf(from->peer, sizeof(from->peer), "192.0.2.1");
	list_append(&server.conns, &from->node);
	server.n_conns++;
	cr_assert(h2conn_begin(from));
	free(from);
	client_open(window);
}

static void
setup(void)
{
	loop = loop_new(NULL);
	http_server_init(&server, loop);
	server.limits = (struct http_limits){ .head = { 1024, 256, 20 }, .body_max = 1000000,
		.request_memory = 65536, .handshake_timeout = 60000, .head_timeout = 60000,
		.idle_timeout = 60000, .body_timeout = 60000, .write_timeout = 60000,
		.h2 = { .streams_max = 40, .stream_window = 65536, .connection_window = 1 << 20,
		    .resets_max = 20, .frames_max = 100 } };
	server.request = on_request;
	server.count = on_count;
	reading = true;
	connect_client(1 << 30);
}

static void
teardown(void)
{
	nghttp2_session_del(client);
	http_server_fini(&server);
	lab_turn(loop);
	cr_assert_eq(server.n_conns, 0);
	lab_close(&far);
	loop_free(loop);
	buf_drop_cache();
	arena_drop_cache();
}

TestSuite(h2conn, .init = setup, .fini = teardown);

/* --- requests and answers --- */

Test(h2conn, answers_many_streams)
{
	struct got *g[40];
	char path[16];

	for (int i = 0; i < 40; i++) {
		snprintf(path, sizeof(path), "/%d", i);
		g[i] = get(path);
	}
	for (int i = 0; i < 40; i++) {
		MEET(g[i]->closed);
		snprintf(path, sizeof(path), "/%d", i);
		cr_assert_eq(g[i]->status, 200);
		cr_assert_eq(g[i]->code, 0);
		cr_assert_str_eq(g[i]->body, path);
	}
	cr_assert_eq(counts[HTTP_H2], 1);
	cr_assert_eq(counts[HTTP_STREAM], 40);
}

Test(h2conn, uses_streams_again)
{
	for (int i = 0; i < 200; i++) {
		struct got *g = get("/again");

		MEET(g->closed);
		cr_assert_str_eq(g->body, "/again");
	}
	cr_assert_leq(server.n_spare, 2);
}

Test(h2conn, says_why_a_head_is_bad_and_goes_on)
{
	struct got *g = got_of(ask("GET", "/", 0, "connection", "close"));

	MEET(g->closed);
	cr_assert_eq(g->status, 400);
	cr_assert_eq(handled[0].bad, ERR_HTTP_FIELD);
	g = get("/good");
	MEET(g->closed);
	cr_assert_eq(g->status, 200);
}

Test(h2conn, sends_no_body_to_head)
{
	struct got *g = got_of(ask("HEAD", "/", 0, NULL, NULL));

	MEET(g->closed);
	cr_assert_eq(g->status, 200);
	cr_assert_eq(g->n, 0);
}

Test(h2conn, says_continue_once_asked)
{
	struct got *g;

	mode = HOLD;
	g = got_of(ask("POST", "/", 1, "expect", "100-continue"));
	g->upload = 0; /* the client waits */
	MEET(n_handled == 1);
	turn();
	cr_assert_eq(g->status, 0);
	exchange_want_body(handled[0].ex, true);
	MEET(g->status == 100);
	g->upload = 1;
	nghttp2_session_resume_data(client, g->id);
	MEET(handled[0].ended);
	MEET(g->closed);
	cr_assert_eq(g->interim, 100);
	cr_assert_eq(g->status, 200);
	cr_assert_eq(handled[0].body, 1);
}

/* --- bodies of requests --- */

Test(h2conn, reads_a_body_larger_than_its_windows)
{
	struct got *g;

	mode = READ_BODY;
	server.limits.body_max = 10000000;
	g = got_of(ask("POST", "/", 5000000, NULL, NULL));
	MEET(g->closed);
	cr_assert_eq(handled[0].body, 5000000);
	cr_assert_eq(g->status, 200);
}

Test(h2conn, holds_no_more_of_a_body_than_the_window)
{
	struct got *g, *other;

	mode = HOLD;
	server.limits.body_max = 10000000;
	g = got_of(ask("POST", "/", 500000, NULL, NULL));
	MEET(g->upload <= 500000 - 65535);
	mode = ECHO_PATH;
	other = get("/other");
	MEET(other->closed);
	cr_assert_geq(g->upload, 500000 - 65536);
	exchange_want_body(handled[0].ex, true);
	read_body(&handled[0]);
	MEET(g->closed);
	cr_assert_eq(handled[0].body, 500000);
}

Test(h2conn, holds_no_more_of_all_bodies_than_the_connection_window)
{
	size_t left = 0;

	mode = HOLD;
	for (int i = 0; i < 30; i++)
		ask("POST", "/", 100000, NULL, NULL);
	MEET(n_handled == 30);
	for (int i = 0; i < 50; i++)
		turn();
	for (size_t i = 0; i < STREAMS; i++)
		left += got[i].upload;
	cr_assert_eq(30 * 100000 - left, 1 << 20);
	for (size_t i = 0; i < 30; i++) {
		exchange_want_body(handled[i].ex, true);
		read_body(&handled[i]);
	}
	for (size_t i = 0; i < 30; i++) {
		MEET(handled[i].ended);
		cr_assert_eq(handled[i].body, 100000);
	}
}

Test(h2conn, gives_back_the_window_of_what_nobody_reads)
{
	for (int i = 0; i < 40; i++) { /* together more than the connection's window */
		struct got *g = got_of(ask("POST", "/unread", 60000, NULL, NULL));

		MEET(g->closed);
		cr_assert_eq(g->status, 200);
	}
	mode = HOLD;
	for (int i = 0; i < 40; i++) {
		struct got *g = got_of(ask("POST", "/cut", 60000, NULL, NULL));

		MEET(g->upload == 0);
		exchange_abort(handled[(n_handled - 1) % STREAMS].ex);
		handled[(n_handled - 1) % STREAMS].ex = NULL;
		MEET(g->closed);
		cr_assert_eq(g->code, NGHTTP2_INTERNAL_ERROR);
	}
	cr_assert_eq(goaways, 0, "what the handler aborts is not the peer's fault");
}

Test(h2conn, lowers_the_ceiling_of_a_body)
{
	struct str data;
	enum err why = OK;
	struct got *g;

	mode = HOLD;
	g = got_of(ask("POST", "/", 20000, NULL, NULL));
	MEET(n_handled == 1 && g->upload == 0);
	exchange_limit_body(handled[0].ex, 10000);
	cr_assert_eq(exchange_peek(handled[0].ex, &data, &why), EXCHANGE_BAD);
	cr_assert_eq(why, ERR_BODY_SIZE);
}

Test(h2conn, refuses_a_body_over_the_hard_ceiling)
{
	struct got *g;

	mode = READ_BODY;
	server.limits.body_max = 100000;
	g = got_of(ask("POST", "/", 200000, NULL, NULL));
	MEET(g->status == 413);
	g = got_of(ask("POST", "/", 200000, "content-length", "200000"));
	MEET(g->status == 413);
	cr_assert_eq(handled[1].body, 0);
}

Test(h2conn, a_length_that_is_not_the_body_is_an_error)
{
	struct got *g;

	mode = READ_BODY;
	g = got_of(ask("POST", "/", 6, "content-length", "5"));
	MEET(g->status == 400);
	cr_assert_eq(handled[0].body_err, ERR_HTTP_FRAMING);
	cr_assert_eq(handled[0].body, 0, "not a byte too many gets through");
	g = got_of(ask("POST", "/", 4, "content-length", "5"));
	MEET(g->status == 400);
	cr_assert_eq(handled[1].body_err, ERR_HTTP_FRAMING);
}

/* --- responses --- */

Test(h2conn, takes_no_more_of_a_response_than_the_peer)
{
	struct got *g;

	nghttp2_session_del(client);
	lab_close(&far);
	connect_client(30000);
	mode = FILL;
	g = get("/");
	nghttp2_session_set_local_window_size(client, NGHTTP2_FLAG_NONE, 0, 1 << 30);
	for (int i = 0; i < 50 && g->n < 1000000; i++)
		turn();
	cr_assert_lt(handled[0].written - g->n, 200000);
	cr_assert_gt(handled[0].rooms, 0, "the client opens its window by itself");
}

Test(h2conn, a_peer_that_reads_nothing_holds_little)
{
	mode = FILL;
	get("/");
	reading = false;
	for (int i = 0; i < 100; i++)
		turn();
	/* Of it the most is in the socket. */
	cr_assert_lt(handled[0].written, 1000000);
	cr_assert_geq(handled[0].written, 65536);
}

Test(h2conn, streams_take_turns)
{
	struct got *a, *b, *c;

	mode = FILL;
	nghttp2_session_set_local_window_size(client, NGHTTP2_FLAG_NONE, 0, 1 << 30);
	a = get("/a");
	MEET(a->n > 1000000);
	b = get("/b");
	c = get("/c");
	MEET(b->n > 0 && c->n > 0);
	a->n = b->n = c->n = 0;
	MEET(a->n + b->n + c->n > 6000000);
	cr_assert_gt(a->n, 1500000);
	cr_assert_gt(b->n, 1500000);
	cr_assert_gt(c->n, 1500000);
}

Test(h2conn, an_aborted_exchange_ends_its_stream_only)
{
	struct got *g, *other;

	mode = HOLD;
	g = get("/a");
	other = get("/b");
	MEET(n_handled == 2);
	exchange_abort(handled[0].ex);
	handled[0].ex = NULL;
	MEET(g->closed);
	cr_assert_eq(g->code, NGHTTP2_INTERNAL_ERROR);
	answer(&handled[1], 200, STR("fine"));
	MEET(other->closed);
	cr_assert_str_eq(other->body, "fine");
}

/* --- who goes away --- */

Test(h2conn, a_cancelled_stream_tells_its_handler)
{
	struct got *g, *other;

	mode = HOLD;
	g = get("/a");
	other = get("/b");
	MEET(n_handled == 2);
	nghttp2_submit_rst_stream(client, NGHTTP2_FLAG_NONE, g->id, NGHTTP2_CANCEL);
	MEET(handled[0].ex == NULL);
	cr_assert_eq(handled[0].gone, ERR_CLIENT_GONE);
	answer(&handled[1], 200, STR("fine"));
	MEET(other->closed);
}

Test(h2conn, a_client_that_leaves_tells_every_handler)
{
	mode = HOLD;
	for (int i = 0; i < 5; i++)
		get("/");
	MEET(n_handled == 5);
	shutdown(far.fd, SHUT_RDWR);
	UNTIL(loop, server.n_conns == 0);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(handled[i].gone, ERR_CLIENT_GONE);
}

Test(h2conn, closing_the_server_tells_every_handler)
{
	mode = HOLD;
	get("/");
	MEET(n_handled == 1);
	http_server_fini(&server);
	cr_assert_eq(handled[0].gone, ERR_DRAINING);
}

Test(h2conn, draining_waits_for_answers_and_takes_what_was_under_way)
{
	struct got *g, *late;

	mode = HOLD;
	g = get("/a");
	MEET(n_handled == 1);
	http_server_drain(&server);
	late = get("/late"); /* the client does not know yet */
	MEET(n_handled == 2 && goaways == 2);
	cr_assert_eq(goaway_last, late->id);
	cr_assert_eq(goaway_code, NGHTTP2_NO_ERROR);
	answer(&handled[0], 200, STR("a"));
	answer(&handled[1], 200, STR("b"));
	MEET(g->closed && late->closed && far.eof);
	cr_assert_eq(late->status, 200);
}

Test(h2conn, an_idle_connection_drains_at_once)
{
	struct got *g = get("/");

	MEET(g->closed);
	http_server_drain(&server);
	MEET(far.eof);
	cr_assert_geq(goaways, 1); /* the client reads no more behind the first: it has no stream */
}

/* --- time-outs --- */

Test(h2conn, an_idle_connection_is_closed_whatever_pings_say)
{
	struct got *g;
	int n = 0;

	server.limits.idle_timeout = 300;
	g = get("/");
	MEET(g->closed);
	while (!far.eof && n++ < 10000) {
		if (n % 500 == 1)
			nghttp2_submit_ping(client, NGHTTP2_FLAG_NONE, NULL);
		turn();
	}
	cr_assert(far.eof);
	cr_assert_eq(goaway_code, NGHTTP2_NO_ERROR);
	cr_assert_eq(counts[HTTP_IDLE], 1);
}

Test(h2conn, a_held_request_is_not_idle)
{
	struct got *g;

	server.limits.idle_timeout = 100;
	mode = HOLD;
	g = get("/");
	MEET(n_handled == 1);
	lab_pass(loop, 400);
	answer(&handled[0], 200, STR("late"));
	MEET(g->closed);
	cr_assert_str_eq(g->body, "late");
}

Test(h2conn, a_slow_body_is_an_error_of_its_stream)
{
	struct got *g, *other;

	server.limits.body_timeout = 100;
	mode = READ_BODY;
	g = got_of(ask("POST", "/", 10, NULL, NULL));
	g->upload = 0;
	MEET(g->status == 408);
	cr_assert_eq(handled[0].body_err, ERR_SLOW_BODY);
	mode = ECHO_PATH;
	other = get("/other");
	MEET(other->closed);
	cr_assert_eq(other->status, 200);
}

Test(h2conn, a_closed_window_ends_the_stream)
{
	struct got *g;

	nghttp2_session_del(client);
	lab_close(&far);
	connect_client(0);
	server.limits.write_timeout = 100;
	mode = FILL;
	g = get("/");
	MEET(g->closed);
	cr_assert_eq(g->code, NGHTTP2_ENHANCE_YOUR_CALM);
	cr_assert_eq(handled[0].gone, ERR_CLIENT_SLOW);
	cr_assert_eq(counts[HTTP_FLOOD + H2_FLOOD_STALLED], 1);
	cr_assert_eq(goaways, 0);
}

Test(h2conn, a_peer_that_does_not_read_is_lost)
{
	server.limits.write_timeout = 100;
	mode = FILL;
	get("/");
	get("/");
	nghttp2_session_set_local_window_size(client, NGHTTP2_FLAG_NONE, 0, 1 << 30);
	MEET(n_handled == 2 && got_of(1)->n > 65535);
	reading = false;
	UNTIL(loop, handled[0].ex == NULL && handled[1].ex == NULL);
	cr_assert_eq(handled[0].gone, ERR_CLIENT_SLOW);
	cr_assert_eq(handled[1].gone, ERR_CLIENT_SLOW);
	cr_assert_eq(server.n_conns, 0);
}

Test(h2conn, a_body_in_crumbs_is_too_slow)
{
	struct got *g;

	server.limits.body_pace = (struct pace_rule){ .rate = 1000000, .window = 200 };
	mode = READ_BODY;
	g = got_of(ask("POST", "/", 1, NULL, NULL));
	g->open = true;
	while (g->status == 0) {
		turn();
		g->upload = 1;
		nghttp2_session_resume_data(client, g->id);
	}
	cr_assert_eq(g->status, 408);
	cr_assert_eq(handled[0].body_err, ERR_BODY_RATE);
}

Test(h2conn, who_is_held_up_by_others_bodies_is_not_slow)
{
	struct got *g;

	server.limits.body_pace = (struct pace_rule){ .rate = 1000000, .window = 100 };
	server.limits.body_timeout = 100;
	mode = HOLD;
	for (int i = 0; i < 16; i++) { /* as much as the connection's window */
		g = got_of(ask("POST", "/", 65536, NULL, NULL));
		MEET(g->upload == 0);
	}
	mode = READ_BODY;
	g = got_of(ask("POST", "/", 1000, NULL, NULL));
	MEET(n_handled == 17);
	lab_pass(loop, 400);
	turn();
	cr_assert_eq(g->status, 0);
	cr_assert_eq(handled[16].body_err, OK);
	exchange_want_body(handled[0].ex, true);
	read_body(&handled[0]);
	MEET(g->status == 200);
}

Test(h2conn, a_window_in_crumbs_is_too_slow)
{
	struct got *g;

	nghttp2_session_del(client);
	lab_close(&far);
	connect_client(0);
	server.limits.write_pace = (struct pace_rule){ .rate = 1000000, .window = 200 };
	server.limits.h2.frames_max = 100000;
	mode = FILL;
	g = get("/");
	while (!g->closed && !far.eof) {
		turn();
		nghttp2_submit_window_update(client, NGHTTP2_FLAG_NONE, g->id, 1);
	}
	cr_assert(g->closed, "%d %d %s", goaways, (int)goaway_code, err_name(handled[0].gone));
	cr_assert_eq(g->code, NGHTTP2_ENHANCE_YOUR_CALM);
	cr_assert_eq(handled[0].gone, ERR_CLIENT_RATE);
	cr_assert_gt(g->n, 0);
}

Test(h2conn, an_idle_connection_makes_room)
{
	struct got *g = get("/");

	MEET(g->closed);
	mode = HOLD;
	g = get("/");
	MEET(n_handled == 2);
	cr_assert_not(http_server_reap(&server, 0), "it is busy");
	answer(&handled[1], 200, STR("late"));
	MEET(g->closed);
	cr_assert(http_server_reap(&server, 0));
	cr_assert_eq(server.n_conns, 0);
	cr_assert_eq(counts[HTTP_REAPED], 1);
	MEET(far.eof);
	cr_assert_eq(goaways, 1);
	cr_assert_eq(goaway_code, NGHTTP2_NO_ERROR);
}

/* --- floods --- */

static void
cut_for(enum h2_flood kind)
{
	MEET(far.eof);
	cr_assert_eq(goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
	cr_assert_eq(counts[HTTP_FLOOD + kind], 1);
}

Test(h2conn, cancelled_streams_are_counted)
{
	mode = HOLD;
	for (int i = 0; i < 21; i++) {
		struct got *g = get("/");

		MEET(n_handled == (size_t)i + 1);
		cr_assert_eq(goaways, 0);
		nghttp2_submit_rst_stream(client, NGHTTP2_FLAG_NONE, g->id, NGHTTP2_CANCEL);
	}
	cut_for(H2_FLOOD_RESET);
}

Test(h2conn, pings_are_counted)
{
	for (int i = 0; i < 101; i++)
		nghttp2_submit_ping(client, NGHTTP2_FLAG_NONE, NULL);
	cut_for(H2_FLOOD_PING);
}

Test(h2conn, a_large_download_pays_for_its_window_updates)
{
	struct got *g;

	mode = FILL;
	nghttp2_session_set_local_window_size(client, NGHTTP2_FLAG_NONE, 0, 1 << 30);
	g = get("/");
	for (size_t n = 16384; n < 16384 * 300; n += 16384) {
		MEET(g->n >= n);
		nghttp2_submit_window_update(client, NGHTTP2_FLAG_NONE, g->id, 1);
		nghttp2_submit_window_update(client, NGHTTP2_FLAG_NONE, 0, 1);
	}
	cr_assert_eq(goaways, 0);
}
