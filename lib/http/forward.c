/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward - two pumps over one upstream connection.
 *
 *   upload    exchange body (or the whole body) -> out -> upstream
 *   download  upstream -> up->in -> h1_body -> exchange
 *
 * Each pump runs until its source is empty or its sink is full, and is started again by the event
 * of whichever it waits for.
 */
#include "lib/http/forward.h"

#define OUT_HIGH (64 * 1024)
#define READ_SMALL (16 * 1024)
#define READ_LARGE (64 * 1024)

static void on_upstream(void *arg, unsigned what);

/* Whether a part of the request has not left this machine.  What has left may have been read. */
static bool
is_unread(const struct forward *f)
{
	return !f->delivered || !f->request_done || buf_len(&f->out) > 0;
}

static void
finish(struct forward *f, enum err err)
{
	struct upstream *up = f->up;
	bool reusable = err == OK && f->request_done && !f->upload_failed &&
			buf_len(&f->out) == 0 && f->resp.keep_alive && !f->up_eof &&
			f->resp.framing != H1_UNTIL_CLOSE;

	f->unread = err == ERR_UPSTREAM_DOWN && is_unread(f);
	f->up = NULL;
	f->ex = NULL;
	timer_clear(&f->timer);
	buf_fini(&f->out);
	if (up != NULL)
		pool_release(up, reusable);
	f->fn(f->arg, err);
}

static void
broke(struct forward *f)
{
	if (f->response_head)
		finish(f, ERR_UPSTREAM_BROKE);
	else
		finish(f, f->got_byte ? ERR_UPSTREAM_BAD : ERR_UPSTREAM_DOWN);
}

static void
on_timer(void *arg)
{
	struct forward *f = arg;

	finish(f, f->no_memory       ? ERR_MEMORY
		  : f->response_head ? ERR_UPSTREAM_BROKE
				     : ERR_UPSTREAM_SLOW);
}

static void
arm(struct forward *f)
{
	if (f->full) /* the client is slow, and its connection's clock runs */
		timer_clear(&f->timer);
	else
		timer_set(f->loop, &f->timer,
		    f->response_head ? f->how.idle_timeout : f->how.first_byte_timeout);
}

/* --- upload --- */

/* Fields we write ourselves stay behind, and those nobody may say but we.  How long the body is, is
 * not for the owner to choose. */
static bool
goes_on(const struct forward *f, const struct h1_field *field)
{
	switch (field->id) {
	case H1_F_X_FORWARDED:
	case H1_F_FORWARDED:
	case H1_F_X_REAL_IP:
	case H1_F_METHOD_OVERRIDE:
	case H1_F_X_REQUEST_ID:
		return false;
	case H1_F_CONTENT_LENGTH:
		return true;
	default:
		return !field->hop && (f->how.keep == NULL || f->how.keep(field));
	}
}

/* The request head in one piece: end-to-end fields as received and in their order. */
static bool
put_head(struct forward *f)
{
	const struct h1_head *req = &f->ex->req;
	size_t size = req->method_text.n + req->target.n + f->how.extra.n + 64;
	char *begin, *p;

	for (size_t i = 0; i < req->n_fields; i++)
		size += req->fields[i].name.n + req->fields[i].value.n + 4;
	begin = p = buf_reserve(&f->out, size);
	if (p == NULL)
		return false;
	p = str_put(p, req->method_text);
	*p++ = ' ';
	p = str_put(p, req->target);
	p = str_put(p, STR(" HTTP/1.1\r\n"));
	for (size_t i = 0; i < req->n_fields; i++) {
		const struct h1_field *field = &req->fields[i];

		if (!goes_on(f, field))
			continue;
		p = str_put(p, field->name);
		p = str_put(p, STR(": "));
		p = str_put(p, field->value);
		p = str_put(p, STR("\r\n"));
	}
	if (req->framing == H1_CHUNKED)
		p = str_put(p, STR("Transfer-Encoding: chunked\r\n"));
	p = str_put(p, f->how.extra);
	p = str_put(p, STR("\r\n"));
	buf_commit(&f->out, (size_t)(p - begin));
	return true;
}

static bool
put_chunk(struct forward *f, struct str data)
{
	char head[20];
	size_t n = h1_chunk_head(head, data.n);

	return buf_put(&f->out, str_of(head, n)) && buf_put(&f->out, data) &&
	       buf_put(&f->out, STR("\r\n"));
}

/* false: the upstream does not take any more (now, or for ever). */
static bool
push_out(struct forward *f)
{
	while (buf_len(&f->out) > 0) {
		ssize_t n = f->upload_failed ? STREAM_FAILED
					     : stream_write(f->up->stream, buf_str(&f->out));

		if (n < 0) {
			/* It may have answered before it closed: the download tells. */
			f->upload_failed = true;
			buf_consume(&f->out, buf_len(&f->out));
			return false;
		}
		if (n == 0)
			return false;
		f->delivered = true;
		buf_consume(&f->out, (size_t)n);
	}
	buf_release(&f->out);
	return !f->upload_failed;
}

static void
upload_complete(struct forward *f)
{
	f->request_done = true;
	if (!f->how.whole_body)
		exchange_want_body(f->ex, false);
}

static bool
put_whole_body(struct forward *f)
{
	bool chunked = f->ex->req.framing == H1_CHUNKED;

	while (f->body_left.n > 0) {
		struct str piece =
		    str_of(f->body_left.p, f->body_left.n < OUT_HIGH ? f->body_left.n : OUT_HIGH);

		if (!(chunked ? put_chunk(f, piece) : buf_put(&f->out, piece)))
			return false;
		f->body_left = str_from(f->body_left, piece.n);
		if (f->body_left.n > 0 && !push_out(f))
			return true;
	}
	if (chunked && !buf_put(&f->out, STR("0\r\n\r\n")))
		return false;
	upload_complete(f);
	return true;
}

/* Moves what there is of the request body.  Returns what ends the forward, or OK. */
static enum err
pull_body(struct forward *f)
{
	bool chunked = f->ex->req.framing == H1_CHUNKED;

	while (buf_len(&f->out) < OUT_HIGH) {
		struct str data = STR_NONE;
		enum err why = OK;
		ssize_t n = 0;

		switch (exchange_peek(f->ex, &data, &why)) {
		case EXCHANGE_AGAIN:
			return OK;
		case EXCHANGE_BAD:
			return why;
		case EXCHANGE_END:
			if (chunked && !buf_put(&f->out, STR("0\r\n\r\n")))
				return ERR_MEMORY;
			upload_complete(f);
			return OK;
		case EXCHANGE_DATA:
			break;
		}
		if (f->upload_failed)
			n = (ssize_t)data.n; /* nobody takes it any more */
		else if (!chunked && buf_len(&f->out) == 0)
			n = stream_write(f->up->stream, data);
		if (n <= 0) { /* behind what waits already, a head first of all: one segment */
			if (!(chunked ? put_chunk(f, data) : buf_put(&f->out, data)))
				return ERR_MEMORY;
			n = (ssize_t)data.n;
			(void)push_out(f);
		}
		exchange_consume(f->ex, (size_t)n);
	}
	exchange_want_body(f->ex, false); /* until the upstream has taken some */
	return OK;
}

static enum err
upload(struct forward *f)
{
	enum err err = OK;

	if (buf_len(&f->out) >= OUT_HIGH)
		(void)push_out(f);
	if (!f->request_done && (f->upload_failed || buf_len(&f->out) < OUT_HIGH)) {
		if (f->how.whole_body) {
			err = put_whole_body(f) ? OK : ERR_MEMORY;
		} else {
			exchange_want_body(f->ex, true);
			err = f->ex != NULL ? pull_body(f) : OK; /* gone when told to continue? */
		}
	}
	if (err == OK && f->ex != NULL) {
		(void)push_out(f);
		arm(f);
	}
	return err;
}

/* --- download --- */

static enum err
begin_response(struct forward *f, size_t len)
{
	const struct h1_limits lim = { .head_max = f->how.head_max,
		.target_max = f->how.head_max,
		.fields_max = f->how.fields_max };
	struct str head = arena_dup(&f->ex->arena, str_of(buf_str(&f->up->in).p, len));
	enum err err;

	buf_consume(&f->up->in, len);
	f->scanned = 0;
	if (head.p == NULL)
		return ERR_MEMORY;
	err = h1_parse_response(&f->ex->arena, head, &lim, f->ex->req.method, &f->resp);
	if (err != OK || f->resp.status == 101)
		return ERR_UPSTREAM_BAD;
	if (f->resp.status < 200) {
		/* We answer an expectation ourselves; other interim responses are the client's. */
		if (f->resp.status != 100 && !exchange_head(f->ex, &f->resp))
			return ERR_MEMORY;
		return OK;
	}
	f->response_head = true;
	h1_body_init(&f->body, &f->resp, UINT64_MAX);
	if (f->how.on_head != NULL)
		f->how.on_head(f->arg, f->resp.status);
	return exchange_head(f->ex, &f->resp) ? OK : ERR_MEMORY;
}

static enum err
response_heads(struct forward *f)
{
	while (!f->response_head) {
		size_t len;
		enum err err;

		len = h1_head_end(buf_str(&f->up->in), &f->scanned);
		if (len == 0)
			return buf_len(&f->up->in) > f->how.head_max ? ERR_UPSTREAM_BAD : OK;
		err = len > f->how.head_max ? ERR_UPSTREAM_BAD : begin_response(f, len);
		if (err != OK)
			return err;
	}
	return OK;
}

/* Passes on what is in the buffer. */
static enum err
response_body(struct forward *f)
{
	f->full = false;
	while (!h1_body_done(&f->body) && buf_len(&f->up->in) > 0) {
		struct h1_body before = f->body;
		struct str data;
		size_t used, taken;

		if (h1_body_decode(&f->body, buf_str(&f->up->in), &used, &data) != OK)
			return ERR_UPSTREAM_BROKE;
		if (used == 0)
			break;
		taken = data.n > 0 ? exchange_write(f->ex, data) : 0;
		if (f->ex == NULL)
			return OK; /* the client went away under our hands */
		if (taken < data.n) {
			/* Decode again, only as far as it was taken. */
			size_t upto = (size_t)(data.p - buf_str(&f->up->in).p) + taken;

			f->body = before;
			if (taken > 0 &&
			    h1_body_decode(
				&f->body, str_of(buf_str(&f->up->in).p, upto), &used, &data) != OK)
				return ERR_UPSTREAM_BROKE;
			buf_consume(&f->up->in, taken > 0 ? used : 0);
			f->full = true;
			return OK;
		}
		buf_consume(&f->up->in, used);
	}
	if (h1_body_done(&f->body))
		f->response_done = true;
	return OK;
}

/* One read; false when there is nothing (f->up_eof tells why). */
static bool
read_upstream(struct forward *f)
{
	/* A body that fills the buffer deserves a larger one: fewer system calls. */
	size_t want = f->body.total > READ_SMALL ? READ_LARGE : READ_SMALL;
	size_t held = buf_len(&f->up->in), max = f->up->in.max;
	char *p;
	ssize_t n;

	if (held >= max)
		return false; /* it is emptied first */
	p = buf_reserve(&f->up->in, want < max - held ? want : max - held);
	if (p == NULL) {
		f->up_eof = true; /* no memory: nothing more will come of this connection */
		return false;
	}
	n = stream_read(f->up->stream, p, buf_space(&f->up->in));
	if (n > 0) {
		buf_commit(&f->up->in, (size_t)n);
		f->got_byte = true;
		arm(f);
		return true;
	}
	if (n != STREAM_AGAIN)
		f->up_eof = true;
	return false;
}

static enum err
download(struct forward *f)
{
	enum err err = OK;
	bool more;

	do {
		more = !f->up_eof && read_upstream(f);
		if (buf_len(&f->up->in) > 0 || more)
			err = response_heads(f);
		if (err == OK && f->response_head && f->ex != NULL)
			err = response_body(f);
	} while (err == OK && more && !f->full && !f->response_done && f->ex != NULL);
	return err;
}

/* --- both --- */

static void
want(struct forward *f)
{
	unsigned what = f->full ? 0 : STREAM_READ;

	if (buf_len(&f->out) > 0)
		what |= STREAM_WRITE;
	stream_want(f->up->stream, what);
}

static void
pump_down(struct forward *f)
{
	bool was_full = f->full, had_head = f->response_head;
	enum err err = download(f);

	if (f->ex == NULL)
		return;
	if (err != OK) {
		finish(f, f->response_head && err != ERR_MEMORY ? ERR_UPSTREAM_BROKE : err);
		return;
	}
	/* What the buffer still holds then is part of a head, or waits for the client. */
	if (f->up_eof && !f->response_done && !f->full) {
		if (!f->response_head || !h1_body_eof(&f->body)) {
			broke(f);
			return;
		}
		f->response_done = true;
	}
	if (f->response_done) {
		finish(f, OK);
		return;
	}
	exchange_flush(f->ex);
	if (f->ex == NULL)
		return;
	if (f->full != was_full || f->response_head != had_head)
		arm(f); /* another time-out holds now */
	stream_doubt(f->up->stream);
	want(f);
}

static void
pump_up(struct forward *f)
{
	enum err err = upload(f);

	if (f->ex == NULL)
		return;
	if (err != OK) {
		finish(f, err);
		return;
	}
	want(f);
}

static void
on_upstream(void *arg, unsigned what)
{
	struct forward *f = arg;

	if ((what & STREAM_WRITE) && buf_len(&f->out) > 0)
		pump_up(f);
	if (f->ex != NULL && (what & STREAM_READ))
		pump_down(f);
}

void
forward_start(struct forward *f, struct loop *loop, struct exchange *ex, struct upstream *up,
    const struct forward_request *how, void (*fn)(void *arg, enum err err), void *arg)
{
	*f =
	    (struct forward){ .ex = ex, .up = up, .how = *how, .loop = loop, .fn = fn, .arg = arg };
	timer_init(&f->timer, on_timer, f);
	buf_init(&f->out, 4 * OUT_HIGH);
	upstream_own(up, on_upstream, f);
	f->reused = up->reused;
	f->body_left = how->body;
	f->request_done = ex->req.framing == H1_NO_BODY;
	if (!put_head(f)) {
		/* Told by the timer: the caller must not be called back from here. */
		f->no_memory = true;
		timer_set(loop, &f->timer, 0);
		return;
	}
	arm(f);
	/* Sent at the end of this turn: requests that arrived together leave one behind the other,
	 * and the upstream is woken once, not for each of them. */
	stream_want(up->stream, STREAM_READ | STREAM_WRITE);
}

void
forward_cancel(struct forward *f)
{
	struct upstream *up = f->up;

	if (f->ex == NULL)
		return;
	f->ex = NULL;
	f->up = NULL;
	timer_clear(&f->timer);
	buf_fini(&f->out);
	pool_release(up, false);
}

void
forward_on_body(struct forward *f)
{
	if (f->ex != NULL)
		pump_up(f);
}

void
forward_on_room(struct forward *f)
{
	if (f->ex != NULL)
		pump_down(f);
}

static bool
is_repeatable(const struct forward *f, const struct exchange *ex)
{
	return f->reused && !f->got_byte && !ex->head_sent &&
	       (ex->req.framing == H1_NO_BODY || f->how.whole_body);
}

bool
forward_may_retry(const struct forward *f, const struct exchange *ex)
{
	return is_repeatable(f, ex) && (!f->delivered || h1_is_idempotent(ex->req.method));
}

bool
forward_may_retry_unread(const struct forward *f, const struct exchange *ex)
{
	return is_repeatable(f, ex) && f->unread;
}
