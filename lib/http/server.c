/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server - the list of connections, and the beginning of each: the greeting, which lasts until the
 * TLS handshake is over and its ALPN says what will be spoken.
 */
#include "lib/http/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/http/h1conn.h"
#include "lib/http/h2conn.h"

#define LINGER_BYTES (1024 * 1024)
#define REAP_LOOKS 256 /* connections looked at in one search for an idle one */

struct greeting {
	struct http_conn conn;
};

static void
greeting_close(struct http_conn *c)
{
	http_conn_close(c, free, c);
}

/* It was accepted, so it gets one answer; its protocol will see http_conn_leaving(). */
static void
greeting_drain(struct http_conn *c)
{
	(void)c;
}

static const struct http_conn_ops greeting_ops = { .drain = greeting_drain, .cut = greeting_close };

static bool
agreed_h2(const struct http_conn *c)
{
	SSL *ssl = stream_ssl(c->stream);
	const unsigned char *name = NULL;
	unsigned n = 0;

	if (ssl != NULL)
		SSL_get0_alpn_selected(ssl, &name, &n);
	return str_eq(str_of((const char *)name, n), STR("h2"));
}

/* The connection lives on as one of the agreed protocol. */
static void
speak(struct http_conn *c)
{
	timer_clear(&c->timer);
	if (agreed_h2(c) ? h2conn_begin(c) : h1conn_begin(c))
		loop_bury(c->server->loop, &c->grave, free, c);
	else
		greeting_close(c);
}

static void
on_stream(void *arg, unsigned what)
{
	struct http_conn *c = arg;

	(void)what;
	if (stream_failed(c->stream)) {
		http_conn_count(c, HTTP_HANDSHAKE_FAILED);
		greeting_close(c);
	} else {
		speak(c);
	}
}

static void
on_timer(void *arg)
{
	struct http_conn *c = arg;

	http_conn_count(c, HTTP_HANDSHAKE_SLOW);
	greeting_close(c);
}

static bool
give_up(int fd, SSL *ssl, struct greeting *g)
{
	SSL_free(ssl);
	close(fd);
	free(g);
	return false;
}

bool
http_server_adopt(struct http_server *s, int fd, struct str early, SSL *ssl, const char *peer,
    void *listener, void *ticket)
{
	struct greeting *g = calloc(1, sizeof(*g));
	struct http_conn *c = &g->conn;

	if (g == NULL)
		return give_up(fd, ssl, g);
	c->stream = stream_new(s->loop, fd, ssl, false, on_stream, c);
	if (c->stream == NULL)
		return give_up(fd, ssl, g);
	if (!stream_preload(c->stream, early)) {
		stream_close(c->stream);
		free(g);
		return false;
	}
	c->server = s;
	c->ops = &greeting_ops;
	c->listener = listener;
	c->ticket = ticket;
	c->resting_since = loop_now(s->loop);
	snprintf(c->peer, sizeof(c->peer), "%s", peer);
	timer_init(&c->timer, on_timer, c);
	list_append(&s->conns, &c->node);
	s->n_conns++;
	http_conn_count(c, HTTP_OPENED);
	if (ssl == NULL) {
		speak(c);
		return true;
	}
	timer_set(s->loop, &c->timer, s->limits.handshake_timeout);
	stream_want(c->stream, STREAM_READ);
	return true;
}

bool
http_server_open(
    struct http_server *s, int fd, SSL *ssl, const char *peer, void *listener, void *ticket)
{
	return http_server_adopt(s, fd, STR_NONE, ssl, peer, listener, ticket);
}

void
http_conn_move(struct http_conn *to, struct http_conn *from)
{
	to->server = from->server;
	to->stream = from->stream;
	to->listener = from->listener;
	to->ticket = from->ticket;
	to->leaving = from->leaving;
	to->resting_since = from->resting_since;
	memcpy(to->peer, from->peer, sizeof(to->peer));
	list_prepend(&from->node, &to->node);
	list_remove(&from->node);
}

ssize_t
http_conn_send(struct http_conn *c, struct buf *out)
{
	ssize_t sent = 0;

	while (buf_len(out) > 0) {
		ssize_t n = stream_write(c->stream, buf_str(out));

		if (n < 0)
			return STREAM_FAILED;
		if (n == 0)
			break;
		sent += n;
		buf_consume(out, (size_t)n);
	}
	buf_release(out);
	return sent;
}

bool
http_conn_linger(struct http_conn *c)
{
	char waste[8192];
	ssize_t n;

	while ((n = stream_read(c->stream, waste, sizeof(waste))) > 0) {
		c->lingered += (size_t)n;
		if (c->lingered > LINGER_BYTES)
			break;
	}
	return n == STREAM_AGAIN;
}

void
http_conn_close(struct http_conn *c, void (*free_fn)(void *arg), void *arg)
{
	struct http_server *s = c->server;

	timer_clear(&c->timer);
	list_remove(&c->node);
	s->n_conns--;
	stream_close(c->stream);
	http_conn_count(c, HTTP_CLOSED);
	if (s->closed != NULL)
		s->closed(s, c);
	loop_bury(s->loop, &c->grave, free_fn, arg);
}

static void
to_the_end(struct http_conn *c)
{
	list_remove(&c->node);
	list_append(&c->server->conns, &c->node);
}

void
http_conn_rest(struct http_conn *c)
{
	c->resting_since = loop_now(c->server->loop);
	to_the_end(c);
}

/* Those that rest are in the order in which they began to, and the others somewhere behind the
 * place they had then; they are moved out of the way of the next search. */
bool
http_server_reap(struct http_server *s, clock_ms age)
{
	clock_ms now = loop_now(s->loop);

	for (size_t i = 0; i < REAP_LOOKS && i < s->n_conns; i++) {
		struct http_conn *c = LIST_ENTRY(list_first(&s->conns), struct http_conn, node);

		if (now - c->resting_since < age)
			return false; /* nobody behind it has rested for longer */
		if (c->ops->reap != NULL && c->ops->reap(c))
			return true;
		to_the_end(c);
	}
	return false;
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
	LIST_FOR(node, &s->conns) {
		struct http_conn *c = LIST_ENTRY(node, struct http_conn, node);

		c->ops->drain(c);
	}
}

void
http_server_leave(struct http_server *s, const void *listener)
{
	LIST_FOR(node, &s->conns) {
		struct http_conn *c = LIST_ENTRY(node, struct http_conn, node);

		if (c->listener != listener || c->leaving)
			continue;
		c->leaving = true;
		c->ops->drain(c);
	}
}

void
http_server_fini(struct http_server *s)
{
	s->draining = true;
	LIST_FOR(node, &s->conns) {
		struct http_conn *c = LIST_ENTRY(node, struct http_conn, node);

		c->ops->cut(c);
	}
	h2conn_drop_spares(s);
}
