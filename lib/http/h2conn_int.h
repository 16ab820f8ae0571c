/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2conn_int - what the files of h2conn share: h2conn.c (input, output, time-outs, the end),
 * h2conn_stream.c (the life of one stream), h2conn_recv.c (what the peer's frames mean, floods) and
 * h2conn_ops.c (what a handler does with its exchange).
 *
 * A stream exists from its head until nghttp2 says that it is closed.  Its handler may be done
 * earlier (ex.events == NULL); then what is buffered still leaves.
 */
#ifndef SCHLEUSE_HTTP_H2CONN_INT_H
#define SCHLEUSE_HTTP_H2CONN_INT_H

#include <nghttp2/nghttp2.h>

#include "lib/base/budget.h"
#include "lib/base/buf.h"
#include "lib/http/h2_head.h"
#include "lib/http/h2conn.h"

#define H2_OUT_MAX (64 * 1024) /* response bytes held per stream; more are not taken */

/* Frames for one stream_write(): below this there is room for one more. */
#define H2_FRAME_HEAD 9
#define H2_FRAMES_HIGH (STREAM_WRITE_MAX - 16 * 1024 - H2_FRAME_HEAD)

struct h2conn;

struct h2stream {
	struct exchange ex; /* first */
	struct h2conn *c;
	struct http_server *server; /* outlives c */
	struct list node;           /* of c->streams */
	struct list due;            /* of c->due, when an event is to be told */
	int32_t id;
	/* request */
	struct buf in;
	uint64_t received, body_max;
	bool eof; /* the peer has said all */
	bool want_body;
	bool continue_due;
	enum err body_err;
	/* response */
	struct buf out;
	bool want_room;
	bool deferred; /* nghttp2 waits for resume_data() */
	bool bodiless; /* the head was all */
	bool ended;    /* nothing will follow what is in `out` */
	bool reset;    /* by us, and not for the peer's fault */
	struct timer timer;
	struct pace body_pace, write_pace;
	struct grave grave;
	struct h2stream *spare;
};

struct h2conn {
	struct http_conn conn;
	enum h2_state { H2_OPEN, H2_LINGER, H2_GONE } state;
	nghttp2_session *session;
	X509 *certificate; /* the client's, or NULL */
	struct str sni;
	size_t body_max; /* request bytes a stream may send ahead */
	size_t held;     /* of all streams, that no handler has taken yet */
	struct list streams;
	struct list due;
	struct buf out; /* frames, at most what one stream_write() takes */
	struct task flush;
	struct timer write_timer;
	struct pace_reader reader;
	/* the head that is arriving */
	struct h2_head head;
	int32_t block_stream; /* 0: none is */
	size_t block_size;
	unsigned block_frames;
	size_t trailer_size;
	/* floods */
	struct budget resets, frames;
	uint64_t window_credit; /* WINDOW_UPDATEs that data sent has earned */
	bool ending;            /* nothing more is read; it closes when GOAWAY has left */
	/* Draining in two steps, so that no request is lost that was under way to us: GOAWAY for
	 * some time later and a PING; when that is answered, GOAWAY with the last stream. */
	enum h2_drain { H2_SERVES, H2_NOTICED, H2_SAID } drain;
	enum h2_wait { H2_FOR_NOTHING, H2_FOR_REQUEST, H2_FOR_HEAD, H2_FOR_PING } wait;
};

extern const struct exchange_ops h2conn_ops;

static inline bool
h2conn_sends(const struct h2stream *s) /* the response waits for the peer */
{
	return buf_len(&s->out) > 0 || s->want_room;
}

static inline bool
h2conn_blocked(const struct h2conn *c) /* the socket takes no more now */
{
	return buf_len(&c->out) > 0 || stream_unsent(c->conn.stream);
}

/* h2conn.c */
void h2conn_want(struct h2conn *c);
void h2conn_arm(struct h2conn *c);   /* sets the deadline of what the connection waits for */
void h2conn_flush(struct h2conn *c); /* sends at the end of this turn */
void h2conn_notice_answered(struct h2conn *c);
void h2conn_flood(struct h2conn *c, enum h2_flood kind); /* the connection ends with this turn */

/* h2conn_stream.c */
struct h2stream *h2conn_stream_new(struct h2conn *c, int32_t id); /* NULL: out of memory */
void h2conn_stream_arm(struct h2stream *s); /* sets the deadline of what it waits for */
void h2conn_due(struct h2stream *s);        /* tells body or room soon */
void h2conn_run_due(struct h2conn *c);      /* now: not inside of nghttp2's callbacks */
void h2conn_stream_gone(struct h2stream *s, enum err why); /* closed; its memory goes */

/* h2conn_recv.c */
const nghttp2_session_callbacks *h2conn_callbacks(void); /* NULL: out of memory */

/* h2conn_ops.c */
void h2conn_reset(struct h2stream *s, uint32_t code); /* not for a fault of the peer */
ssize_t h2conn_read_out(nghttp2_session *session, int32_t id, uint8_t *p, size_t n, uint32_t *flags,
    nghttp2_data_source *source, void *arg);
int h2conn_send_out(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t n,
    nghttp2_data_source *source, void *arg);

#endif
