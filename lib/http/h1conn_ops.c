/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1conn_ops - what a handler does with its exchange on an HTTP/1.1 connection: pull the request's
 * body, push the response.
 */
#include "lib/http/h1conn_int.h"

#define DIRECT_MIN 4096 /* from here on a body piece goes to the stream without a copy */

static struct h1conn *
conn_of(struct exchange *ex)
{
	return (struct h1conn *)ex; /* its first member */
}

/* --- the request body --- */

static enum exchange_body
op_peek(struct exchange *ex, struct str *data, enum err *why)
{
	struct h1conn *c = conn_of(ex);

	while (c->piece_n == 0) {
		struct str piece;
		size_t used;
		enum err err = c->body_err;

		if (err == OK && h1_body_done(&c->body))
			return EXCHANGE_END;
		if (err == OK)
			err = h1_body_decode(&c->body, buf_str(&c->in), &used, &piece);
		if (err == OK && used == 0 && c->eof)
			err = ERR_CLIENT_GONE; /* the rest will never come */
		if (err != OK) {
			c->body_err = err;
			c->close_after = true;
			*why = err;
			return EXCHANGE_BAD;
		}
		if (used == 0) {
			stream_doubt(c->conn.stream);
			if (c->want_body)
				h1conn_want(c);
			return EXCHANGE_AGAIN;
		}
		if (piece.n == 0) {
			buf_consume(&c->in, used);
			continue;
		}
		c->piece_at = (size_t)(piece.p - buf_str(&c->in).p);
		c->piece_n = piece.n;
		c->piece_raw = used;
	}
	*data = str_of(buf_str(&c->in).p + c->piece_at, c->piece_n);
	return EXCHANGE_DATA;
}

static void
op_consume(struct exchange *ex, size_t n)
{
	struct h1conn *c = conn_of(ex);

	c->piece_at += n;
	c->piece_n -= n;
	ex->bytes_in += n;
	if (c->piece_n == 0) {
		buf_consume(&c->in, c->piece_raw);
		if (c->want_body)
			h1conn_want(c);
	}
}

static void
op_want_body(struct exchange *ex, bool wanted)
{
	struct h1conn *c = conn_of(ex);

	/* Sent by the stream's next call: a handler must not lose its exchange while it asks for
	 * the body. */
	if (wanted && c->continue_due && buf_len(&c->in) == 0 &&
	    !buf_put(&c->out, STR("HTTP/1.1 100 Continue\r\n\r\n")))
		c->close_after = true;
	c->continue_due = false;
	c->asked_body |= wanted;
	if (c->want_body == wanted)
		return;
	c->want_body = wanted;
	h1conn_arm(c);
	h1conn_want(c);
}

static void
op_limit_body(struct exchange *ex, uint64_t max)
{
	struct h1conn *c = conn_of(ex);

	if (max < c->body.max)
		c->body.max = max;
}

/* --- the response --- */

static bool
put_field(struct buf *out, struct str name, struct str value)
{
	char *p = buf_reserve(out, name.n + value.n + 4);

	if (p == NULL)
		return false;
	memcpy(p, name.p, name.n);
	p += name.n;
	*p++ = ':';
	*p++ = ' ';
	if (value.n > 0)
		memcpy(p, value.p, value.n);
	p += value.n;
	*p++ = '\r';
	*p++ = '\n';
	buf_commit(out, name.n + value.n + 4);
	return true;
}

static bool
put_status(struct buf *out, const struct h1_head *resp)
{
	char line[16] = "HTTP/1.1 ";

	line[9] = (char)('0' + resp->status / 100);
	line[10] = (char)('0' + resp->status / 10 % 10);
	line[11] = (char)('0' + resp->status % 10);
	line[12] = ' ';
	return buf_put(out, str_of(line, 13)) && buf_put(out, resp->reason) &&
	       buf_put(out, STR("\r\n"));
}

/* The body of the request may be left unread: what is already here is skipped, and if that is not
 * all of it the connection cannot be used again. */
static void
skip_body(struct h1conn *c)
{
	struct str data;
	enum err why;

	if (c->continue_due)
		c->close_after = true; /* it may or may not send the body now */
	while (op_peek(&c->ex, &data, &why) == EXCHANGE_DATA)
		op_consume(&c->ex, data.n);
	if (!h1_body_done(&c->body))
		c->close_after = true;
}

/* A final head is written.  Whether the connection lives on must be known now; but of a body that
 * the handler is reading, with a pause perhaps, not a byte may be taken away. */
static void
end_body(struct h1conn *c)
{
	if (c->close_after)
		return;
	if (!c->asked_body)
		skip_body(c);
	else if (!h1_body_done(&c->body))
		c->close_after = true;
}

static bool
op_head(struct exchange *ex, const struct h1_head *resp)
{
	struct h1conn *c = conn_of(ex);
	bool interim = resp->status < 200, old = ex->req.minor == 0, ok;

	if (interim && old)
		return true;
	ex->head_sent = true; /* even if it fails: nothing else can follow half a head */
	ok = put_status(&c->out, resp);
	for (size_t i = 0; ok && i < resp->n_fields; i++) {
		const struct h1_field *f = &resp->fields[i];

		if (!f->hop)
			ok = put_field(&c->out, f->name, f->value);
	}
	if (interim) {
		ok = ok && buf_put(&c->out, STR("\r\n"));
		ex->head_sent = !ok;
		return ok;
	}
	c->out_framing = resp->framing;
	if (resp->framing == H1_CHUNKED || resp->framing == H1_UNTIL_CLOSE) {
		c->out_framing = old ? H1_UNTIL_CLOSE : H1_CHUNKED;
		if (old)
			c->close_after = true;
		else
			ok = ok && buf_put(&c->out, STR("Transfer-Encoding: chunked\r\n"));
	}
	end_body(c);
	/* Only what was announced may be done: the client relies on the connection otherwise. */
	c->close_after |= http_conn_leaving(&c->conn);
	if (c->close_after)
		ok = ok && buf_put(&c->out, STR("Connection: close\r\n"));
	else if (old)
		ok = ok && buf_put(&c->out, STR("Connection: keep-alive\r\n"));
	return ok && buf_put(&c->out, STR("\r\n"));
}

static size_t
write_chunk(struct h1conn *c, struct str data)
{
	size_t room = OUT_MAX - buf_len(&c->out), n;
	char head[20], *p;

	if (buf_len(&c->out) > OUT_MAX / 2 || data.n == 0)
		return 0;
	if (data.n > room)
		data.n = room;
	n = h1_chunk_head(head, data.n);
	p = buf_reserve(&c->out, n + data.n + 2); /* whole or not at all */
	if (p == NULL)
		return 0;
	memcpy(p, head, n);
	memcpy(p + n, data.p, data.n);
	memcpy(p + n + data.n, "\r\n", 2);
	buf_commit(&c->out, n + data.n + 2);
	return data.n;
}

static size_t
write_plain(struct h1conn *c, struct str data)
{
	size_t done = 0, room;
	struct str rest;

	if (buf_len(&c->out) > 0 && data.n >= DIRECT_MIN && !h1conn_send(c))
		return data.n; /* lost: nobody will miss it */
	while (buf_len(&c->out) == 0 && data.n - done >= DIRECT_MIN) {
		ssize_t n = stream_write(c->conn.stream, str_from(data, done));

		if (n <= 0)
			break;
		c->reader.handed += (uint64_t)n;
		done += (size_t)n;
	}
	room = OUT_MAX - buf_len(&c->out);
	rest = str_from(data, done);
	if (rest.n > room)
		rest.n = room;
	return buf_put(&c->out, rest) ? done + rest.n : done;
}

static size_t
op_write(struct exchange *ex, struct str data)
{
	struct h1conn *c = conn_of(ex);
	size_t n, done = 0;

	if (c->state == GONE)
		return data.n;
	if (c->out_framing != H1_CHUNKED) {
		done = write_plain(c, data);
	} else {
		while (done < data.n && (n = write_chunk(c, str_from(data, done))) > 0) {
			done += n;
			if (buf_len(&c->out) >= OUT_MAX / 2 && !h1conn_send(c))
				return data.n;
		}
	}
	if (c->state == GONE)
		return data.n;
	ex->bytes_out += done;
	if (done < data.n && !c->want_room) {
		c->want_room = true;
		h1conn_arm(c);
		h1conn_want(c);
	}
	return done;
}

static void
op_flush(struct exchange *ex)
{
	struct h1conn *c = conn_of(ex);

	if (c->state == EXCHANGE && h1conn_send(c) &&
	    (buf_len(&c->out) > 0 || stream_unsent(c->conn.stream))) {
		h1conn_arm(c);
		h1conn_want(c);
	}
}

static bool
op_idle(const struct exchange *ex)
{
	const struct h1conn *c = (const struct h1conn *)ex;

	return buf_len(&c->out) == 0 && !stream_unsent(c->conn.stream);
}

static void
op_end(struct exchange *ex)
{
	struct h1conn *c = conn_of(ex);

	if (c->state != EXCHANGE)
		return;
	ex->events = NULL;
	if (c->out_framing == H1_CHUNKED && ex->req.method != H1_HEAD &&
	    !buf_put(&c->out, STR("0\r\n\r\n"))) {
		h1conn_close(c);
		return;
	}
	c->want_body = c->want_room = false;
	if (!c->close_after)
		skip_body(c);
	c->state = FLUSH;
	if (h1conn_send(c))
		h1conn_flushed(c);
}

/* What there is of an answer is sent, so that the client sees where it ended. */
static void
op_abort(struct exchange *ex)
{
	struct h1conn *c = conn_of(ex);

	ex->events = NULL;
	if (h1conn_send(c))
		h1conn_close(c);
}

static int
op_take(struct exchange *ex, struct buf *rest)
{
	struct h1conn *c = conn_of(ex);
	int fd;

	if (c->state != EXCHANGE || ex->req.method != H1_CONNECT || ex->head_sent || !op_idle(ex))
		return -1;
	fd = stream_release(c->conn.stream, &c->in);
	if (fd < 0)
		return -1;
	*rest = c->in;
	buf_init(&c->in, 0);
	ex->events = NULL;
	h1conn_close(c);
	return fd;
}

const struct exchange_ops h1conn_ops = {
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
	.take = op_take,
};
