/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/accept.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/net/connlimit.h"
#include "proxy/passage.h"
#include "proxy/series.h"

#define REAP_AGE_MS 1000 /* idle for less: its next request may be under way */
#define ROOM_LOOK_MS 100 /* other workers' connections end without telling us */

/* --- room for one more --- */

static void
pause_listeners(struct worker *w)
{
	metrics_inc(S_PAUSES_CONNECTIONS);
	w->crowded = true;
	for (size_t i = 0; i < w->n_listeners; i++)
		listener_pause(w->listeners[i].listener);
	timer_set(w->loop, &w->room_timer, ROOM_LOOK_MS);
}

static void
resume_listeners(struct worker *w)
{
	w->crowded = false;
	timer_clear(&w->room_timer);
	for (size_t i = 0; i < w->n_listeners; i++)
		listener_resume(w->listeners[i].listener);
}

/* After a connection was taken: the next one needs room too. */
static void
make_room(struct worker *w)
{
	if (!connlimit_full(w->connections, w->conf->connections_max))
		return;
	if (connlimit_tell(w->connections))
		log_warn("listener: limits.connections_max, or three quarters of the descriptors "
			 "(LimitNOFILE), are in use; idle connections are closed, then accepting "
			 "pauses");
	if (!http_server_reap(&w->http, REAP_AGE_MS))
		pause_listeners(w);
}

static void
on_room_timer(void *arg)
{
	struct worker *w = arg;

	/* An idle connection may have to make room for one that waits to be accepted. */
	if (!connlimit_full(w->connections, w->conf->connections_max) ||
	    http_server_reap(&w->http, REAP_AGE_MS))
		resume_listeners(w);
	else
		timer_set(w->loop, &w->room_timer, ROOM_LOOK_MS);
}

/* A connection no longer counts in the sum. */
static void
leave(struct worker *w)
{
	connlimit_leave(w->connections);
	connlimit_untell(w->connections, w->conf->connections_max);
	if (w->crowded && !connlimit_full(w->connections, w->conf->connections_max))
		resume_listeners(w);
}

/* --- one connection --- */

/* Closed so that nothing of it remains here, not even the kernel's memory of it. */
static void
turn_away(struct worker *w, int fd, enum series counted)
{
	const struct linger at_once = { .l_onoff = 1 };

	metrics_inc(counted);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
	leave(w);
}

static void
no_memory(struct worker *w, int fd)
{
	log_error("listener: no memory for a connection; closing it");
	close(fd);
	leave(w);
}

static void
open_connection(struct worker_listener *l, int fd, const struct address *client, void *ticket)
{
	struct worker *w = l->worker;
	char ip[ADDRESS_TEXT_MAX];
	SSL *ssl = tls_server_accept(w->tls);

	if (ssl == NULL) {
		connlimit_dismiss(w->connections, ticket);
		no_memory(w, fd);
	} else if (!http_server_open(&w->http, fd, ssl, address_bare(client, ip), l, ticket)) {
		log_error("listener: no memory for a connection; closed it");
		connlimit_dismiss(w->connections, ticket);
		leave(w);
	}
}

/* Whether the address stands for one client, so that limits by address make sense. */
static bool
counts_alone(const struct worker *w, const struct address *client)
{
	return w->conf->connections_per_address > 0 && address_party(client).n > 0 &&
	       !networks_have(&w->conf->exempt, client);
}

/* The client's address is known. */
static void
admit(struct worker_listener *l, int fd, const struct address *client, bool alone)
{
	struct worker *w = l->worker;
	struct connlimit_party *ticket = NULL;

	if (alone && counts_alone(w, client)) {
		ticket = connlimit_admit(
		    w->connections, address_party(client), w->conf->connections_per_address);
		if (ticket == NULL) {
			turn_away(w, fd, S_REFUSED_PER_ADDRESS);
			return;
		}
	}
	open_connection(l, fd, client, ticket);
}

static void
on_preface(void *arg, int fd, enum preface_end end, const struct address *client, bool named)
{
	struct worker_listener *l = arg;

	switch (end) {
	case PREFACE_DONE:
		/* A load balancer that names nobody speaks for itself, or for many. */
		admit(l, fd, client, named);
		break;
	case PREFACE_BAD:
		turn_away(l->worker, fd, S_REFUSED_PROXY_HEADER);
		break;
	case PREFACE_SLOW:
		turn_away(l->worker, fd, S_REFUSED_PROXY_SLOW);
		break;
	case PREFACE_GONE:
	case PREFACE_CUT:
		close(fd);
		leave(l->worker);
		break;
	}
}

static void
on_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
	struct worker_listener *l = arg;
	struct worker *w = l->worker;
	struct address from;
	bool ip = address_from(peer, 0, &from);

	(void)peer_len;
	connlimit_enter(w->connections);
	if (!l->conf->proxied)
		admit(l, fd, &from, true);
	else if (!ip || !networks_have(&l->conf->proxies, &from))
		turn_away(w, fd, S_REFUSED_PROXY_SOURCE);
	else if (!preface_await(&w->prefaces, fd, &from, w->conf->head_timeout, l))
		no_memory(w, fd);
	make_room(w);
}

static void
on_failure(void *arg)
{
	(void)arg;
	metrics_inc(S_PAUSES_DESCRIPTORS);
}

void
accept_closed(struct worker *w, const struct http_conn *c)
{
	connlimit_dismiss(w->connections, c->ticket);
	leave(w);
}

static void
on_count(struct http_server *s, enum http_count what)
{
	static const enum series series[] = {
		[HTTP_OPENED] = S_CONNECTIONS_OPENED,
		[HTTP_CLOSED] = S_CONNECTIONS_CLOSED,
		[HTTP_HANDSHAKE_FAILED] = S_HANDSHAKES_FAILED,
		[HTTP_HANDSHAKE_SLOW] = S_HANDSHAKES_SLOW,
		[HTTP_HEAD_SLOW] = S_HEADS_SLOW,
		[HTTP_WRITE_SLOW] = S_WRITES_SLOW,
		[HTTP_IDLE] = S_IDLE_CLOSED,
		[HTTP_REAPED] = S_IDLE_REAPED,
		[HTTP_H1] = S_CONNECTIONS_H1,
		[HTTP_H2] = S_CONNECTIONS_H2,
		[HTTP_STREAM] = S_H2_STREAMS,
		[HTTP_REFUSED] = S_H2_REFUSED,
	};

	(void)s;
	metrics_inc(what < HTTP_FLOOD ? series[what] : S_H2_FLOODS + (what - HTTP_FLOOD));
}

/* --- all of them --- */

static bool
listen_at(struct worker *w, struct worker_listener *l, int socket, size_t at)
{
	*l = (struct worker_listener){ .worker = w,
		.kind = w->conf->listeners[at].kind,
		.conf = &w->conf->listeners[at],
		.conf_of = snapshot_hold(&w->conf->snap) };
	w->n_listeners++;
	l->listener = listener_new(w->loop, socket, on_accept, l);
	if (l->listener == NULL)
		return false;
	listener_on_failure(l->listener, on_failure);
	return true;
}

bool
accept_listen(struct worker *w, const int *sockets, size_t n)
{
	w->http.request = passage_open;
	w->http.count = on_count;
	w->http.owner = w;
	timer_init(&w->room_timer, on_room_timer, w);
	prefaces_init(&w->prefaces, w->loop, on_preface);
	w->listeners = calloc(n, sizeof(*w->listeners));
	for (size_t i = 0; i < n; i++)
		if (w->listeners == NULL || !listen_at(w, &w->listeners[i], sockets[i], i)) {
			close(sockets[i]);
			return false;
		}
	return true;
}

void
accept_stop(struct worker *w)
{
	if (w->n_listeners == 0)
		return;
	timer_clear(&w->room_timer);
	w->crowded = false;
	prefaces_close(&w->prefaces);
	for (size_t i = 0; i < w->n_listeners; i++) {
		listener_free(w->listeners[i].listener);
		w->listeners[i].listener = NULL;
		snapshot_drop(&w->listeners[i].conf_of->snap);
	}
	w->n_listeners = 0;
}
