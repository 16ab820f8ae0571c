/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server - what the connections of one worker share: limits, times, the handler, the list of them.
 *
 * http_server_open() takes a new connection through its TLS handshake and gives it to the protocol
 * that was agreed on (h1conn, h2conn).  Those embed a struct http_conn, which is all that the
 * server knows of them.  One thread, the loop's.
 */
#ifndef SCHLEUSE_HTTP_SERVER_H
#define SCHLEUSE_HTTP_SERVER_H

#include <netinet/in.h>

#include "lib/http/exchange.h"
#include "lib/net/stream.h"

struct http_limits {
	struct h1_limits head;
	uint64_t body_max;     /* hard ceiling of any request body */
	size_t request_memory; /* arena of one exchange */
	clock_ms handshake_timeout, head_timeout, idle_timeout, body_timeout, write_timeout;
	/* How long an idle connection is kept while draining, for a request that is on its way. */
	clock_ms drain_idle_timeout;
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

struct http_conn;

struct http_server {
	struct loop *loop;
	struct http_limits limits;
	/* A complete head, or (bad != OK) a head that must be refused with this reason; then
	 * ex->req holds what could be parsed, perhaps nothing, and the connection closes after the
	 * answer. */
	void (*request)(void *listener, struct exchange *ex, enum err bad);
	void (*count)(struct http_server *s, enum http_count what); /* may be NULL */
	/* A connection is gone, its memory is still there; may be NULL. */
	void (*closed)(struct http_server *s, const struct http_conn *c);
	void *owner;
	struct list conns;
	size_t n_conns;
	bool draining;
};

void http_server_init(struct http_server *s, struct loop *loop);
/* Each connection ends with its next answer, which says so; idle ones a little later. */
void http_server_drain(struct http_server *s);
/* The same for the connections of one listener, but idle ones may stay idle. */
void http_server_leave(struct http_server *s, const void *listener);
void http_server_fini(struct http_server *s); /* closes every connection */

/* Takes over fd and ssl (NULL: plain).  peer: text of the client's address (copied).  `listener` is
 * handed to request().  false: out of memory, nothing was called. */
bool http_server_open(struct http_server *s, int fd, SSL *ssl, const char *peer, void *listener);

/* --- for h1conn and h2conn --- */

struct http_conn_ops {
	/* From now on http_conn_leaving() is true: closes soon when it is idle, otherwise after its
	 * answers.  May be called again. */
	void (*drain)(struct http_conn *c);
	void (*cut)(struct http_conn *c); /* closes now; handlers are told ERR_DRAINING */
};

struct http_conn {
	struct http_server *server;
	const struct http_conn_ops *ops;
	struct list node; /* of server->conns */
	struct stream *stream;
	struct timer timer;
	struct grave grave;
	void *listener;
	bool leaving; /* its listener is gone */
	char peer[INET6_ADDRSTRLEN];
};

/* The next answer is to be the last one. */
static inline bool
http_conn_leaving(const struct http_conn *c)
{
	return c->leaving || c->server->draining;
}

/* `to` replaces `from` in the server's list and has its stream; `from` is not touched again. */
void http_conn_move(struct http_conn *to, struct http_conn *from);

/* Closes the stream, tells the embedder, and buries the memory; once. */
void http_conn_close(struct http_conn *c, void (*free_fn)(void *arg), void *arg);

static inline void
http_conn_count(struct http_conn *c, enum http_count what)
{
	if (c->server->count != NULL)
		c->server->count(c->server, what);
}

#endif
