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
for_each_listener(struct worker *w, void (*fn)(struct listener *l))
{
	for (size_t i = 0; i < w->n_listeners; i++)
		for (size_t k = 0; w->listeners[i] != NULL && k < w->listeners[i]->n_listeners; k++)
			fn(w->listeners[i]->listeners[k]);
}

static void
pause_listeners(struct worker *w)
{
	metrics_inc(S_PAUSES_CONNECTIONS);
	w->crowded = true;
	for_each_listener(w, listener_pause);
	timer_set(w->loop, &w->room_timer, ROOM_LOOK_MS);
}

static void
resume_listeners(struct worker *w)
{
	w->crowded = false;
	timer_clear(&w->room_timer);
	for_each_listener(w, listener_resume);
}

/* An idle connection is closed, of the side that fills up first: neither strangers from outside nor
 * those on this machine can take all room from the other. */
static bool
reap(struct worker *w, bool outbound)
{
	struct http_server *first = outbound ? &w->out.plain : &w->http;
	struct http_server *second = outbound ? &w->http : &w->out.plain;

	return http_server_reap(first, REAP_AGE_MS) || http_server_reap(second, REAP_AGE_MS);
}

/* After a connection was taken: the next one needs room too. */
static void
make_room(struct worker *w, bool outbound)
{
	if (!connlimit_full(w->connections, w->conf->connections_max))
		return;
	if (connlimit_tell(w->connections))
		log_warn("listener: limits.connections_max, or three quarters of the descriptors "
			 "(LimitNOFILE), are in use; idle connections are closed, then accepting "
			 "pauses");
	if (!reap(w, outbound))
		pause_listeners(w);
}

static void
on_room_timer(void *arg)
{
	struct worker *w = arg;

	/* An idle connection may have to make room for one that waits to be accepted. */
	if (!connlimit_full(w->connections, w->conf->connections_max) || reap(w, false))
		resume_listeners(w);
	else
		timer_set(w->loop, &w->room_timer, ROOM_LOOK_MS);
}

static void
listener_bury(void *arg)
{
	struct worker_listener *l = arg;

	if (l->conf_of != NULL)
		snapshot_drop(&l->conf_of->snap);
	free(l->listeners);
	free(l);
}

/* Goes when nothing can come from it and nothing points at it any more. */
static void
release(struct worker_listener *l)
{
	if (l->endpoint == NULL && l->n_conns == 0)
		loop_bury(l->worker->loop, &l->grave, listener_bury, l);
}

/* A connection no longer counts, neither in the sum nor of its listener. */
static void
leave(struct worker_listener *l)
{
	struct worker *w = l->worker;

	l->n_conns--;
	release(l);
	connlimit_leave(w->connections);
	connlimit_untell(w->connections, w->conf->connections_max);
	if (w->crowded && !connlimit_full(w->connections, w->conf->connections_max))
		resume_listeners(w);
}

/* --- one connection --- */

/* Closed so that nothing of it remains here, not even the kernel's memory of it. */
static void
turn_away(struct worker_listener *l, int fd, enum series counted)
{
	const struct linger at_once = { .l_onoff = 1 };

	metrics_inc(counted);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
	leave(l);
}

static void
no_memory(struct worker_listener *l, int fd)
{
	log_error("listener: no memory for a connection; closing it");
	close(fd);
	leave(l);
}

/* The homeserver's way out: on this machine, so without TLS and without limits by address. */
static void
open_outbound(struct worker_listener *l, int fd)
{
	struct http_server *s = &l->worker->out.plain;

	if (!http_server_open(s, fd, NULL, "", l, NULL)) {
		log_error("listener: no memory for a connection; closed it");
		leave(l);
	} else if (l->leaving) {
		http_server_leave(s, l);
	}
}

static void
open_connection(struct worker_listener *l, int fd, const struct address *client, void *ticket)
{
	struct worker *w = l->worker;
	char ip[ADDRESS_TEXT_MAX];
	SSL *ssl = tls_server_accept(w->tls);

	if (ssl == NULL) {
		connlimit_dismiss(w->connections, ticket);
		no_memory(l, fd);
	} else if (!http_server_open(&w->http, fd, ssl, address_bare(client, ip), l, ticket)) {
		log_error("listener: no memory for a connection; closed it");
		connlimit_dismiss(w->connections, ticket);
		leave(l);
	} else if (l->leaving) {
		http_server_leave(&w->http, l);
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
			turn_away(l, fd, S_REFUSED_PER_ADDRESS);
			return;
		}
	}
	open_connection(l, fd, client, ticket);
}

static void
on_preface(void *arg, int fd, enum preface_end end, const struct address *client, bool named)
{
	struct worker_listener *l = arg;
	struct worker *w = l->worker;

	switch (end) {
	case PREFACE_DONE:
		/* A load balancer that names nobody speaks for itself, or for many. */
		admit(l, fd, client, named);
		break;
	case PREFACE_BAD:
		turn_away(l, fd, S_REFUSED_PROXY_HEADER);
		break;
	case PREFACE_SLOW:
		turn_away(l, fd, S_REFUSED_PROXY_SLOW);
		break;
	case PREFACE_GONE:
	case PREFACE_CUT:
		close(fd);
		leave(l);
		break;
	}
	worker_look_drained(w);
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
	l->n_conns++;
	if (l->kind == LISTEN_OUTBOUND)
		open_outbound(l, fd);
	else if (l->conf == NULL || !l->conf->proxied)
		admit(l, fd, &from, true);
	else if (!ip || !networks_have(&l->conf->proxies, &from))
		turn_away(l, fd, S_REFUSED_PROXY_SOURCE);
	else if (!preface_await(&w->prefaces, fd, &from, w->conf->head_timeout, l))
		no_memory(l, fd);
	make_room(w, l->kind == LISTEN_OUTBOUND);
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
	leave(c->listener);
}

bool
accept_waits(const struct worker *w)
{
	return !list_empty(&w->prefaces.waiting);
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

void
accept_init(struct worker *w)
{
	w->http.request = passage_open;
	w->http.count = w->out.plain.count = on_count;
	w->http.owner = w;
	timer_init(&w->room_timer, on_room_timer, w);
	prefaces_init(&w->prefaces, w->loop, on_preface);
}

/* --- one listener --- */

static void
close_listener(struct worker_listener *l, bool sweep)
{
	while (l->n_listeners > 0) {
		struct listener *last = l->listeners[l->n_listeners - 1];

		if (sweep)
			listener_sweep(last);
		l->n_listeners--;
		listener_free(last);
	}
	snapshot_drop(&l->endpoint->snap);
	l->endpoint = NULL;
	release(l);
}

static void
listen_on(void *arg, int fd)
{
	struct worker_listener *l = arg;
	struct listener *made = listener_new(l->worker->loop, fd, on_accept, l);

	if (made == NULL) {
		log_error("listener %s: out of memory; one of its queues is not served",
		    l->endpoint->key);
		return;
	}
	listener_on_failure(made, on_failure);
	if (l->worker->crowded)
		listener_pause(made);
	l->listeners[l->n_listeners++] = made;
}

static struct worker_listener *
open_listener(struct worker *w, const struct listening *of)
{
	struct worker_listener *l = calloc(1, sizeof(*l));

	if (l != NULL)
		l->listeners = calloc(of->endpoint->n + 1, sizeof(struct listener *));
	if (l == NULL || l->listeners == NULL) {
		log_error(
		    "listener %s: out of memory; a worker does not serve it", of->endpoint->key);
		free(l);
		return NULL;
	}
	l->worker = w;
	l->kind = of->kind;
	l->endpoint = snapshot_hold(&of->endpoint->snap);
	endpoint_share(of->endpoint, w->number, w->n_workers, listen_on, l);
	return l;
}

static void
give_up(struct worker_listener *l)
{
	struct worker *w = l->worker;

	http_server_leave(l->kind == LISTEN_OUTBOUND ? &w->out.plain : &w->http, l);
}

/* What the set says of it from now on.  One being given up keeps the configuration it had. */
static void
update(struct worker_listener *l, const struct listening *of, struct proxy_conf *conf)
{
	l->leaving = of->until != 0;
	if (l->leaving) {
		give_up(l);
		return;
	}
	if (l->conf_of != NULL)
		snapshot_drop(&l->conf_of->snap);
	l->conf_of = snapshot_hold(&conf->snap);
	l->conf = of->conf;
}

/* --- all of them --- */

/* The listener of the endpoint if it may stay; taken from the worker's. */
static struct worker_listener *
keep_listener(struct worker *w, const struct listening *of)
{
	for (size_t i = 0; i < w->n_listeners; i++) {
		struct worker_listener *l = w->listeners[i];

		if (l == NULL || l->endpoint != of->endpoint ||
		    (of->until == 0 && (l->kind != of->kind || l->leaving)))
			continue;
		w->listeners[i] = NULL;
		return l;
	}
	return NULL;
}

static void
close_all(struct worker *w, bool sweep)
{
	for (size_t i = 0; i < w->n_listeners; i++)
		if (w->listeners[i] != NULL)
			close_listener(w->listeners[i], sweep);
	free(w->listeners);
	w->listeners = NULL;
	w->n_listeners = 0;
}

/* What is left of the old set serves something else now: its connections must not go on as before.
 */
static void
give_up_others(struct worker *w)
{
	for (size_t i = 0; i < w->n_listeners; i++)
		if (w->listeners[i] != NULL) {
			w->listeners[i]->leaving = true;
			give_up(w->listeners[i]);
		}
}

void
accept_adopt(struct worker *w, const struct listeners *set)
{
	struct worker_listener **next = calloc(set->n, sizeof(struct worker_listener *));
	size_t n = 0;

	if (w->draining || next == NULL) {
		if (next == NULL)
			log_error("reload: a worker keeps its listeners: out of memory");
		free(next);
		return;
	}
	for (size_t i = 0; i < set->n; i++) {
		const struct listening *of = &set->of[i];
		struct worker_listener *l = keep_listener(w, of);

		if (l == NULL)
			l = open_listener(w, of);
		if (l == NULL)
			continue;
		update(l, of, set->conf);
		next[n++] = l;
	}
	give_up_others(w);
	close_all(w, true);
	w->listeners = next;
	w->n_listeners = n;
	/* Connections that came or went meanwhile may have changed it for those of the old set. */
	for_each_listener(w, w->crowded ? listener_pause : listener_resume);
}

void
accept_stop(struct worker *w, bool sweep)
{
	close_all(w, sweep);
	timer_clear(&w->room_timer); /* after sweeping, which may have filled us */
	w->crowded = false;
}

void
accept_close(struct worker *w)
{
	if (w->prefaces.loop == NULL)
		return; /* never begun */
	accept_stop(w, false);
	prefaces_close(&w->prefaces);
}
