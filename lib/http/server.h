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

#include "lib/base/buf.h"
#include "lib/http/exchange.h"
#include "lib/http/pace.h"
#include "lib/net/stream.h"

/* Of one HTTP/2 connection.  A flood ends it; see enum h2_flood. */
struct h2_limits {
	uint32_t streams_max;                      /* at the same time */
	uint32_t stream_window, connection_window; /* request bytes held, of one stream and all */
	uint64_t resets_max;                       /* cancelled streams in H2_PERIOD_MS */
	uint64_t frames_max; /* frames that ask for nothing, of all kinds, in H2_PERIOD_MS */
};

#define H2_PERIOD_MS 30000

/* What a peer floods us with; each ends the connection with ENHANCE_YOUR_CALM. */
enum h2_flood {
	H2_FLOOD_RESET,        /* streams cancelled by the peer, or by its faults */
	H2_FLOOD_CONTINUATION, /* a head that does not end */
	H2_FLOOD_HPACK,        /* a head that grows when decoded */
	H2_FLOOD_PING,
	H2_FLOOD_SETTINGS,
	H2_FLOOD_PRIORITY,
	H2_FLOOD_EMPTY,   /* DATA without data */
	H2_FLOOD_WINDOW,  /* WINDOW_UPDATE in crumbs */
	H2_FLOOD_UNKNOWN, /* frames of unknown types */
	H2_FLOOD_OUTPUT,  /* answers to frames pile up unread */
	H2_FLOOD_STALLED, /* a closed window holds a response; ends the stream only */
	H2_FLOODS
};

struct http_limits {
	struct h1_limits head;
	uint64_t body_max;     /* hard ceiling of any request body */
	size_t request_memory; /* arena of one exchange */
	clock_ms handshake_timeout, head_timeout, idle_timeout, body_timeout, write_timeout;
	/* How long an idle connection is kept while draining, for a request that is on its way. */
	clock_ms drain_idle_timeout;
	struct pace_rule body_pace, write_pace;
	struct h2_limits h2;
};

/* What the server counts; the embedder turns it into metrics. */
enum http_count {
	HTTP_OPENED,
	HTTP_CLOSED,
	HTTP_HANDSHAKE_FAILED,
	HTTP_HANDSHAKE_SLOW,
	HTTP_HEAD_SLOW,
	HTTP_WRITE_SLOW, /* a complete answer was not read in time */
	HTTP_IDLE,
	HTTP_REAPED,
	HTTP_H1, /* connections by what they speak */
	HTTP_H2,
	HTTP_STREAM,  /* HTTP/2 streams opened */
	HTTP_REFUSED, /* ... and refused because streams_max were open */
	HTTP_FLOOD,   /* [enum h2_flood] */
	HTTP_COUNTS = HTTP_FLOOD + H2_FLOODS
};

struct http_conn;
struct h2stream;

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
	struct h2stream *spare; /* freed ones, to save the allocator */
	unsigned n_spare;
};

void http_server_init(struct http_server *s, struct loop *loop);
/* Each connection ends with its next answer, which says so; idle ones a little later. */
void http_server_drain(struct http_server *s);
/* The same for the connections of one listener, but idle ones may stay idle. */
void http_server_leave(struct http_server *s, const void *listener);
void http_server_fini(struct http_server *s); /* closes every connection */

/* Takes over fd and ssl (NULL: plain).  peer: text of the client's address (copied).  `listener` is
 * handed to request(), `ticket` is kept for closed().  false: out of memory; both are closed. */
bool http_server_open(struct http_server *s, int fd, SSL *ssl, const char *peer, void *listener,
    void *ticket) MUST_CHECK;

/* The same for a socket of which `early` was read already (copied), a ClientHello perhaps. */
bool http_server_adopt(struct http_server *s, int fd, struct str early, SSL *ssl, const char *peer,
    void *listener, void *ticket) MUST_CHECK;

/* Closes the connection that has been idle for longest, if one is found that was so for `age`. */
bool http_server_reap(struct http_server *s, clock_ms age);

/* --- for h1conn and h2conn --- */

struct http_conn_ops {
	/* From now on http_conn_leaving() is true: closes soon when it is idle, otherwise after its
	 * answers.  May be called again. */
	void (*drain)(struct http_conn *c);
	void (*cut)(struct http_conn *c);  /* closes now; handlers are told ERR_DRAINING */
	bool (*reap)(struct http_conn *c); /* closes if it is idle; NULL: it never is */
};

struct http_conn {
	struct http_server *server;
	const struct http_conn_ops *ops;
	struct list node; /* of server->conns */
	struct stream *stream;
	struct timer timer;
	struct grave grave;
	void *listener;
	void *ticket; /* the embedder's */
	bool leaving; /* its listener is gone */
	clock_ms resting_since;
	size_t lingered; /* bytes read and forgotten */
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

/* It is idle from now on: later than every other one. */
void http_conn_rest(struct http_conn *c);

/* Sends what the socket takes of `out`.  Bytes sent, or STREAM_FAILED: the connection is lost. */
ssize_t http_conn_send(struct http_conn *c, struct buf *out);

/* After our side is closed we read on for so long, so that the peer sees our last answer. */
#define HTTP_LINGER_MS 2000
bool http_conn_linger(struct http_conn *c); /* reads and forgets; false: it has lasted enough */

/* Closes the stream, tells the embedder, and buries the memory; once. */
void http_conn_close(struct http_conn *c, void (*free_fn)(void *arg), void *arg);

static inline void
http_conn_count(struct http_conn *c, enum http_count what)
{
	if (c->server->count != NULL)
		c->server->count(c->server, what);
}

#endif
