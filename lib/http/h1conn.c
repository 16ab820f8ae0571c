/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1conn - one connection, in one of these states:
 *
 *   HANDSHAKE  TLS is being set up
 *   HEAD       idle, or a request head is arriving
 *   EXCHANGE   a handler owns the exchange; body in, response out
 *   FLUSH      the response is complete but not yet sent
 *   LINGER     we closed for writing and read what the peer still sends, so that it sees our answer
 *   GONE       closed; memory goes at the end of the turn
 */
#include "lib/http/h1conn.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/log.h"

#define IN_MAX (64 * 1024)   /* request bytes held; more stay in the socket */
#define OUT_MAX (64 * 1024)  /* response bytes held; more are not taken */
#define DIRECT_MIN 4096      /* from here on a body piece goes to the stream without a copy */
#define LINGER_MS 2000
#define LINGER_BYTES (1024 * 1024)

enum state { HANDSHAKE, HEAD, EXCHANGE, FLUSH, LINGER, GONE };

struct h1conn {
	struct exchange ex;
	struct http_server *server;
	void *listener;
	struct stream *stream;
	enum state state;
	struct list node;
	struct timer timer;
	struct task next;
	struct grave grave;
	/* request */
	struct buf in;
	size_t scanned;
	struct h1_body body;
	size_t piece_at, piece_n, piece_raw; /* decoded bytes in `in`, and the raw bytes they end */
	bool want_body;
	bool asked_body;  /* the handler has wanted it: what is not yet read is its business */
	bool want_room;
	bool continue_due;
	bool eof;
	enum err body_err;
	/* response */
	struct buf out;
	enum h1_framing out_framing;
	bool close_after;
	size_t lingered;
	char peer[INET6_ADDRSTRLEN];
};

static void conn_close(struct h1conn *c);
static void serve(struct h1conn *c);
static void on_stream(void *arg, unsigned what);

static struct h1conn *
conn_of(struct exchange *ex)
{
	return (struct h1conn *)ex; /* its first member */
}

static void
count(struct h1conn *c, enum http_count what)
{
	if (c->server->count != NULL)
		c->server->count(c->server, what);
}

/* --- what the connection waits for --- */

static void
want(struct h1conn *c)
{
	unsigned what = 0;

	if (c->state == HANDSHAKE || c->state == HEAD || c->state == LINGER)
		what |= STREAM_READ;
	/* During an exchange we read for the body, and otherwise just enough to notice that the peer left. */
	if ((c->state == EXCHANGE || c->state == FLUSH) && !c->eof && buf_len(&c->in) < IN_MAX &&
	    (c->want_body || h1_body_done(&c->body)) &&
	    (c->want_body || buf_len(&c->in) < BUF_PIECE))
		what |= STREAM_READ;
	if (buf_len(&c->out) > 0 || stream_unsent(c->stream) || c->want_room)
		what |= STREAM_WRITE;
	stream_want(c->stream, what);
}

static void
arm(struct h1conn *c)
{
	const struct http_limits *l = &c->server->limits;
	clock_ms after = 0;

	switch (c->state) {
	case HANDSHAKE: after = l->handshake_timeout; break;
	case HEAD:      after = buf_len(&c->in) > 0 ? l->head_timeout : l->idle_timeout; break;
	case LINGER:    after = LINGER_MS; break;
	case EXCHANGE:
	case FLUSH:
		if (buf_len(&c->out) > 0 || stream_unsent(c->stream) || c->want_room)
			after = l->write_timeout;
		else if (c->want_body)
			after = l->body_timeout;
		break;
	case GONE:      break;
	}
	if (after > 0)
		timer_set(c->server->loop, &c->timer, after);
	else
		timer_clear(&c->timer);
}

static void
enter(struct h1conn *c, enum state next)
{
	c->state = next;
	arm(c);
	want(c);
}

/* --- the end --- */

static void
conn_free(void *arg)
{
	struct h1conn *c = arg;

	arena_fini(&c->ex.arena);
	buf_fini(&c->in);
	buf_fini(&c->out);
	free(c);
}

/* The only way out. */
static void
conn_close(struct h1conn *c)
{
	if (c->state == GONE)
		return;
	c->state = GONE;
	timer_clear(&c->timer);
	task_cancel(&c->next);
	list_remove(&c->node);
	c->server->n_conns--;
	stream_close(c->stream);
	count(c, HTTP_CLOSED);
	if (c->server->closed != NULL)
		c->server->closed(c->server);
	loop_bury(c->server->loop, &c->grave, conn_free, c);
}

/* The peer or the clock ends an exchange. */
static void
lose(struct h1conn *c, enum err why)
{
	const struct exchange_events *ev = c->ex.events;
	void *arg = c->ex.arg;
	bool owned = c->state == EXCHANGE && ev != NULL;

	conn_close(c);
	if (owned)
		ev->gone(arg, why);
}

/* --- output --- */

static bool
send_out(struct h1conn *c) /* false: the connection was lost */
{
	bool moved = false;

	while (buf_len(&c->out) > 0) {
		ssize_t n = stream_write(c->stream, buf_str(&c->out));

		if (n < 0) {
			lose(c, ERR_CLIENT_GONE);
			return false;
		}
		if (n == 0)
			break;
		moved = true;
		buf_consume(&c->out, (size_t)n);
	}
	buf_release(&c->out);
	if (moved)
		arm(c);
	return true;
}

static void
begin_linger(struct h1conn *c)
{
	stream_shut(c->stream);
	enter(c, LINGER);
}

static void
next_request(struct h1conn *c)
{
	arena_fini(&c->ex.arena);
	if (c->close_after || c->server->draining) {
		if (c->eof)
			conn_close(c);
		else
			begin_linger(c);
		return;
	}
	c->ex.events = NULL;
	c->scanned = 0;
	buf_release(&c->in);
	enter(c, HEAD);
	if (buf_len(&c->in) > 0)
		task_defer(c->server->loop, &c->next); /* pipelined: not deeper into the stack */
}

static void
flushed(struct h1conn *c) /* in FLUSH: go on when all is sent */
{
	if (buf_len(&c->out) == 0 && !stream_unsent(c->stream))
		next_request(c);
	else
		enter(c, FLUSH);
}

/* --- exchange operations --- */

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
			stream_doubt(c->stream);
			if (c->want_body)
				want(c);
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
			want(c);
	}
}

static void
op_want_body(struct exchange *ex, bool wanted)
{
	struct h1conn *c = conn_of(ex);

	/* Sent by the stream's next call: a handler must not lose its exchange while it asks for the body. */
	if (wanted && c->continue_due && buf_len(&c->in) == 0 &&
	    !buf_put(&c->out, STR("HTTP/1.1 100 Continue\r\n\r\n")))
		c->close_after = true;
	c->continue_due = false;
	c->asked_body |= wanted;
	if (c->want_body == wanted)
		return;
	c->want_body = wanted;
	arm(c);
	want(c);
}

static void
op_limit_body(struct exchange *ex, uint64_t max)
{
	struct h1conn *c = conn_of(ex);

	if (max < c->body.max)
		c->body.max = max;
}

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
	return buf_put(out, str_of(line, 13)) && buf_put(out, resp->reason) && buf_put(out, STR("\r\n"));
}

/* The body of the request may be left unread: what is already here is skipped, and if that is not all
 * of it the connection cannot be used again. */
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

/* A final head is written.  Whether the connection lives on must be known now; but of a body that the
 * handler is reading, with a pause perhaps, not a byte may be taken away. */
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
	if (c->close_after || c->server->draining)
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

	if (buf_len(&c->out) > 0 && data.n >= DIRECT_MIN && !send_out(c))
		return data.n; /* lost: nobody will miss it */
	while (buf_len(&c->out) == 0 && data.n - done >= DIRECT_MIN) {
		ssize_t n = stream_write(c->stream, str_from(data, done));

		if (n <= 0)
			break;
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
			if (buf_len(&c->out) >= OUT_MAX / 2 && !send_out(c))
				return data.n;
		}
	}
	if (c->state == GONE)
		return data.n;
	ex->bytes_out += done;
	if (done < data.n && !c->want_room) {
		c->want_room = true;
		arm(c);
		want(c);
	}
	return done;
}

static void
op_flush(struct exchange *ex)
{
	struct h1conn *c = conn_of(ex);

	if (c->state == EXCHANGE && send_out(c) && (buf_len(&c->out) > 0 || stream_unsent(c->stream))) {
		arm(c);
		want(c);
	}
}

static bool
op_idle(const struct exchange *ex)
{
	const struct h1conn *c = (const struct h1conn *)ex;

	return buf_len(&c->out) == 0 && !stream_unsent(c->stream);
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
		conn_close(c);
		return;
	}
	c->want_body = c->want_room = false;
	if (!c->close_after)
		skip_body(c);
	c->state = FLUSH;
	if (send_out(c))
		flushed(c);
}

static void
op_abort(struct exchange *ex)
{
	ex->events = NULL;
	conn_close(conn_of(ex));
}

static const struct exchange_ops ops = {
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

/* --- input --- */

static void
begin_exchange(struct h1conn *c, enum err bad)
{
	struct exchange *ex = &c->ex;
	SSL *ssl = stream_ssl(c->stream);

	ex->id = exchange_new_id();
	ex->began = clock_now();
	ex->ops = &ops;
	ex->events = NULL;
	ex->arg = NULL;
	ex->head_sent = false;
	ex->bytes_in = ex->bytes_out = 0;
	ex->tls = ssl != NULL;
	ex->sni = ssl != NULL ? str_z(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)) : STR_NONE;
	h1_body_init(&c->body, &ex->req, c->server->limits.body_max);
	c->piece_n = 0;
	c->body_err = OK;
	c->want_body = c->asked_body = c->want_room = false;
	c->continue_due = ex->req.expect_continue && ex->req.framing != H1_NO_BODY;
	c->out_framing = H1_NO_BODY;
	c->close_after = bad != OK || !ex->req.keep_alive;
	c->state = EXCHANGE;
	arm(c);
	c->server->request(c->listener, ex, bad);
	if (c->state == EXCHANGE)
		want(c);
}

static void
parse_head(struct h1conn *c, size_t len)
{
	struct exchange *ex = &c->ex;
	struct str head;
	enum err err;

	arena_init(&ex->arena, c->server->limits.request_memory);
	ex->req = (struct h1_head){ .minor = 1 };
	head = arena_dup(&ex->arena, str_of(buf_str(&c->in).p, len));
	buf_consume(&c->in, len);
	err = head.p == NULL ? ERR_MEMORY : h1_parse_request(&ex->arena, head, &c->server->limits.head, &ex->req);
	if (err != OK) {
		ex->req.framing = H1_NO_BODY; /* what follows is not to be understood */
		ex->req.expect_continue = false;
	}
	begin_exchange(c, err);
}

static void
refuse_head(struct h1conn *c, enum err why)
{
	arena_init(&c->ex.arena, c->server->limits.request_memory);
	c->ex.req = (struct h1_head){ .minor = 1 };
	begin_exchange(c, why);
}

/* In HEAD: looks whether a head is complete. */
static void
serve(struct h1conn *c)
{
	size_t len;
	enum err err;

	if (buf_len(&c->in) == 0)
		return;
	len = h1_head_end(buf_str(&c->in), &c->scanned);
	if (len > 0) {
		parse_head(c, len);
		return;
	}
	err = h1_head_early(buf_str(&c->in), &c->server->limits.head);
	if (err != OK)
		refuse_head(c, err);
	else
		stream_doubt(c->stream);
}

/* The end of the stream counts when all that was asked before it is answered. */
static void
serve_or_end(struct h1conn *c)
{
	serve(c);
	if (c->eof && c->state == HEAD && list_empty(&c->next.node))
		conn_close(c);
}

static void
on_next(void *arg)
{
	struct h1conn *c = arg;

	if (c->state == HEAD)
		serve_or_end(c);
}

static void
linger_read(struct h1conn *c)
{
	char waste[8192];
	ssize_t n;

	while ((n = stream_read(c->stream, waste, sizeof(waste))) > 0) {
		c->lingered += (size_t)n;
		if (c->lingered > LINGER_BYTES)
			break;
	}
	if (n != STREAM_AGAIN)
		conn_close(c);
}

/* Reads what fits.  Returns whether anything came; the end is noted in c->eof. */
static bool
fill(struct h1conn *c)
{
	size_t limit = c->want_body ? IN_MAX : c->state == HEAD ? c->server->limits.head.head_max + 1 : BUF_PIECE;
	bool any = false;

	while (!c->eof && buf_len(&c->in) < limit) {
		char *p = buf_reserve(&c->in, 1);
		ssize_t n = p != NULL ? stream_read(c->stream, p, buf_space(&c->in)) : STREAM_FAILED;

		if (n > 0) {
			buf_commit(&c->in, (size_t)n);
			any = true;
			continue;
		}
		if (n == STREAM_AGAIN)
			break;
		c->eof = true;
	}
	buf_release(&c->in);
	return any;
}

static void
read_head(struct h1conn *c)
{
	bool first = buf_len(&c->in) == 0;

	if (fill(c) && first)
		arm(c);
	serve_or_end(c);
}

static void
read_exchange(struct h1conn *c)
{
	bool any = fill(c);

	if (any && c->want_body) {
		arm(c);
		c->ex.events->body(c->ex.arg);
	}
	if (!c->eof || c->state == GONE)
		return;
	if (c->state == EXCHANGE)
		lose(c, ERR_CLIENT_GONE);
	else if (c->state == FLUSH)
		c->close_after = true;
}

static void
write_more(struct h1conn *c)
{
	bool room;

	if (!send_out(c))
		return;
	if (c->state == FLUSH) {
		flushed(c);
		return;
	}
	if (c->state != EXCHANGE || buf_len(&c->out) > 0 || stream_unsent(c->stream))
		return;
	room = c->want_room;
	c->want_room = false;
	arm(c); /* nothing waits for the client any more */
	if (room)
		c->ex.events->room(c->ex.arg);
}

static void
handshake_done(struct h1conn *c)
{
	if (stream_failed(c->stream)) {
		count(c, HTTP_HANDSHAKE_FAILED);
		conn_close(c);
		return;
	}
	enter(c, HEAD);
}

static void
on_stream(void *arg, unsigned what)
{
	struct h1conn *c = arg;

	if (c->state == HANDSHAKE)
		handshake_done(c);
	else if (stream_failed(c->stream) && c->state != GONE) {
		lose(c, ERR_CLIENT_GONE);
		return;
	}
	if ((what & STREAM_WRITE) && (c->state == EXCHANGE || c->state == FLUSH))
		write_more(c);
	if (what & STREAM_READ) {
		if (c->state == HEAD)
			read_head(c);
		else if (c->state == EXCHANGE || c->state == FLUSH)
			read_exchange(c);
		else if (c->state == LINGER)
			linger_read(c);
	}
	if (c->state != GONE)
		want(c);
}

static void
on_timer(void *arg)
{
	struct h1conn *c = arg;

	switch (c->state) {
	case HANDSHAKE:
		count(c, HTTP_HANDSHAKE_SLOW);
		conn_close(c);
		break;
	case HEAD:
		count(c, buf_len(&c->in) > 0 ? HTTP_HEAD_SLOW : HTTP_IDLE);
		if (buf_len(&c->in) > 0)
			refuse_head(c, ERR_SLOW_HEAD);
		else
			conn_close(c);
		break;
	case EXCHANGE:
		if (c->want_body && buf_len(&c->out) == 0 && !stream_unsent(c->stream) && !c->want_room) {
			c->body_err = ERR_SLOW_BODY;
			c->ex.events->body(c->ex.arg);
		} else {
			lose(c, ERR_CLIENT_SLOW);
		}
		break;
	case FLUSH:
	case LINGER:
		conn_close(c);
		break;
	case GONE:
		break;
	}
}

/* --- public --- */

void
h1conn_open(struct http_server *s, int fd, SSL *ssl, const char *peer, void *listener)
{
	struct h1conn *c = calloc(1, sizeof(*c));

	if (c != NULL)
		c->stream = stream_new(s->loop, fd, ssl, false, on_stream, c);
	if (c == NULL || c->stream == NULL) {
		SSL_free(ssl);
		close(fd);
		free(c);
		return;
	}
	c->server = s;
	c->listener = listener;
	snprintf(c->peer, sizeof(c->peer), "%s", peer);
	c->ex.peer = c->peer;
	buf_init(&c->in, IN_MAX + BUF_PIECE);
	buf_init(&c->out, 2 * OUT_MAX + s->limits.head.head_max);
	timer_init(&c->timer, on_timer, c);
	task_init(&c->next, on_next, c);
	list_append(&s->conns, &c->node);
	s->n_conns++;
	count(c, HTTP_OPENED);
	enter(c, ssl != NULL ? HANDSHAKE : HEAD);
}

void
http_server_init(struct http_server *s, struct loop *loop)
{
	*s = (struct http_server){ .loop = loop };
	list_init(&s->conns);
}

void
http_server_drain(struct http_server *s)
{
	s->draining = true;
	LIST_FOR (node, &s->conns) {
		struct h1conn *c = LIST_ENTRY(node, struct h1conn, node);

		if (c->state == HANDSHAKE || (c->state == HEAD && buf_len(&c->in) == 0))
			conn_close(c);
	}
}

void
http_server_fini(struct http_server *s)
{
	s->draining = true;
	LIST_FOR (node, &s->conns)
		lose(LIST_ENTRY(node, struct h1conn, node), ERR_DRAINING);
}
