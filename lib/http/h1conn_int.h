/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1conn_int - what the two files of h1conn share: h1conn.c (states, input, time-outs, the end) and
 * h1conn_ops.c (what a handler does with its exchange).
 */
#ifndef SCHLEUSE_HTTP_H1CONN_INT_H
#define SCHLEUSE_HTTP_H1CONN_INT_H

#include "lib/base/buf.h"
#include "lib/http/h1conn.h"

/* Request bytes held; more stay in the socket.  Three full records: what is passed on at once then
 * goes through the network stack in one piece, for which 64 KiB and their headers are too much. */
#define IN_MAX (48 * 1024)
#define OUT_MAX (64 * 1024) /* response bytes held; more are not taken */

enum state { HEAD, EXCHANGE, FLUSH, LINGER, GONE };

struct h1conn {
	struct exchange ex;
	struct http_conn conn;
	enum state state;
	struct task next;
	/* request */
	struct buf in;
	size_t scanned;
	struct h1_body body;
	size_t piece_at, piece_n, piece_raw; /* decoded bytes in `in`, and the raw bytes they end */
	bool want_body;
	bool asked_body; /* the handler has wanted it: what is not yet read is its business */
	bool want_room;
	bool continue_due;
	bool eof;
	bool looked; /* the client of a long exchange was looked at once more */
	enum err body_err;
	/* response */
	struct buf out;
	enum h1_framing out_framing;
	bool close_after;
	bool last; /* the client has said that it asks for nothing more */
	/* how slow the peer is */
	struct pace body_pace;
	struct pace_reader reader;
};

extern const struct exchange_ops h1conn_ops;

void h1conn_want(struct h1conn *c);    /* asks the stream for what the state needs */
void h1conn_arm(struct h1conn *c);     /* sets the deadline of the state */
bool h1conn_send(struct h1conn *c);    /* sends what is buffered; false: the connection was lost */
void h1conn_flushed(struct h1conn *c); /* in FLUSH: goes on when all is sent */
void h1conn_close(struct h1conn *c);   /* the only way out */
void h1conn_lose(struct h1conn *c, enum err why); /* ... and tells the handler, if there is one */

#endif
