/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splice - two equal ways, each from one stream to the other.
 *
 * A way moves what there is until its source is empty or its sink is full, some rounds at a time so
 * that a fast pair leaves the loop to others.  It is over when its source has ended and the sink
 * has been told; the splice is over when both ways are.
 */
#include "lib/net/splice.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "lib/base/buf.h"

#define ROUNDS 8 /* reads of one way in a row */
#define READ_LARGE (64 * 1024)
/* When nothing useful can pass any more we go on reading for so long: closing with bytes unread is
 * a reset, which would take from that side what it has not yet read of its own. */
#define LINGER_MS 2000

struct way {
	struct stream *from, *to;
	struct buf held;
	size_t room; /* bytes held at the most */
	uint64_t passed;
	bool bulk;   /* the last read filled its space */
	bool eof;    /* `from` says no more */
	bool broken; /* ... because it broke off */
	bool told;   /* the sink has been told */
	bool dead;   /* `to` takes no more */
};

struct splice {
	struct loop *loop;
	struct way up, down;
	clock_ms idle;
	struct timer timer;
	struct grave grave;
	bool over;
	void (*fn)(void *arg, enum err why);
	void *arg;
};

/* --- the end --- */

static void
splice_free(void *arg)
{
	struct splice *s = arg;

	buf_fini(&s->up.held);
	buf_fini(&s->down.held);
	free(s);
}

static void
give_up(struct splice *s)
{
	s->over = true;
	timer_clear(&s->timer);
	stream_close(s->up.from);
	stream_close(s->down.from);
	loop_bury(s->loop, &s->grave, splice_free, s);
}

/* The only way out but splice_cancel(). */
static void
finish(struct splice *s, enum err why)
{
	give_up(s);
	s->fn(s->arg, why);
}

static void
reset_on_close(struct stream *t)
{
	const struct linger at_once = { .l_onoff = 1 };

	stream_cut(t);
	setsockopt(stream_fd(t), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

static enum err
who_broke(const struct splice *s)
{
	if (s->up.broken || s->down.dead)
		return ERR_CLIENT_GONE;
	return s->down.broken || s->up.dead ? ERR_REMOTE_BROKE : OK;
}

/* --- one way --- */

/* What is held, as far as the sink takes it, and then perhaps the end.  Whether any of it went. */
static bool
push(struct way *w)
{
	bool any = false;

	while (buf_len(&w->held) > 0) {
		ssize_t n = w->dead ? STREAM_FAILED : stream_write(w->to, buf_str(&w->held));

		if (n == 0)
			return any;
		if (n < 0) {
			w->dead = true;
			n = (ssize_t)buf_len(&w->held);
		} else {
			w->passed += (uint64_t)n;
			any = true;
		}
		buf_consume(&w->held, (size_t)n);
	}
	buf_release(&w->held);
	if (w->eof && !w->told && !w->broken) {
		w->told = true;
		stream_shut(w->to);
	}
	return any;
}

static bool
has_room(const struct way *w)
{
	return !w->eof && buf_len(&w->held) < w->room;
}

enum pulled { SOMETHING, NOTHING, NO_MEMORY };

/* One read; the end counts as something. */
static enum pulled
pull(struct way *w)
{
	size_t n = w->room - buf_len(&w->held), step = w->bulk ? READ_LARGE : BUF_PIECE;
	char *p;
	ssize_t got;

	if (n > step)
		n = step;
	p = buf_reserve(&w->held, n);
	if (p == NULL)
		return NO_MEMORY;
	got = stream_read(w->from, p, n);
	if (got == STREAM_AGAIN)
		return NOTHING;
	if (got <= 0) {
		w->eof = true;
		w->broken = got == STREAM_FAILED;
		return SOMETHING;
	}
	w->bulk = (size_t)got == n;
	buf_commit(&w->held, (size_t)got);
	stream_doubt(w->from); /* a reset may have come with these bytes */
	return SOMETHING;
}

/* Whether anything reached the sink. */
static bool
move(struct way *w, enum err *err)
{
	enum pulled got = SOMETHING;
	bool any = push(w);

	for (int i = 0; i < ROUNDS && got == SOMETHING && has_room(w); i++) {
		got = pull(w);
		any |= push(w);
	}
	if (got == NO_MEMORY)
		*err = ERR_MEMORY;
	return any;
}

/* Nothing that `to` was given waits here. */
static bool
is_sent(const struct way *w)
{
	return stream_failed(w->to) || !stream_unsent(w->to);
}

/* Nothing will come out of it any more. */
static bool
ended(const struct way *w)
{
	return w->eof && (w->dead || (w->told && is_sent(w)));
}

/* --- both --- */

static bool
is_hopeless(const struct splice *s)
{
	return (s->up.dead && ended(&s->down)) || (s->down.dead && ended(&s->up));
}

static void
arm(struct splice *s)
{
	clock_ms after = s->idle;

	if (is_hopeless(s))
		after = LINGER_MS;
	if (after > 0)
		timer_set(s->loop, &s->timer, after);
}

/* What to read from and write to the stream that `in` comes from and `out` goes to. */
static void
want(const struct way *in, const struct way *out)
{
	unsigned what = has_room(in) ? STREAM_READ : 0;

	if (buf_len(&out->held) > 0 || stream_unsent(out->to))
		what |= STREAM_WRITE;
	stream_want(in->from, what);
}

static bool
is_reset(const struct way *w) /* all that came before has been passed on */
{
	return w->broken && buf_len(&w->held) == 0 && is_sent(w);
}

static void
work(struct splice *s, bool up, bool down)
{
	bool hopeless = is_hopeless(s), any = false;
	enum err err = OK;

	if (up)
		any |= move(&s->up, &err);
	if (down)
		any |= move(&s->down, &err);
	if (err != OK) {
		finish(s, err);
	} else if (is_reset(&s->up) || is_reset(&s->down)) {
		reset_on_close(s->up.from);
		reset_on_close(s->down.from);
		finish(s, who_broke(s));
	} else if (ended(&s->up) && ended(&s->down)) {
		finish(s, who_broke(s));
	} else {
		if (any || is_hopeless(s) != hopeless)
			arm(s);
		want(&s->up, &s->down);
		want(&s->down, &s->up);
	}
}

static void
on_client(void *arg, unsigned what)
{
	work(arg, (what & STREAM_READ) != 0, (what & STREAM_WRITE) != 0);
}

static void
on_remote(void *arg, unsigned what)
{
	work(arg, (what & STREAM_WRITE) != 0, (what & STREAM_READ) != 0);
}

static void
on_timer(void *arg)
{
	struct splice *s = arg;

	finish(s, is_hopeless(s) ? who_broke(s) : ERR_TUNNEL_IDLE);
}

/* --- public --- */

static bool
way_init(struct way *w, struct stream *from, struct stream *to, size_t room, struct str first)
{
	*w = (struct way){ .from = from, .to = to, .room = room };
	buf_init(&w->held, room > first.n ? room : first.n);
	return buf_put(&w->held, first);
}

struct splice *
splice_start(struct loop *loop, struct stream *client, struct stream *remote,
    const struct splice_config *cfg, void (*fn)(void *arg, enum err why), void *arg)
{
	struct splice *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->loop = loop;
	s->idle = cfg->idle;
	s->fn = fn;
	s->arg = arg;
	timer_init(&s->timer, on_timer, s);
	if (!way_init(&s->up, client, remote, cfg->buffer, cfg->to_remote) ||
	    !way_init(&s->down, remote, client, cfg->buffer, cfg->to_client)) {
		splice_free(s);
		return NULL;
	}
	stream_own(client, on_client, s);
	stream_own(remote, on_remote, s);
	arm(s);
	want(&s->up, &s->down);
	want(&s->down, &s->up);
	return s;
}

void
splice_cancel(struct splice *s)
{
	if (s != NULL && !s->over)
		give_up(s);
}

struct splice_bytes
splice_bytes(const struct splice *s)
{
	return (struct splice_bytes){ .to_client = s->down.passed, .to_remote = s->up.passed };
}
