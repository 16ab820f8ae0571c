/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2conn_stream - the life of one HTTP/2 stream: its memory, its clock, and what its handler is
 * told.
 */
#include <stdlib.h>

#include "lib/http/h2conn_int.h"

#define SPARE_MAX 256

void
h2conn_stream_arm(struct h2stream *s)
{
	const struct http_limits *l = &s->server->limits;
	clock_ms now = loop_now(s->server->loop);
	bool sends = h2conn_sends(s), reads = !sends && s->want_body && !s->eof;

	pace_wait(&s->write_pace, now, sends);
	pace_wait(&s->body_pace, now, reads);
	if (sends)
		timer_set(s->server->loop, &s->timer,
		    pace_deadline(&s->write_pace, &l->write_pace, now, l->write_timeout));
	else if (reads)
		timer_set(s->server->loop, &s->timer,
		    pace_deadline(&s->body_pace, &l->body_pace, now, l->body_timeout));
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
	if (c->state == H2_OPEN) {
		(void)nghttp2_session_consume_connection(c->session, buf_len(&s->in));
		h2conn_arm(c);
		if (list_empty(&c->streams))
			http_conn_rest(&c->conn);
	}
	tell_gone(s, why);
	loop_bury(s->server->loop, &s->grave, stream_free, s);
}

/* The peer's window holds a response.  As long as the socket or other streams are the reason,
 * their clocks decide. */
static bool
stalled(const struct h2stream *s)
{
	nghttp2_session *session = s->c->session;

	return !h2conn_blocked(s->c) &&
	       (nghttp2_session_get_remote_window_size(session) <= 0 ||
		   nghttp2_session_get_stream_remote_window_size(session, s->id) <= 0);
}

static void
on_stream_timer(void *arg)
{
	struct h2stream *s = arg;
	const struct http_limits *l = &s->server->limits;
	clock_ms now = loop_now(s->server->loop);

	if (!h2conn_sends(s)) {
		s->body_err = pace_left(&s->body_pace, &l->body_pace, now) == 0 ? ERR_BODY_RATE
										: ERR_SLOW_BODY;
		if (s->ex.events != NULL)
			s->ex.events->body(s->ex.arg);
	} else if (stalled(s)) {
		http_conn_count(&s->c->conn, HTTP_FLOOD + H2_FLOOD_STALLED);
		h2conn_reset(s, NGHTTP2_ENHANCE_YOUR_CALM);
		tell_gone(s, pace_left(&s->write_pace, &l->write_pace, now) == 0 ? ERR_CLIENT_RATE
										 : ERR_CLIENT_SLOW);
	} else {
		pace_init(&s->write_pace, &l->write_pace); /* the others had their turns */
		h2conn_stream_arm(s);
	}
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
	buf_init(&s->in, c->body_held);
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
