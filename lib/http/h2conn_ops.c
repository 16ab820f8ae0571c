/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2conn_ops - what a handler does with its exchange on an HTTP/2 stream: pull the request's body,
 * push the response.  Nothing is sent from here: the connection does that at the end of the turn.
 */
#include "lib/http/h2conn_int.h"

#define CREDIT_BYTES 512 /* sent for one WINDOW_UPDATE that is taken for granted */
#define CREDIT_END 2     /* the same for the end of a stream */

static struct h2stream *
stream_of(struct exchange *ex)
{
	return (struct h2stream *)ex; /* its first member */
}

/* --- the request body --- */

static enum exchange_body
op_peek(struct exchange *ex, struct str *data, enum err *why)
{
	struct h2stream *s = stream_of(ex);

	if (s->body_err != OK) {
		*why = s->body_err;
		return EXCHANGE_BAD;
	}
	if (buf_len(&s->in) > 0) {
		*data = buf_str(&s->in);
		return EXCHANGE_DATA;
	}
	if (s->eof || ex->req.framing == H1_NO_BODY)
		return EXCHANGE_END;
	stream_doubt(s->c->conn.stream);
	h2conn_want(s->c);
	return EXCHANGE_AGAIN;
}

static void
op_consume(struct exchange *ex, size_t n)
{
	struct h2stream *s = stream_of(ex);

	buf_consume(&s->in, n);
	buf_release(&s->in);
	ex->bytes_in += n;
	s->c->held -= n;
	if (!s->eof)
		(void)nghttp2_session_consume_stream(s->c->session, s->id, n);
	h2conn_flush(s->c);
}

static void
say_continue(struct h2stream *s)
{
	const struct h1_head head = { .status = 100 };

	(void)exchange_head(&s->ex, &head); /* if it fails, the peer goes on by itself, or not */
}

static void
op_want_body(struct exchange *ex, bool wanted)
{
	struct h2stream *s = stream_of(ex);

	if (wanted && s->continue_due && s->received == 0)
		say_continue(s);
	s->continue_due = false;
	if (s->want_body == wanted)
		return;
	s->want_body = wanted;
	h2conn_stream_arm(s);
}

static void
op_limit_body(struct exchange *ex, uint64_t max)
{
	struct h2stream *s = stream_of(ex);

	if (max >= s->body_max)
		return;
	s->body_max = max;
	if (s->received > max || (ex->req.framing == H1_LENGTH && ex->req.length > max))
		s->body_err = ERR_BODY_SIZE;
}

/* --- the response --- */

static void
resume(struct h2stream *s)
{
	if (s->deferred) {
		s->deferred = false;
		(void)nghttp2_session_resume_data(s->c->session, s->id);
	}
	h2conn_flush(s->c);
}

static bool
op_head(struct exchange *ex, const struct h1_head *resp)
{
	struct h2stream *s = stream_of(ex);
	nghttp2_session *session = s->c->session;
	nghttp2_data_provider body = { .source.ptr = s, .read_callback = h2conn_read_out };
	nghttp2_nv nv[H2_HEAD_NVS];
	char digits[3];
	size_t n = h2_head_response(resp, digits, nv);

	h2conn_flush(s->c);
	if (resp->status < 200)
		return nghttp2_submit_headers(
			   session, NGHTTP2_FLAG_NONE, s->id, NULL, nv, n, NULL) == 0;
	ex->head_sent = true;
	s->bodiless = resp->framing == H1_NO_BODY || ex->req.method == H1_HEAD ||
		      (resp->framing == H1_LENGTH && resp->length == 0);
	return nghttp2_submit_response(session, s->id, nv, n, s->bodiless ? NULL : &body) == 0;
}

static size_t
op_write(struct exchange *ex, struct str data)
{
	struct h2stream *s = stream_of(ex);
	size_t room = H2_OUT_MAX - buf_len(&s->out), n = data.n < room ? data.n : room;
	bool waits = h2conn_sends(s);

	if (s->bodiless)
		return data.n;
	if (!buf_put(&s->out, str_of(data.p, n))) {
		n = 0;
		h2conn_due(s); /* no memory now: nothing else would bring the room event */
	}
	ex->bytes_out += n;
	resume(s);
	s->want_room |= n < data.n;
	if (!waits) /* else the peer's time has begun already */
		h2conn_stream_arm(s);
	return n;
}

static void
op_flush(struct exchange *ex)
{
	h2conn_flush(stream_of(ex)->c);
}

static bool
op_idle(const struct exchange *ex)
{
	return buf_len(&((const struct h2stream *)ex)->out) == 0;
}

void
h2conn_reset(struct h2stream *s, uint32_t code)
{
	s->reset = true;
	(void)nghttp2_submit_rst_stream(s->c->session, NGHTTP2_FLAG_NONE, s->id, code);
	h2conn_flush(s->c);
}

static void
op_abort(struct exchange *ex)
{
	struct h2stream *s = stream_of(ex);

	ex->events = NULL;
	s->want_body = s->want_room = false;
	timer_clear(&s->timer);
	h2conn_reset(s, NGHTTP2_INTERNAL_ERROR);
}

/* What is unread of the request is not kept any longer. */
static void
op_end(struct exchange *ex)
{
	struct h2stream *s = stream_of(ex);

	ex->events = NULL;
	s->want_body = s->want_room = false;
	s->c->held -= buf_len(&s->in);
	buf_fini(&s->in);
	s->ended = true;
	h2conn_stream_arm(s);
	resume(s);
}

/* --- for nghttp2: DATA without a copy of its own --- */

ssize_t
h2conn_read_out(nghttp2_session *session, int32_t id, uint8_t *p, size_t n, uint32_t *flags,
    nghttp2_data_source *source, void *arg)
{
	struct h2stream *s = source->ptr;
	size_t have = buf_len(&s->out);

	(void)session;
	(void)id;
	(void)p;
	(void)arg;
	if (have == 0 && !s->ended) {
		s->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (have <= n && s->ended)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)(have < n ? have : n);
}

int
h2conn_send_out(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t n,
    nghttp2_data_source *source, void *arg)
{
	struct h2stream *s = source->ptr;
	struct h2conn *c = arg;
	char *p;

	(void)session;
	(void)frame;
	if (buf_len(&c->out) > H2_FRAMES_HIGH)
		return NGHTTP2_ERR_WOULDBLOCK;
	p = buf_reserve(&c->out, H2_FRAME_HEAD + n);
	if (p == NULL)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	p = str_put(p, str_of((const char *)head, H2_FRAME_HEAD));
	str_put(p, str_of(buf_str(&s->out).p, n));
	buf_commit(&c->out, H2_FRAME_HEAD + n);
	buf_consume(&s->out, n);
	buf_release(&s->out);
	pace_earn(&s->write_pace, &s->server->limits.write_pace, loop_now(s->server->loop), n);
	c->window_credit += n / CREDIT_BYTES + (s->ended ? CREDIT_END : 0);
	h2conn_stream_arm(s);
	if (s->want_room)
		h2conn_due(s);
	return 0;
}

const struct exchange_ops h2conn_ops = {
	.peek = op_peek,
	.consume = op_consume,
	.want_body = op_want_body,
	.limit_body = op_limit_body,
	.head = op_head,
	.write = op_write,
	.flush = op_flush,
	.idle = op_idle,
	.end = op_end,
	.abort = op_abort,
};
