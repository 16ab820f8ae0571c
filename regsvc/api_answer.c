/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_answer - how a call ends: refused, answered at once, or with a stream of bytes.
 *
 * A list of many megabytes is sent from the one place where it is in memory, a piece whenever the
 * client has taken the one before; a turn of the loop sends no more than TURN_BYTES to one client.
 */
#include <stdio.h>

#include "lib/base/base64.h"
#include "lib/matrix/reply.h"
#include "regsvc/accesslog.h"
#include "regsvc/api_int.h"
#include "regsvc/lists.h"
#include "regsvc/problem.h"
#include "regsvc/series.h"

#define TURN_BYTES (256 << 10)
#define PIECE_DECODED (12 << 10) /* a multiple of 3 */
#define PIECE_ENCODED (PIECE_DECODED / 3 * 4)
#define SLOW_MS 10000 /* CP-3-5 */
#define FIELDS_MAX 768

static enum api_endpoint
endpoint_of(const struct call *c)
{
	return c->route != NULL ? c->route->endpoint : EP_OTHER;
}

/* The status is known; 0: the client is gone and never sees one. */
static void
note(struct call *c, int status, enum err why)
{
	enum api_endpoint e = endpoint_of(c);

	series_api(e, status);
	if (e != EP_CHANGES && loop_now(c->api->loop) > c->ex->began + SLOW_MS)
		metrics_inc(S_API_SLOW);
	access_note(c->api->parts->access, c->ex, api_endpoint_name(e), c->known ? &c->who : NULL,
	    status, why);
}

static void
count_bytes(const struct call *c, size_t n)
{
	if (c->ex->req.method != H1_HEAD)
		metrics_add(S_API_BYTES + (unsigned)endpoint_of(c), (int64_t)n);
}

void
call_refuse(struct call *c, enum err why, struct str fields)
{
	struct exchange *ex = c->ex;
	unsigned wait = reply_retry_after(why);
	char text[FIELDS_MAX];
	int n;

	n = snprintf(text, sizeof(text), STR_FMT, STR_ARG(fields));
	if (wait > 0 && fields.n == 0)
		n = snprintf(text, sizeof(text), "Retry-After: %u\r\n", wait);
	else if (why == ERR_METHOD)
		n = snprintf(text, sizeof(text), "Allow: %s\r\n", c->allowed);
	note(c, err_rows[why].status != 0 ? err_rows[why].status : 500, why);
	call_stop(c);
	problem_answer(ex, why, str_of(text, n > 0 && (size_t)n < sizeof(text) ? (size_t)n : 0));
}

void
call_answer(struct call *c, int status, const char *type, struct str fields, struct str body)
{
	struct exchange *ex = c->ex;

	note(c, status, OK);
	count_bytes(c, body.n);
	series_response(status);
	call_stop(c);
	exchange_answer(ex, status, type, fields, body);
}

/* --- streams --- */

/* A piece of what is to be sent next; `room` holds what has to be decoded. */
static struct str
next_piece(const struct call_text *t, char room[PIECE_DECODED])
{
	size_t at = t->sent, n;
	struct str in;

	if (!t->base64url)
		return str_from(t->bytes, at);
	in = str_from(t->bytes, at / 3 * 4);
	if (in.n > PIECE_ENCODED)
		in.n = PIECE_ENCODED;
	if (!base64url_decode(in, room, PIECE_DECODED, &n) || n <= at % 3)
		return STR_NONE;
	return str_of(room + at % 3, n - at % 3);
}

static void
finish(struct call *c)
{
	struct exchange *ex = c->ex;

	call_stop(c);
	exchange_end(ex);
}

/* What cannot be decoded was no payload of a JWS: our mistake, too late for an error. */
static void
cut(struct call *c)
{
	struct exchange *ex = c->ex;

	call_stop(c);
	exchange_abort(ex);
}

void
call_pump(void *arg)
{
	struct call *c = arg;
	struct call_text *t = &c->text;
	char room[PIECE_DECODED];
	size_t turn = 0, n;
	bool gone = false, full = false;

	c->gone = &gone;
	while (t->sent < t->size && turn < TURN_BYTES && !full) {
		struct str piece = next_piece(t, room);

		if (piece.n == 0)
			break;
		if (piece.n > TURN_BYTES)
			piece.n = TURN_BYTES;
		n = exchange_write(c->ex, piece);
		if (gone) /* the connection was lost by that */
			return;
		t->sent += n;
		turn += n;
		count_bytes(c, n);
		full = n < piece.n;
	}
	c->gone = NULL;
	if (full)
		return; /* the room event goes on */
	if (t->sent == t->size)
		finish(c);
	else if (turn == 0)
		cut(c);
	else
		task_defer(c->api->loop, &c->more); /* others have their turn */
}

void
call_on_room(void *arg)
{
	struct call *c = arg;

	if (c->text.held != NULL)
		task_defer(c->api->loop, &c->more);
}

void
call_stream(struct call *c, const char *type, struct str fields, const struct call_text *text)
{
	struct exchange *ex = c->ex;
	bool head;

	note(c, 200, OK);
	series_response(200);
	c->text = *text;
	head = exchange_answer_head(ex, 200, type, fields, text->size);
	if (!head) {
		call_stop(c);
		exchange_abort(ex);
	} else if (ex->req.method == H1_HEAD) {
		finish(c);
	} else {
		task_defer(c->api->loop, &c->more);
	}
}

/* --- the other end --- */

void
call_stop(struct call *c)
{
	auth_cancel(c->auth);
	c->auth = NULL;
	lists_cancel(c->check);
	c->check = NULL;
	vzd_cancel(c->question);
	c->question = NULL;
	changes_forget(c);
	task_cancel(&c->more);
	snapshot_drop(c->text.held);
	c->text.held = NULL;
	buf_fini(&c->body);
}

void
call_gone(void *arg, enum err why)
{
	struct call *c = arg;

	if (c->gone != NULL)
		*c->gone = true;
	if (!c->ex->head_sent) {
		note(c, 0, why);
		series_response(0);
	}
	call_stop(c);
}
