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
	http_server_open(&w->http, fd, ssl, ip, l);
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
		[HTTP_H1] = S_CONNECTIONS_H1,
		[HTTP_H2] = S_CONNECTIONS_H2,
		[HTTP_STREAM] = S_H2_STREAMS,
		[HTTP_REFUSED] = S_H2_REFUSED,
	};

	(void)s;
	metrics_inc(what < HTTP_FLOOD ? series[what] : S_H2_FLOODS + (what - HTTP_FLOOD));
}

bool
accept_listen(struct worker *w, const int *sockets, size_t n)
{
	w->http.request = passage_open;
	w->http.count = on_count;
	w->http.owner = w;
	w->listeners = calloc(n, sizeof(*w->listeners));
	for (size_t i = 0; i < n; i++) {
		struct worker_listener *l = w->listeners != NULL ? &w->listeners[i] : NULL;

		if (l != NULL) {
			*l = (struct worker_listener){ .worker = w,
				.kind = w->conf->listeners[i].kind };
			l->listener = listener_new(w->loop, sockets[i], on_accept, l);
			w->n_listeners++;
		}
		if (l == NULL || l->listener == NULL) {
			close(sockets[i]);
			return false;
		}
	}
	return true;
}

void
accept_stop(struct worker *w)
{
	for (size_t i = 0; i < w->n_listeners; i++)
		listener_free(w->listeners[i].listener);
	w->n_listeners = 0;
}
