/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2conn - one connection:
 *
 *   OPEN     nghttp2 reads and writes frames; streams come and go
 *   LINGER   we closed for writing and read what the peer still sends, so that it sees our GOAWAY
 *   GONE     closed; memory goes at the end of the turn
 *
 * What is read goes to nghttp2 at once and from there to the streams, whose windows bound it.  What
 * is to be sent is asked from nghttp2 at the end of the turn, so that the answers of many streams
 * leave in one write.  Handlers are told of body and room outside of nghttp2's callbacks, of new
 * requests and of the end inside of them; they only ever submit, which is allowed there.
 */
#include <stdlib.h>

#include "lib/http/h2conn_int.h"

#define READ_SIZE (16 * 1024) /* a TLS record */
#define READS_MAX 16          /* then others have their turn */
#define WRITES_MAX 4
#define ACKS_MAX 1000     /* answers to PING and SETTINGS that nghttp2 keeps */
#define TYPE_UNKNOWN 0x0a /* the first of the frame types RFC 9113 does not know */
#define NOTICE_MS 1000

/* --- what the connection waits for --- */

void
h2conn_want(struct h2conn *c)
{
	stream_want(
	    c->conn.stream, (c->ending ? 0 : STREAM_READ) | (h2conn_blocked(c) ? STREAM_WRITE : 0));
}

void
h2conn_arm(struct h2conn *c)
{
	const struct http_limits *l = &c->conn.server->limits;
	const clock_ms after[] = { [H2_FOR_REQUEST] = l->idle_timeout,
		[H2_FOR_HEAD] = l->head_timeout,
		[H2_FOR_PING] = NOTICE_MS };
	enum h2_wait next = c->drain == H2_NOTICED    ? H2_FOR_PING
			    : c->block_stream != 0    ? H2_FOR_HEAD
			    : list_empty(&c->streams) ? H2_FOR_REQUEST
						      : H2_FOR_NOTHING;

	if (next == c->wait)
		return; /* its time has begun already */
	c->wait = next;
	if (next == H2_FOR_NOTHING)
		timer_clear(&c->conn.timer);
	else
		timer_set(c->conn.server->loop, &c->conn.timer, after[next]);
}

void
h2conn_flush(struct h2conn *c)
{
	if (c->state == H2_OPEN)
		task_defer(c->conn.server->loop, &c->flush);
}

/* --- the end --- */

static void
conn_free(void *arg)
{
	struct h2conn *c = arg;

	nghttp2_session_del(c->session);
	buf_fini(&c->out);
	free(c);
}

static void
end_streams(struct h2conn *c, enum err why)
{
	struct list *node;

	while ((node = list_first(&c->streams)) != NULL)
		h2conn_stream_gone(LIST_ENTRY(node, struct h2stream, node), why);
}

/* The only way out. */
static void
lose(struct h2conn *c, enum err why)
{
	if (c->state == H2_GONE)
		return;
	c->state = H2_GONE;
	task_cancel(&c->flush);
	timer_clear(&c->write_timer);
	end_streams(c, why);
	http_conn_close(&c->conn, conn_free, c);
}

static void
begin_linger(struct h2conn *c)
{
	c->state = H2_LINGER;
	task_cancel(&c->flush);
	timer_clear(&c->write_timer);
	end_streams(c, ERR_CLIENT_GONE);
	stream_shut(c->conn.stream);
	timer_set(c->conn.server->loop, &c->conn.timer, HTTP_LINGER_MS);
	stream_want(c->conn.stream, STREAM_READ);
}

static void
end_with(struct h2conn *c, uint32_t code)
{
	c->ending = true;
	if (nghttp2_session_terminate_session(c->session, code) == 0)
		h2conn_flush(c);
}

void
h2conn_flood(struct h2conn *c, enum h2_flood kind)
{
	if (c->ending)
		return;
	http_conn_count(&c->conn, HTTP_FLOOD + kind);
	end_with(c, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* --- output --- */

/* Opens the connection's window for what is not held any longer: in large steps, but soon when it
 * gets narrow, for what some streams hold must not stop the others. */
static void
open_window(struct h2conn *c)
{
	int32_t left = nghttp2_session_get_local_window_size(c->session);
	int32_t whole = nghttp2_session_get_effective_local_window_size(c->session);
	int32_t used = nghttp2_session_get_effective_recv_data_length(c->session);
	int32_t taken = used - (int32_t)c->held;

	if (taken > 0 && (taken >= whole / 2 || left < whole / 4))
		(void)nghttp2_submit_window_update(c->session, NGHTTP2_FLAG_NONE, 0, taken);
}

/* Frames from nghttp2, as many as one write takes. */
static bool
pull(struct h2conn *c)
{
	const uint8_t *p;
	ssize_t n;

	while (buf_len(&c->out) <= H2_FRAMES_HIGH && nghttp2_session_want_write(c->session)) {
		n = nghttp2_session_mem_send(c->session, &p);
		if (n < 0 || !buf_put(&c->out, str_of((const char *)p, (size_t)n)))
			return false;
		if (n == 0)
			break;
	}
	return true;
}

static void
arm_writing(struct h2conn *c)
{
	const struct http_limits *l = &c->conn.server->limits;
	clock_ms now = loop_now(c->conn.server->loop);
	bool waits = h2conn_blocked(c);

	pace_wait(&c->reader.pace, now, waits);
	if (waits && c->write_timer.due != 0 &&
	    pace_left(&c->reader.pace, &l->write_pace, now) == 0)
		return; /* too slow already: no later deadline for a few more bytes */
	if (waits)
		timer_set(c->conn.server->loop, &c->write_timer,
		    pace_deadline(&c->reader.pace, &l->write_pace, now, l->write_timeout));
	else
		timer_clear(&c->write_timer);
}

/* false: the connection was lost. */
static bool
send_out(struct h2conn *c)
{
	ssize_t n = http_conn_send(&c->conn, &c->out);

	if (n < 0) {
		lose(c, ERR_CLIENT_GONE);
		return false;
	}
	c->reader.handed += (uint64_t)n;
	if (n > 0 || !h2conn_blocked(c) || c->write_timer.due == 0)
		arm_writing(c);
	return true;
}

static bool
over(const struct h2conn *c)
{
	return !h2conn_blocked(c) && !nghttp2_session_want_write(c->session) &&
	       (c->ending || !nghttp2_session_want_read(c->session));
}

static void
pump(struct h2conn *c)
{
	open_window(c);
	for (int i = 0; i < WRITES_MAX; i++) {
		if (!pull(c)) {
			lose(c, ERR_MEMORY);
			return;
		}
		if (buf_len(&c->out) == 0)
			break;
		if (!send_out(c))
			return;
		if (h2conn_blocked(c))
			break;
	}
	if (!h2conn_blocked(c) && c->write_timer.due != 0)
		arm_writing(c); /* what waited has left */
	h2conn_run_due(c);
	if (c->ending && h2conn_blocked(c))
		lose(c, ERR_CLIENT_GONE); /* who does not read needs no farewell */
	else if (over(c))
		begin_linger(c);
	else if (!h2conn_blocked(c) && nghttp2_session_want_write(c->session))
		h2conn_flush(c);
	if (c->state == H2_OPEN)
		h2conn_want(c);
}

static void
on_flush(void *arg)
{
	struct h2conn *c = arg;

	if (c->state == H2_OPEN)
		pump(c);
}

/* --- input --- */

static void
failed(struct h2conn *c, ssize_t why)
{
	if (why == NGHTTP2_ERR_FLOODED)
		h2conn_flood(c, H2_FLOOD_OUTPUT);
	else if (why == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS)
		h2conn_flood(c, H2_FLOOD_CONTINUATION);
	else if (!c->ending)
		end_with(c, why == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? NGHTTP2_PROTOCOL_ERROR
								: NGHTTP2_INTERNAL_ERROR);
}

static void
feed(struct h2conn *c, const uint8_t *p, size_t n)
{
	const struct h2_limits *l = &c->conn.server->limits.h2;
	ssize_t used = nghttp2_session_mem_recv(c->session, p, n);

	if (used < 0)
		failed(c, used);
	else if (nghttp2_session_get_outbound_queue_size(c->session) >
		 l->frames_max + 4 * (uint64_t)l->streams_max)
		h2conn_flood(c, H2_FLOOD_OUTPUT);
}

static void
receive(struct h2conn *c)
{
	static _Thread_local uint8_t piece[READ_SIZE];
	ssize_t n = STREAM_AGAIN;

	for (int i = 0; i < READS_MAX && !c->ending; i++) {
		n = stream_read(c->conn.stream, (char *)piece, sizeof(piece));
		if (n <= 0)
			break;
		feed(c, piece, (size_t)n);
	}
	if (n == STREAM_EOF || n == STREAM_FAILED) {
		lose(c, ERR_CLIENT_GONE);
		return;
	}
	h2conn_run_due(c);
	h2conn_flush(c);
}

static void
linger(struct h2conn *c)
{
	if (http_conn_linger(&c->conn))
		stream_want(c->conn.stream, STREAM_READ);
	else
		lose(c, ERR_CLIENT_GONE);
}

static void
on_stream(void *arg, unsigned what)
{
	struct h2conn *c = arg;

	if (c->state == H2_GONE)
		return;
	if (stream_failed(c->conn.stream)) {
		lose(c, ERR_CLIENT_GONE);
		return;
	}
	if (c->state == H2_LINGER) {
		linger(c);
		return;
	}
	if (what & STREAM_READ)
		receive(c);
	if (c->state == H2_OPEN && (what & STREAM_WRITE))
		pump(c);
	if (c->state == H2_OPEN)
		h2conn_want(c);
}

static void
on_timer(void *arg)
{
	struct h2conn *c = arg;
	enum h2_wait waited = c->wait;

	if (c->state == H2_LINGER) {
		lose(c, ERR_CLIENT_GONE);
		return;
	}
	c->wait = H2_FOR_NOTHING;
	if (waited == H2_FOR_PING) {
		h2conn_notice_answered(c);
	} else if (waited == H2_FOR_HEAD) {
		http_conn_count(&c->conn, HTTP_HEAD_SLOW);
		end_with(c, NGHTTP2_ENHANCE_YOUR_CALM);
	} else {
		http_conn_count(&c->conn, HTTP_IDLE);
		end_with(c, NGHTTP2_NO_ERROR);
	}
}

static void
on_write_timer(void *arg)
{
	struct h2conn *c = arg;
	enum err err = pace_look(&c->reader, &c->conn.server->limits.write_pace,
	    loop_now(c->conn.server->loop), stream_backlog(c->conn.stream));

	if (err == OK)
		arm_writing(c);
	else
		lose(c, err);
}

/* --- the server's side --- */

static struct h2conn *
conn_of(struct http_conn *c)
{
	return LIST_ENTRY(c, struct h2conn, conn);
}

static void
drain(struct http_conn *conn)
{
	struct h2conn *c = conn_of(conn);

	if (c->state != H2_OPEN || c->ending || c->drain != H2_SERVES)
		return;
	c->drain = H2_NOTICED;
	if (nghttp2_submit_shutdown_notice(c->session) != 0 ||
	    nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, NULL) != 0)
		h2conn_notice_answered(c);
	h2conn_arm(c);
	h2conn_flush(c);
}

void
h2conn_notice_answered(struct h2conn *c)
{
	if (c->drain != H2_NOTICED)
		return;
	c->drain = H2_SAID;
	if (nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE,
		nghttp2_session_get_last_proc_stream_id(c->session), NGHTTP2_NO_ERROR, NULL,
		0) != 0)
		end_with(c, NGHTTP2_NO_ERROR);
	h2conn_arm(c);
	h2conn_flush(c);
}

static void
cut(struct http_conn *conn)
{
	lose(conn_of(conn), ERR_DRAINING);
}

/* GOAWAY leaves if the socket takes it. */
static bool
reap(struct http_conn *conn)
{
	struct h2conn *c = conn_of(conn);

	if (c->state != H2_OPEN || c->ending || c->drain != H2_SERVES || c->block_stream != 0 ||
	    !list_empty(&c->streams))
		return false;
	http_conn_count(conn, HTTP_REAPED);
	end_with(c, NGHTTP2_NO_ERROR);
	if (pull(c) && !send_out(c))
		return true;
	lose(c, ERR_CLIENT_GONE);
	return true;
}

static const struct http_conn_ops conn_ops = { .drain = drain, .cut = cut, .reap = reap };

/* HTTP's own rules are judged in h2_head, with the reasons of HTTP/1.1. */
static nghttp2_session *
new_session(struct h2conn *c)
{
	const nghttp2_session_callbacks *callbacks = h2conn_callbacks();
	nghttp2_session *session = NULL;
	nghttp2_option *option = NULL;

	if (callbacks == NULL || nghttp2_option_new(&option) != 0)
		return NULL;
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_no_http_messaging(option, 1);
	nghttp2_option_set_no_closed_streams(option, 1);
	nghttp2_option_set_max_outbound_ack(option, ACKS_MAX);
	for (unsigned type = TYPE_UNKNOWN; type <= UINT8_MAX; type++) /* we count them */
		nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
	if (nghttp2_session_server_new2(&session, callbacks, c, option) != 0)
		session = NULL;
	nghttp2_option_del(option);
	return session;
}

static bool
greet(struct h2conn *c, const struct http_limits *l)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, l->h2.streams_max },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, l->h2.stream_window },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)l->head.head_max },
		{ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
	};

	return nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings,
		   sizeof(settings) / sizeof(settings[0])) == 0 &&
	       nghttp2_session_set_local_window_size(
		   c->session, NGHTTP2_FLAG_NONE, 0, (int32_t)l->h2.connection_window) == 0;
}

bool
h2conn_begin(struct http_conn *from)
{
	struct h2conn *c = calloc(1, sizeof(*c));
	SSL *ssl = stream_ssl(from->stream);

	if (c != NULL)
		c->session = new_session(c);
	if (c == NULL || c->session == NULL || !greet(c, &from->server->limits)) {
		if (c != NULL)
			nghttp2_session_del(c->session);
		free(c);
		return false;
	}
	c->conn.ops = &conn_ops;
	http_conn_move(&c->conn, from);
	stream_own(c->conn.stream, on_stream, c);
	c->certificate = ssl != NULL ? SSL_get0_peer_certificate(ssl) : NULL;
	c->sni = ssl != NULL ? str_z(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)) : STR_NONE;
	/* Until the peer knows our window it uses the one all begin with. */
	c->body_max = c->conn.server->limits.h2.stream_window;
	if (c->body_max < NGHTTP2_INITIAL_WINDOW_SIZE)
		c->body_max = NGHTTP2_INITIAL_WINDOW_SIZE;
	buf_init(&c->out, 2 * STREAM_WRITE_MAX);
	list_init(&c->streams);
	list_init(&c->due);
	task_init(&c->flush, on_flush, c);
	timer_init(&c->conn.timer, on_timer, c);
	timer_init(&c->write_timer, on_write_timer, c);
	pace_init(&c->reader.pace, &c->conn.server->limits.write_pace);
	http_conn_count(&c->conn, HTTP_H2);
	h2conn_arm(c);
	if (http_conn_leaving(&c->conn))
		drain(&c->conn);
	h2conn_flush(c);
	h2conn_want(c);
	return true;
}
