/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2conn_recv - what the peer's frames mean: requests and their bodies, the end of streams, and
 * floods.
 *
 * Every frame that costs us something and asks for nothing is taken from a budget that refills with
 * time; when it is empty the connection ends.  Frames are counted when their head was read, so that
 * those nghttp2 then refuses count too.
 */
#include <pthread.h>

#include "lib/http/h2conn_int.h"

#define CONTINUATIONS_MAX 8 /* frames of one head */
#define TRAILERS_MAX 8192   /* bytes, all trailer fields together */

/* --- floods --- */

static bool
take(struct h2conn *c, struct budget *b, uint64_t max, enum h2_flood kind)
{
	if (budget_take(b, max, H2_PERIOD_MS, loop_now(c->conn.server->loop)))
		return true;
	h2conn_flood(c, kind);
	return false;
}

static bool
take_frame(struct h2conn *c, enum h2_flood kind)
{
	return take(c, &c->frames, c->conn.server->limits.h2.frames_max, kind);
}

static bool
take_reset(struct h2conn *c)
{
	return take(c, &c->resets, c->conn.server->limits.h2.resets_max, H2_FLOOD_RESET);
}

static bool
take_window(struct h2conn *c)
{
	if (c->window_credit == 0)
		return take_frame(c, H2_FLOOD_WINDOW);
	c->window_credit--;
	return true;
}

/* A head may be too large and still be answered (431), but not without end. */
static bool
block_grows(struct h2conn *c, const nghttp2_frame_hd *hd)
{
	if (hd->type == NGHTTP2_HEADERS) {
		c->block_stream = hd->stream_id;
		c->block_size = c->block_frames = 0;
		c->trailer_size = 0;
		h2conn_arm(c);
	} else {
		c->block_frames++;
	}
	c->block_size += hd->length;
	if (c->block_frames <= CONTINUATIONS_MAX &&
	    c->block_size <= H2_HEAD_EXCESS * c->conn.server->limits.head.head_max)
		return true;
	h2conn_flood(c, H2_FLOOD_CONTINUATION);
	return false;
}

static void
block_ends(struct h2conn *c)
{
	c->block_stream = 0;
	h2conn_arm(c);
}

static int
on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
	struct h2conn *c = arg;
	bool ok = true;

	(void)session;
	if (c->ending)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	switch (hd->type) {
	case NGHTTP2_DATA:
		if (hd->length == 0 && (hd->flags & NGHTTP2_FLAG_END_STREAM) == 0)
			ok = take_frame(c, H2_FLOOD_EMPTY);
		break;
	case NGHTTP2_HEADERS:
	case NGHTTP2_CONTINUATION:
		ok = block_grows(c, hd);
		break;
	case NGHTTP2_PRIORITY:
	case NGHTTP2_PRIORITY_UPDATE:
		ok = take_frame(c, H2_FLOOD_PRIORITY);
		break;
	case NGHTTP2_RST_STREAM:
		ok = take_reset(c);
		break;
	case NGHTTP2_SETTINGS:
		ok = take_frame(c, H2_FLOOD_SETTINGS);
		break;
	case NGHTTP2_PING:
		ok = take_frame(c, H2_FLOOD_PING);
		break;
	case NGHTTP2_WINDOW_UPDATE:
		ok = take_window(c);
		break;
	default:
		ok = take_frame(c, H2_FLOOD_UNKNOWN);
		break;
	}
	return ok ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int
on_unknown(nghttp2_session *session, void **payload, const nghttp2_frame_hd *hd, void *arg)
{
	(void)session;
	(void)payload;
	(void)hd;
	(void)arg;
	return NGHTTP2_ERR_CANCEL; /* ignored, as RFC 9113 4.1 wants it */
}

/* --- heads --- */

static struct h2stream *
find(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

static int
on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	static const nghttp2_extpri same = { .urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1 };
	struct h2conn *c = arg;
	int32_t id = frame->hd.stream_id;
	struct h2stream *s;

	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	s = h2conn_stream_new(c, id);
	if (s == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	nghttp2_session_set_stream_user_data(session, id, s);
	/* All streams alike, in turns. */
	(void)nghttp2_session_change_extpri_stream_priority(session, id, &same, 1);
	h2_head_begin(&c->head, &s->ex.arena, &c->conn.server->limits.head,
	    stream_ssl(c->conn.stream) != NULL, &s->ex.req);
	http_conn_count(&c->conn, HTTP_STREAM);
	return 0;
}

static void
trailer(struct h2conn *c, struct h2stream *s, struct str name, struct str value)
{
	c->trailer_size += name.n + value.n;
	if (s != NULL && s->body_err == OK &&
	    (c->trailer_size > TRAILERS_MAX || !h2_head_trailer(name, value)))
		s->body_err = ERR_HTTP_CHUNK;
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
    const uint8_t *value, size_t value_n, uint8_t flags, void *arg)
{
	struct h2conn *c = arg;
	struct str n = str_of((const char *)name, name_n), v = str_of((const char *)value, value_n);

	(void)flags;
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
		trailer(c, find(session, frame->hd.stream_id), n, v);
		if (c->trailer_size <= H2_HEAD_EXCESS * c->conn.server->limits.head.head_max)
			return 0;
	} else if (h2_head_add(&c->head, n, v)) {
		return 0;
	}
	h2conn_flood(c, H2_FLOOD_HPACK);
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void
begin_exchange(struct h2stream *s, enum err bad)
{
	struct http_server *server = s->server;
	struct exchange *ex = &s->ex;

	ex->id = exchange_new_id();
	ex->began = clock_now();
	ex->ops = &h2conn_ops;
	ex->peer = s->c->conn.peer;
	ex->tls = stream_ssl(s->c->conn.stream) != NULL;
	ex->certificate = s->c->certificate;
	ex->sni = s->c->sni;
	s->body_max = UINT64_MAX;
	exchange_limit_body(ex, server->limits.body_max);
	s->continue_due = ex->req.expect_continue && !s->eof &&
			  (ex->req.framing == H1_CHUNKED || ex->req.length > 0);
	budget_give(&s->c->frames, 1); /* a request may bring some frame of its own */
	server->request(s->c->conn.listener, ex, bad);
}

/* Nothing more of the request will come. */
static void
request_ends(struct h2stream *s)
{
	s->eof = true;
	if (s->body_err == OK && s->ex.req.framing == H1_LENGTH && s->received < s->ex.req.length)
		s->body_err = ERR_HTTP_FRAMING;
	if (s->want_body)
		h2conn_due(s);
}

static void
on_headers(struct h2conn *c, struct h2stream *s, const nghttp2_headers *headers)
{
	bool end = (headers->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

	block_ends(c);
	if (s == NULL)
		return;
	if (headers->cat == NGHTTP2_HCAT_REQUEST) {
		s->eof = end;
		begin_exchange(s, h2_head_end(&c->head, !end));
	} else if (end) {
		request_ends(s);
	} else {
		(void)nghttp2_submit_rst_stream(
		    c->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_PROTOCOL_ERROR);
	}
}

static int
on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2conn *c = arg;
	struct h2stream *s;

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		on_headers(c, find(session, frame->hd.stream_id), &frame->headers);
		break;
	case NGHTTP2_DATA:
		s = find(session, frame->hd.stream_id);
		if (frame->hd.length > 0 && frame->hd.length == frame->data.padlen &&
		    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0 &&
		    !take_frame(c, H2_FLOOD_EMPTY))
			return NGHTTP2_ERR_CALLBACK_FAILURE;
		if (s != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
			request_ends(s);
		break;
	case NGHTTP2_PING:
		if (frame->hd.flags & NGHTTP2_FLAG_ACK)
			h2conn_notice_answered(c);
		break;
	default:
		break;
	}
	return 0;
}

/* --- bodies --- */

static int
on_data(
    nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t n, void *arg)
{
	struct h2stream *s = find(session, id);

	(void)flags;
	(void)arg;
	if (s == NULL || s->ex.events == NULL)
		return 0; /* nobody will read it */
	s->received += n;
	pace_earn(&s->body_pace, &s->server->limits.body_pace, loop_now(s->server->loop), n);
	if (s->body_err == OK && s->ex.req.framing == H1_LENGTH && s->received > s->ex.req.length)
		s->body_err = ERR_HTTP_FRAMING;
	if (s->body_err == OK && s->received > s->body_max)
		s->body_err = ERR_BODY_SIZE;
	if (s->body_err == OK && !buf_put(&s->in, str_of((const char *)data, n)))
		s->body_err = ERR_MEMORY;
	if (s->body_err == OK)
		s->c->held += n;
	if (s->want_body) {
		if (!h2conn_sends(s))
			h2conn_stream_arm(s);
		h2conn_due(s);
	}
	return 0;
}

/* --- the end of streams, and what we sent --- */

static int
on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct h2stream *s = find(session, id);

	(void)code;
	(void)arg;
	if (s != NULL)
		h2conn_stream_gone(s, ERR_CLIENT_GONE);
	return 0;
}

/* A reset the peer has brought about costs as much as one it sends. */
static int
reset_sent(struct h2conn *c, const struct h2stream *s, const nghttp2_frame *frame)
{
	if (frame->hd.stream_id == c->block_stream)
		block_ends(c); /* nghttp2 does not tell of the heads it refuses */
	if (frame->rst_stream.error_code == NGHTTP2_REFUSED_STREAM)
		http_conn_count(&c->conn, HTTP_REFUSED);
	if (frame->rst_stream.error_code == NGHTTP2_NO_ERROR || (s != NULL && s->reset))
		return 0;
	(void)take_reset(c); /* if none is left, the connection is ending */
	return 0;
}

static int
on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2conn *c = arg;
	struct h2stream *s;

	if (frame->hd.type == NGHTTP2_RST_STREAM)
		return reset_sent(c, find(session, frame->hd.stream_id), frame);
	if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
		return 0;
	s = find(session, frame->hd.stream_id);
	if (s != NULL && !s->eof) /* RFC 9113 8.1: the rest of the request is not wanted */
		h2conn_reset(s, NGHTTP2_NO_ERROR);
	return 0;
}

/* --- for every session --- */

static nghttp2_session_callbacks *callbacks;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
make_callbacks(void)
{
	nghttp2_session_callbacks *cb;

	if (nghttp2_session_callbacks_new(&cb) != 0)
		return;
	nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
	nghttp2_session_callbacks_set_unpack_extension_callback(cb, on_unknown);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
	nghttp2_session_callbacks_set_send_data_callback(cb, h2conn_send_out);
	callbacks = cb;
}

const nghttp2_session_callbacks *
h2conn_callbacks(void)
{
	pthread_once(&once, make_callbacks);
	return callbacks;
}
