/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1conn - one connection, in one of these states:
 *
 *   HEAD       idle, or a request head is arriving
 *   EXCHANGE   a handler owns the exchange; body in, response out
 *   FLUSH      the response is complete but not yet sent
 *   LINGER     we closed for writing and read what the peer still sends, so that it sees our answer
 *   GONE       closed; memory goes at the end of the turn
 */
#include "lib/http/h1conn_int.h"

#include <stdlib.h>

#define LOOK_MS 1000 /* after so long a reset that came together with the request is looked for */

static void serve(struct h1conn *c);
static void on_stream(void *arg, unsigned what);

/* --- what the connection waits for --- */

static bool
client_must_read(const struct h1conn *c)
{
	return buf_len(&c->out) > 0 || stream_unsent(c->conn.stream) || c->want_room;
}

void
h1conn_want(struct h1conn *c)
{
	unsigned what = 0;

	if (c->state == HEAD || c->state == LINGER)
		what |= STREAM_READ;
	/* During an exchange we read for the body, and otherwise just enough to notice that the
	 * peer left. */
	if ((c->state == EXCHANGE || c->state == FLUSH) && !c->eof && buf_len(&c->in) < IN_MAX &&
	    (c->want_body || h1_body_done(&c->body)) &&
	    (c->want_body || buf_len(&c->in) < BUF_PIECE))
		what |= STREAM_READ;
	if (client_must_read(c))
		what |= STREAM_WRITE;
	stream_want(c->conn.stream, what);
}

enum wait { WAIT_NOTHING, WAIT_BODY, WAIT_WRITE };

/* What an exchange waits for the peer to do. */
static enum wait
waits_for(const struct h1conn *c)
{
	if (c->state != EXCHANGE && c->state != FLUSH)
		return WAIT_NOTHING;
	if (client_must_read(c))
		return WAIT_WRITE;
	return c->want_body ? WAIT_BODY : WAIT_NOTHING;
}

void
h1conn_arm(struct h1conn *c)
{
	const struct http_limits *l = &c->conn.server->limits;
	enum wait wait = waits_for(c);
	clock_ms now = loop_now(c->conn.server->loop), after = 0;

	pace_wait(&c->reader.pace, now, wait == WAIT_WRITE);
	pace_wait(&c->body_pace, now, wait == WAIT_BODY);

	switch (c->state) {
	case HEAD:
		after = buf_len(&c->in) > 0 ? l->head_timeout : l->idle_timeout;
		if (c->conn.server->draining && buf_len(&c->in) == 0 &&
		    after > l->drain_idle_timeout)
			after = l->drain_idle_timeout + 1; /* 0 would be no limit */
		break;
	case LINGER:
		after = HTTP_LINGER_MS;
		break;
	case EXCHANGE:
	case FLUSH:
		if (wait == WAIT_WRITE)
			after =
			    pace_deadline(&c->reader.pace, &l->write_pace, now, l->write_timeout);
		else if (wait == WAIT_BODY)
			after = pace_deadline(&c->body_pace, &l->body_pace, now, l->body_timeout);
		else if (!c->looked)
			after = LOOK_MS;
		break;
	case GONE:
		break;
	}
	if (after > 0)
		timer_set(c->conn.server->loop, &c->conn.timer, after);
	else
		timer_clear(&c->conn.timer);
}

static void
enter(struct h1conn *c, enum state next)
{
	c->state = next;
	h1conn_arm(c);
	h1conn_want(c);
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
void
h1conn_close(struct h1conn *c)
{
	if (c->state == GONE)
		return;
	if ((c->state == EXCHANGE && c->ex.head_sent) || buf_len(&c->out) > 0)
		stream_cut(c->conn.stream);
	c->state = GONE;
	task_cancel(&c->next);
	http_conn_close(&c->conn, conn_free, c);
}

/* The peer or the clock ends an exchange. */
void
h1conn_lose(struct h1conn *c, enum err why)
{
	const struct exchange_events *ev = c->ex.events;
	void *arg = c->ex.arg;
	bool owned = c->state == EXCHANGE && ev != NULL;

	h1conn_close(c);
	if (owned)
		ev->gone(arg, why);
}

/* --- output --- */

bool
h1conn_send(struct h1conn *c) /* false: the connection was lost */
{
	ssize_t n = http_conn_send(&c->conn, &c->out);

	if (n < 0) {
		h1conn_lose(c, ERR_CLIENT_GONE);
		return false;
	}
	c->reader.handed += (uint64_t)n;
	if (n > 0)
		h1conn_arm(c);
	return true;
}

static void
begin_linger(struct h1conn *c)
{
	stream_shut(c->conn.stream);
	enter(c, LINGER);
}

/* Nothing more will come, so no reset can overtake the answer (RFC 9112 9.6) and the connection may
 * be closed at once.  A client that speaks TLS still has its close_notify to send. */
static bool
client_is_done(const struct h1conn *c)
{
	return c->eof || (c->last && h1_body_done(&c->body) && buf_len(&c->in) == 0 &&
			     stream_ssl(c->conn.stream) == NULL);
}

static void
next_request(struct h1conn *c)
{
	arena_fini(&c->ex.arena);
	if (c->close_after) {
		if (client_is_done(c))
			h1conn_close(c);
		else
			begin_linger(c);
		return;
	}
	c->ex.events = NULL;
	c->scanned = 0;
	buf_release(&c->in);
	enter(c, HEAD);
	http_conn_rest(&c->conn);
	if (buf_len(&c->in) > 0)
		task_defer(
		    c->conn.server->loop, &c->next); /* pipelined: not deeper into the stack */
}

void
h1conn_flushed(struct h1conn *c) /* in FLUSH: go on when all is sent */
{
	if (buf_len(&c->out) == 0 && !stream_unsent(c->conn.stream))
		next_request(c);
	else
		enter(c, FLUSH);
}

/* --- input --- */

static void
begin_exchange(struct h1conn *c, enum err bad)
{
	struct exchange *ex = &c->ex;
	SSL *ssl = stream_ssl(c->conn.stream);

	ex->id = exchange_new_id();
	ex->began = clock_now();
	ex->ops = &h1conn_ops;
	ex->events = NULL;
	ex->arg = NULL;
	ex->head_sent = false;
	ex->bytes_in = ex->bytes_out = 0;
	ex->tls = ssl != NULL;
	ex->certificate = ssl != NULL ? SSL_get0_peer_certificate(ssl) : NULL;
	ex->sni =
	    ssl != NULL ? str_z(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)) : STR_NONE;
	h1_body_init(&c->body, &ex->req, c->conn.server->limits.body_max);
	c->piece_n = 0;
	c->body_err = OK;
	c->want_body = c->asked_body = c->want_room = c->looked = false;
	c->continue_due = ex->req.expect_continue && !h1_body_done(&c->body);
	c->out_framing = H1_NO_BODY;
	/* Behind a CONNECT that is refused bytes of the tunnel may follow: they are no request. */
	c->close_after = bad != OK || !ex->req.keep_alive || ex->req.method == H1_CONNECT;
	c->last = bad == OK && !ex->req.keep_alive && ex->req.method != H1_CONNECT;
	pace_init(&c->body_pace, &c->conn.server->limits.body_pace);
	pace_init(&c->reader.pace, &c->conn.server->limits.write_pace);
	c->state = EXCHANGE;
	h1conn_arm(c);
	c->conn.server->request(c->conn.listener, ex, bad);
	if (c->state == EXCHANGE)
		h1conn_want(c);
}

static void
parse_head(struct h1conn *c, size_t len)
{
	struct exchange *ex = &c->ex;
	struct str head;
	enum err err;

	arena_init(&ex->arena, c->conn.server->limits.request_memory);
	ex->req = (struct h1_head){ .minor = 1 };
	head = arena_dup(&ex->arena, str_of(buf_str(&c->in).p, len));
	buf_consume(&c->in, len);
	err = head.p == NULL
		  ? ERR_MEMORY
		  : h1_parse_request(&ex->arena, head, &c->conn.server->limits.head, &ex->req);
	if (err != OK) {
		ex->req.framing = H1_NO_BODY; /* what follows is not to be understood */
		ex->req.expect_continue = false;
	}
	begin_exchange(c, err);
}

static void
refuse_head(struct h1conn *c, enum err why)
{
	arena_init(&c->ex.arena, c->conn.server->limits.request_memory);
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
	err = h1_head_early(buf_str(&c->in), &c->conn.server->limits.head);
	if (err != OK)
		refuse_head(c, err);
	else
		stream_doubt(c->conn.stream);
}

/* The end of the stream counts when all that was asked before it is answered. */
static void
serve_or_end(struct h1conn *c)
{
	serve(c);
	if (c->eof && c->state == HEAD && list_empty(&c->next.node))
		h1conn_close(c);
}

static void
on_next(void *arg)
{
	struct h1conn *c = arg;

	if (c->state == HEAD)
		serve_or_end(c);
}

static void
linger(struct h1conn *c)
{
	if (!http_conn_linger(&c->conn))
		h1conn_close(c);
}

static size_t
in_limit(const struct h1conn *c)
{
	if (c->want_body)
		return IN_MAX;
	return c->state == HEAD ? c->conn.server->limits.head.head_max + 1 : BUF_PIECE;
}

/* Reads what fits.  Returns whether anything came; the end is noted in c->eof. */
static bool
fill(struct h1conn *c)
{
	size_t limit = in_limit(c);
	bool any = false;

	while (!c->eof && buf_len(&c->in) < limit) {
		char *p = buf_reserve(&c->in, 1);
		ssize_t n =
		    p != NULL ? stream_read(c->conn.stream, p, buf_space(&c->in)) : STREAM_FAILED;

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
		h1conn_arm(c);
	serve_or_end(c);
}

static void
read_exchange(struct h1conn *c)
{
	size_t before = buf_len(&c->in);
	bool any = fill(c);

	if (any && c->want_body) {
		pace_earn(&c->body_pace, &c->conn.server->limits.body_pace,
		    loop_now(c->conn.server->loop), buf_len(&c->in) - before);
		h1conn_arm(c);
		c->ex.events->body(c->ex.arg);
	}
	if (!c->eof || c->state == GONE)
		return;
	if (c->state == EXCHANGE)
		h1conn_lose(c, ERR_CLIENT_GONE);
	else if (c->state == FLUSH)
		c->close_after = true;
}

static void
write_more(struct h1conn *c)
{
	bool room;

	if (!h1conn_send(c))
		return;
	if (c->state == FLUSH) {
		h1conn_flushed(c);
		return;
	}
	if (c->state != EXCHANGE || buf_len(&c->out) > 0 || stream_unsent(c->conn.stream))
		return;
	room = c->want_room;
	c->want_room = false;
	h1conn_arm(c); /* nothing waits for the client any more */
	if (room)
		c->ex.events->room(c->ex.arg);
}

static void
on_stream(void *arg, unsigned what)
{
	struct h1conn *c = arg;

	if (stream_failed(c->conn.stream) && c->state != GONE) {
		h1conn_lose(c, ERR_CLIENT_GONE);
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
			linger(c);
	}
	if (c->state != GONE)
		h1conn_want(c);
}

/* No head came in time. */
static void
end_waiting(struct h1conn *c)
{
	if (buf_len(&c->in) > 0) {
		http_conn_count(&c->conn, HTTP_HEAD_SLOW);
		refuse_head(c, ERR_SLOW_HEAD);
	} else if (c->conn.server->draining) {
		begin_linger(c); /* if a request comes right now, no reset answers it */
	} else {
		http_conn_count(&c->conn, HTTP_IDLE);
		h1conn_close(c);
	}
}

/* Nothing of the body came in time, or too little. */
static void
body_is_late(struct h1conn *c)
{
	const struct http_limits *l = &c->conn.server->limits;
	clock_ms now = loop_now(c->conn.server->loop);

	c->body_err =
	    pace_left(&c->body_pace, &l->body_pace, now) == 0 ? ERR_BODY_RATE : ERR_SLOW_BODY;
	c->ex.events->body(c->ex.arg);
}

static void
answer_is_late(struct h1conn *c)
{
	const struct http_limits *l = &c->conn.server->limits;
	enum err err = pace_look(&c->reader, &l->write_pace, loop_now(c->conn.server->loop),
	    stream_backlog(c->conn.stream));

	if (err == OK) {
		h1conn_arm(c);
	} else if (c->state == EXCHANGE) {
		h1conn_lose(c, err);
	} else {
		http_conn_count(&c->conn, HTTP_WRITE_SLOW);
		h1conn_close(c);
	}
}

/* Nothing is expected of the peer, but it may be gone. */
static void
look_whether_gone(struct h1conn *c)
{
	c->looked = true;
	stream_doubt(c->conn.stream);
	h1conn_want(c);
}

static void
on_timer(void *arg)
{
	struct h1conn *c = arg;

	switch (c->state) {
	case HEAD:
		end_waiting(c);
		break;
	case EXCHANGE:
	case FLUSH:
		if (waits_for(c) == WAIT_BODY)
			body_is_late(c);
		else if (waits_for(c) == WAIT_WRITE)
			answer_is_late(c);
		else
			look_whether_gone(c);
		break;
	case LINGER:
		h1conn_close(c);
		break;
	case GONE:
		break;
	}
}

/* --- the server's side --- */

static struct h1conn *
conn_of(struct http_conn *c)
{
	return LIST_ENTRY(c, struct h1conn, conn);
}

static void
drain(struct http_conn *conn)
{
	struct h1conn *c = conn_of(conn);

	if (c->state == HEAD && buf_len(&c->in) == 0)
		h1conn_arm(c);
}

static void
cut(struct http_conn *conn)
{
	h1conn_lose(conn_of(conn), ERR_DRAINING);
}

static bool
reap(struct http_conn *conn)
{
	struct h1conn *c = conn_of(conn);

	if (c->state != HEAD || buf_len(&c->in) > 0)
		return false;
	http_conn_count(conn, HTTP_REAPED);
	h1conn_close(c);
	return true;
}

static const struct http_conn_ops conn_ops = { .drain = drain, .cut = cut, .reap = reap };

bool
h1conn_begin(struct http_conn *from)
{
	struct h1conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return false;
	c->conn.ops = &conn_ops;
	http_conn_move(&c->conn, from);
	stream_own(c->conn.stream, on_stream, c);
	c->ex.peer = c->conn.peer;
	buf_init(&c->in, IN_MAX + BUF_PIECE);
	buf_init(&c->out, 2 * OUT_MAX + c->conn.server->limits.head.head_max);
	timer_init(&c->conn.timer, on_timer, c);
	task_init(&c->next, on_next, c);
	http_conn_count(&c->conn, HTTP_H1);
	enter(c, HEAD);
	return true;
}
