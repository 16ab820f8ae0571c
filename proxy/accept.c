/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/accept.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "proxy/passage.h"
#include "proxy/series.h"

static void
on_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
	struct worker_listener *l = arg;
	struct worker *w = l->worker;
	char ip[INET6_ADDRSTRLEN] = "";
	SSL *ssl;

	(void)peer_len;
	if (w->http.n_conns >= w->conf->connections_max) {
		metrics_inc(S_CONNECTIONS_REFUSED);
		close(fd);
		return;
	}
	if (peer->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, ip,
		    sizeof(ip));
	else if (peer->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr,
		    ip, sizeof(ip));
	ssl = tls_server_accept(w->tls);
	if (ssl == NULL) {
		log_error("listener: no memory for a TLS connection; closing it");
		close(fd);
		return;
	}
	l->n_conns++;
	if (!http_server_open(&w->http, fd, ssl, ip, l))
		accept_forget(l);
	else if (l->leaving)
		http_server_leave(&w->http, l);
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
		[HTTP_IDLE] = S_IDLE_CLOSED,
	};

	(void)s;
	metrics_inc(series[what]);
}

void
accept_init(struct worker *w)
{
	w->http.request = passage_open;
	w->http.count = on_count;
	w->http.owner = w;
}

/* --- a listener's life --- */

static void
listener_bury(void *arg)
{
	struct worker_listener *l = arg;

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

void
accept_forget(struct worker_listener *l)
{
	l->n_conns--;
	release(l);
}

static void
close_listener(struct worker_listener *l, bool sweep)
{
	for (size_t i = 0; i < l->n_listeners; i++) {
		if (sweep)
			listener_sweep(l->listeners[i]);
		listener_free(l->listeners[i]);
	}
	l->n_listeners = 0;
	snapshot_drop(&l->endpoint->snap);
	l->endpoint = NULL;
	release(l);
}

static void
listen_on(void *arg, int fd)
{
	struct worker_listener *l = arg;

	l->listeners[l->n_listeners] = listener_new(l->worker->loop, fd, on_accept, l);
	if (l->listeners[l->n_listeners] != NULL)
		l->n_listeners++;
	else
		log_error("listener %s: out of memory; one of its queues is not served",
		    l->endpoint->key);
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
	l->leaving = of->until != 0;
	l->endpoint = snapshot_hold(&of->endpoint->snap);
	endpoint_share(of->endpoint, w->number, w->n_workers, listen_on, l);
	return l;
}

/* --- the listeners --- */

/* The listener of the endpoint if it may stay as it is; taken from the worker's. */
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
		l->leaving = of->until != 0;
		if (l->leaving)
			http_server_leave(&w->http, l);
		next[n++] = l;
	}
	accept_stop(w, true);
	w->listeners = next;
	w->n_listeners = n;
}

void
accept_stop(struct worker *w, bool sweep)
{
	for (size_t i = 0; i < w->n_listeners; i++)
		if (w->listeners[i] != NULL)
			close_listener(w->listeners[i], sweep);
	free(w->listeners);
	w->listeners = NULL;
	w->n_listeners = 0;
}
