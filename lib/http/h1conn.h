/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1conn - server side of HTTP/1.1 connections: heads in, exchanges out, keep-alive and pipelining.
 *
 * An http_server is what connections of one worker share: limits, times, the handler.  One exchange
 * at a time per connection; pipelined bytes wait in the buffer.
 */
#ifndef SCHLEUSE_HTTP_H1CONN_H
#define SCHLEUSE_HTTP_H1CONN_H

#include "lib/http/exchange.h"
#include "lib/net/stream.h"

struct http_limits {
	struct h1_limits head;
	uint64_t body_max;     /* hard ceiling of any request body */
	size_t request_memory; /* arena of one exchange */
	clock_ms handshake_timeout, head_timeout, idle_timeout, body_timeout, write_timeout;
};

/* What the server counts; the embedder turns it into metrics. */
enum http_count {
	HTTP_OPENED,
	HTTP_CLOSED,
	HTTP_HANDSHAKE_FAILED,
	HTTP_HANDSHAKE_SLOW,
	HTTP_HEAD_SLOW,
	HTTP_IDLE
};

struct http_server {
	struct loop *loop;
	struct http_limits limits;
	/* A complete head, or (bad != OK) a head that must be refused with this reason; then
	 * ex->req holds what could be parsed, perhaps nothing, and the connection closes after the
	 * answer. */
	void (*request)(void *listener, struct exchange *ex, enum err bad);
	void (*count)(struct http_server *s, enum http_count what);
	void (*closed)(struct http_server *s); /* a connection is gone; may be NULL */
	void *owner;
	struct list conns;
	size_t n_conns;
	bool draining;
};

void http_server_init(struct http_server *s, struct loop *loop);
void http_server_drain(
    struct http_server *s); /* idle connections close, busy ones after their response */
void http_server_fini(struct http_server *s); /* closes every connection */

/* Takes over fd and ssl (NULL: plain).  peer: text of the client's address (copied).  `listener` is
 * handed to request(). */
void h1conn_open(struct http_server *s, int fd, SSL *ssl, const char *peer, void *listener);

#endif
