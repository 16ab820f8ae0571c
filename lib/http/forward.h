/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward - carries one exchange to an upstream connection and its response back.
 *
 * Both directions stream with back-pressure and at the same time: an early response while the
 * request is still being sent is passed on at once.  Nothing is interpreted beyond framing;
 * end-to-end fields and bodies pass byte for byte.
 */
#ifndef SCHLEUSE_HTTP_FORWARD_H
#define SCHLEUSE_HTTP_FORWARD_H

#include "lib/http/exchange.h"
#include "lib/http/pool.h"

struct forward_request {
	struct str extra; /* complete field lines to add, each ending in CRLF */
	/* Which end-to-end fields of the request go on, Host among them; NULL: all but those that
	 * `extra` replaces.  Nobody is asked about Content-Length, which goes with its body. */
	bool (*keep)(const struct h1_field *f);
	bool whole_body; /* `body` is the request's body, already read */
	struct str body;
	size_t head_max; /* of the response's head */
	size_t fields_max;
	clock_ms first_byte_timeout; /* from the last request byte to the first response byte */
	clock_ms idle_timeout;       /* without progress in mid response */
	void (*on_head)(void *arg,
	    int status); /* the final status is known, nothing of it sent yet; may be NULL */
};

struct forward {
	struct exchange *ex; /* NULL: not running */
	struct upstream *up;
	struct forward_request how;
	struct loop *loop;
	struct buf out;       /* request bytes the upstream has not taken */
	struct str body_left; /* of a whole body */
	struct h1_head resp;
	struct h1_body body;
	size_t scanned;
	bool request_done, response_head, response_done, upload_failed;
	bool reused;    /* the connection had carried a request before */
	bool delivered; /* the kernel took bytes of the request */
	bool unread;    /* the peer cannot have had the whole of it */
	bool got_byte;  /* anything of a response arrived */
	bool up_eof;
	bool full;      /* the client does not take more now */
	bool no_memory; /* for the head of the request */
	struct timer timer;
	void (*fn)(void *arg, enum err err);
	void *arg;
};

/* Starts; `up` is the caller's until the end and then is released here.  fn is called exactly once,
 * not before this returns, unless cancelled: OK: the response is complete and waits for
 * exchange_end(); ERR_UPSTREAM_DOWN (broke off before any byte of a response), ERR_UPSTREAM_BAD,
 * ERR_UPSTREAM_SLOW: nothing was sent to the client if !ex->head_sent; ERR_UPSTREAM_BROKE: in mid
 * response; ERR_HTTP_CHUNK, ERR_BODY_SIZE, ERR_SLOW_BODY: the request's body was bad. */
void forward_start(struct forward *f, struct loop *loop, struct exchange *ex, struct upstream *up,
    const struct forward_request *how, void (*fn)(void *arg, enum err err), void *arg);
void forward_cancel(struct forward *f); /* may be called any time; closes the upstream connection */

/* The owner passes the exchange's events on while the forward runs. */
void forward_on_body(struct forward *f);
void forward_on_room(struct forward *f);

/* Whether the failed attempt may be repeated on another connection (RFC 9112 9.3.1):
 * a reused connection had closed, nothing was answered, the request is at hand, and either its
 * method is idempotent or nothing of it left this machine. */
bool forward_may_retry(const struct forward *f, const struct exchange *ex);

/* The same for peers that must never get a request twice, whatever its method: a part of it had not
 * left this machine. */
bool forward_may_retry_unread(const struct forward *f, const struct exchange *ex);

#endif
