/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2conn_stream - the life of one HTTP/2 stream: its memory, its clock, and what its handler is
 * told.
 */
#include <stdlib.h>

#include "lib/http/h2conn_int.h"

#define SPARE_MAX 256

static void
wait_for(struct h2stream *s, clock_ms timeout, const struct pace *p, const struct pace_rule *rule)
{
	clock_ms now = loop_now(s->server->loop);

	/* Who is too slow already gets no later deadline for a few more bytes. */
	if (s->timer.due == 0 || pace_left(p, rule, now) > 0)
		timer_set(s->server->loop, &s->timer, pace_deadline(p, rule, now, timeout));
}

void
h2conn_stream_arm(struct h2stream *s)
{
	const struct http_limits *l = &s->server->limits;
	clock_ms now = loop_now(s->server->loop);
	bool sends = h2conn_sends(s), reads = !sends && s->want_body && !s->eof;

	pace_wait(&s->write_pace, now, sends);
	pace_wait(&s->body_pace, now, reads);
	if (sends)
		wait_for(s, l->write_timeout, &s->write_pace, &l->write_pace);
	else if (reads)
		wait_for(s, l->body_timeout, &s->body_pace, &l->body_pace);
	else
		timer_clear(&s->timer);
}

void
h2conn_due(struct h2stream *s)
{
	if (list_empty(&s->due))
		list_append(&s->c->due, &s->due);
}

static void
stream_free(void *arg)
{
	struct h2stream *s = arg;
	struct http_server *server = s->server;

	arena_fini(&s->ex.arena);
	buf_fini(&s->in);
	buf_fini(&s->out);
	if (server->draining || server->n_spare >= SPARE_MAX) {
		free(s);
		return;
	}
	s->spare = server->spare;
	server->spare = s;
	server->n_spare++;
}

void
h2conn_drop_spares(struct http_server *server)
{
	struct h2stream *s;

	while ((s = server->spare) != NULL) {
		server->spare = s->spare;
		free(s);
	}
	server->n_spare = 0;
}

static void
tell_gone(struct h2stream *s, enum err why)
{
	const struct exchange_events *ev = s->ex.events;

	s->ex.events = NULL;
	if (ev != NULL)
		ev->gone(s->ex.arg, why);
}

void
h2conn_stream_gone(struct h2stream *s, enum err why)
{
	struct h2conn *c = s->c;

	timer_clear(&s->timer);
	list_remove(&s->node);
	list_remove(&s->due);
	c->held -= buf_len(&s->in);
	if (c->state == H2_OPEN) {
		h2conn_arm(c);
		if (list_empty(&c->streams))
			http_conn_rest(&c->conn);
	}
	tell_gone(s, why);
	loop_bury(s->server->loop, &s->grave, stream_free, s);
}

/* The peer's window holds a response: it does not cover what waits.  If the socket is the reason,
 * the connection's clock decides. */
static bool
stalled(const struct h2stream *s)
{
	nghttp2_session *session = s->c->session;
	int32_t all = nghttp2_session_get_remote_window_size(session);
	int32_t own = nghttp2_session_get_stream_remote_window_size(session, s->id);

	return !h2conn_blocked(s->c) && (all < own ? all : own) < (int64_t)buf_len(&s->out);
}

static void
answer_is_late(struct h2stream *s)
{
	const struct pace_rule *rule = &s->server->limits.write_pace;
	bool crumbs = pace_left(&s->write_pace, rule, loop_now(s->server->loop)) == 0;

	if (stalled(s)) {
		http_conn_count(&s->c->conn, HTTP_FLOOD + H2_FLOOD_STALLED);
		h2conn_reset(s, NGHTTP2_ENHANCE_YOUR_CALM);
		tell_gone(s, crumbs ? ERR_CLIENT_RATE : ERR_CLIENT_SLOW);
	} else {
		pace_init(&s->write_pace, rule); /* the others had their turns */
		h2conn_stream_arm(s);
	}
}

/* Unless it was us who held it up: bodies of other streams fill the connection's window. */
static void
body_is_late(struct h2stream *s)
{
	const struct pace_rule *rule = &s->server->limits.body_pace;
	clock_ms now = loop_now(s->server->loop);

	if (nghttp2_session_get_local_window_size(s->c->session) <= 0) {
		pace_init(&s->body_pace, rule);
		h2conn_stream_arm(s);
		return;
	}
	s->body_err = pace_left(&s->body_pace, rule, now) == 0 ? ERR_BODY_RATE : ERR_SLOW_BODY;
	if (s->ex.events != NULL)
		s->ex.events->body(s->ex.arg);
}

static void
on_stream_timer(void *arg)
{
	struct h2stream *s = arg;

	if (h2conn_sends(s))
		answer_is_late(s);
	else
		body_is_late(s);
}

struct h2stream *
h2conn_stream_new(struct h2conn *c, int32_t id)
{
	struct http_server *server = c->conn.server;
	struct h2stream *s = server->spare;

	if (s != NULL) {
		server->spare = s->spare;
		server->n_spare--;
	} else {
		s = malloc(sizeof(*s));
		if (s == NULL)
			return NULL;
	}
	memset(s, 0, sizeof(*s));
	s->c = c;
	s->server = server;
	s->id = id;
	list_append(&c->streams, &s->node);
	list_init(&s->due);
	arena_init(&s->ex.arena, server->limits.request_memory);
	buf_init(&s->in, c->body_max);
	buf_init(&s->out, H2_OUT_MAX);
	timer_init(&s->timer, on_stream_timer, s);
	pace_init(&s->body_pace, &server->limits.body_pace);
	pace_init(&s->write_pace, &server->limits.write_pace);
	h2conn_arm(c);
	return s;
}

/* Outside of nghttp2's callbacks: handlers may take long. */
void
h2conn_run_due(struct h2conn *c)
{
	struct list *node;

	while ((node = list_first(&c->due)) != NULL) {
		struct h2stream *s = LIST_ENTRY(node, struct h2stream, due);
		bool room = s->want_room && buf_len(&s->out) <= H2_OUT_MAX / 2;

		list_remove(node);
		if (s->want_body && s->ex.events != NULL)
			s->ex.events->body(s->ex.arg);
		if (!room || s->ex.events == NULL)
			continue;
		s->want_room = false;
		h2conn_stream_arm(s);
		s->ex.events->room(s->ex.arg);
	}
}
