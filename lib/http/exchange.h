/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange - one request with its response, bodies as streams in both directions.
 *
 * The connection (h1conn, h2conn) makes an exchange when a request head is complete and hands
 * it to its server's handler.  The handler sets events and arg, pulls the request body when it
 * wants it (nothing is read ahead of that beyond one buffer: that is the back-pressure), and pushes
 * the response.  It ends with exactly one of: exchange_end() by the handler, exchange_abort() by
 * the handler, or the `gone` event from the connection; after that the exchange is no more.
 *
 * Body bytes are those of the peer, byte for byte.  The arena dies with the exchange.
 */
#ifndef SCHLEUSE_HTTP_EXCHANGE_H
#define SCHLEUSE_HTTP_EXCHANGE_H

#include <openssl/x509.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/http/h1.h"

enum exchange_body { EXCHANGE_DATA, EXCHANGE_AGAIN, EXCHANGE_END, EXCHANGE_BAD };

struct exchange;

struct exchange_events {
	void (*body)(void *arg); /* the request body goes on (data, end or error) */
	void (*room)(void *arg); /* the response can take more */
	void (*gone)(
	    void *arg, enum err why); /* the peer is gone; the exchange ends with this call */
};

struct exchange_ops {
	enum exchange_body (*peek)(struct exchange *ex, struct str *data, enum err *why);
	void (*consume)(struct exchange *ex, size_t n);
	void (*want_body)(struct exchange *ex, bool want);
	void (*limit_body)(struct exchange *ex, uint64_t max);
	bool (*head)(struct exchange *ex, const struct h1_head *resp);
	size_t (*write)(struct exchange *ex, struct str data);
	void (*flush)(struct exchange *ex);
	bool (*idle)(const struct exchange *ex);
	void (*end)(struct exchange *ex);
	void (*abort)(struct exchange *ex);
	int (*take)(struct exchange *ex, struct buf *rest);
};

struct exchange {
	struct arena arena;
	struct h1_head req;
	uint64_t id; /* random; in logs and as X-Request-ID */
	clock_ms began;
	const char *peer; /* the client's IP address as text; never logged */
	bool tls;
	X509 *certificate; /* the client's, verified; NULL: it showed none */
	struct str sni;    /* the host name the client asked TLS for; n == 0: none */
	struct str hsts;   /* Strict-Transport-Security for a final head that has none; set by the
			    * handler, n == 0: nothing is added */
	bool head_sent;
	uint64_t bytes_in;  /* request body */
	uint64_t bytes_out; /* response body */
	const struct exchange_ops *ops;
	const struct exchange_events *events;
	void *arg;
};

/* --- the request body --- */

/* The next decoded bytes without copying: valid until the next call on this exchange.  AGAIN: the
 * body event follows (if wanted).  BAD: *why tells, the rest is lost. */
static inline enum exchange_body
exchange_peek(struct exchange *ex, struct str *data, enum err *why)
{
	return ex->ops->peek(ex, data, why);
}

static inline void
exchange_consume(struct exchange *ex, size_t n)
{
	ex->ops->consume(ex, n);
}

/* Asks for body events; sends "100 Continue" if the client waits for it. */
static inline void
exchange_want_body(struct exchange *ex, bool want)
{
	ex->ops->want_body(ex, want);
}

/* Lowers the ceiling of the body: beyond it, peek says BAD with ERR_BODY_SIZE.  Before any of it
 * was read. */
static inline void
exchange_limit_body(struct exchange *ex, uint64_t max)
{
	ex->ops->limit_body(ex, max);
}

/* --- the response --- */

bool exchange_head_hsts(struct exchange *ex, const struct h1_head *resp); /* not called directly */

/* Writes a head (buffered).  Interim ones (1xx) may precede.  Hop-by-hop fields are left out, the
 * framing is chosen to fit the client, ex->hsts is added.  false: out of memory. */
static inline bool
exchange_head(struct exchange *ex, const struct h1_head *resp)
{
	return ex->hsts.n > 0 && resp->status >= 200 ? exchange_head_hsts(ex, resp)
						     : ex->ops->head(ex, resp);
}

/* Bytes of the body taken; fewer than data.n: wait for the room event. */
static inline size_t
exchange_write(struct exchange *ex, struct str data)
{
	return ex->ops->write(ex, data);
}

static inline void
exchange_flush(struct exchange *ex) /* sends what is buffered */
{
	ex->ops->flush(ex);
}

static inline bool
exchange_idle(const struct exchange *ex) /* nothing is buffered */
{
	return ex->ops->idle(ex);
}

static inline void
exchange_end(struct exchange *ex) /* the response is complete */
{
	ex->ops->end(ex);
}

static inline void
exchange_abort(struct exchange *ex) /* cuts the connection; in HTTP/2 the stream */
{
	ex->ops->abort(ex);
}

/* For CONNECT (RFC 9110 9.3.6), instead of a response: the connection's socket, non-blocking and
 * the caller's from now on, and in `rest` (uninitialised) what of the tunnel was read already. Ends
 * the exchange and its connection, whose memory goes at the end of the turn.  -1: not on this
 * connection (HTTP/2, TLS, or bytes still to be sent); nothing has happened. */
static inline int
exchange_take(struct exchange *ex, struct buf *rest)
{
	return ex->ops->take != NULL ? ex->ops->take(ex, rest) : -1;
}

/* A number that nobody can guess and no other exchange has: a keyed hash of a count, which unlike
 * drawing one costs no system call. */
uint64_t exchange_new_id(void);

/* The head of a response whose body of `length` bytes is written next (not to HEAD); see
 * exchange_answer().  false: out of memory. */
bool exchange_answer_head(struct exchange *ex, int status, const char *content_type,
    struct str fields, uint64_t length) MUST_CHECK;

/* A whole small response: head, body, end.  `fields`: complete lines ("Name: value\r\n" each)
 * besides Content-Type, Content-Length and Date. */
void exchange_answer(
    struct exchange *ex, int status, const char *content_type, struct str fields, struct str body);

#endif
