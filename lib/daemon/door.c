/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/daemon/door.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/daemon/descriptors.h"
#include "lib/net/address.h"
#include "lib/net/connlimit.h"
#include "lib/net/listener.h"
#include "lib/net/tls.h"
#include "lib/ops/metrics.h"

#define REAP_AGE_MS 1000     /* idle for less: its next request may be under way */
#define DRAIN_IDLE_MS 1000   /* an idle connection is kept for a request under way */
#define STREAMS_MAX 100      /* HTTP/2, of one connection */
#define WINDOW (64 << 10)    /* request bodies are small to such a daemon */
#define FRAMES_MAX 1000      /* in H2_PERIOD_MS */
#define BYTES_A_SECOND 500   /* slower peers are cut */
#define RATE_WINDOW_MS 60000 /* over which that is measured */

struct door {
	struct loop *loop;
	struct service_conf *conf; /* one reference */
	const struct door_series *series;
	struct http_server http;
	struct tls_server *tls;
	/* of a configuration that may come in force */
	struct service_conf *next_conf; /* one reference */
	struct tls_server *next_tls;
	struct tls_tickets *tickets; /* one reference */
	struct timer rotation;
	struct connlimit *connections;
	void (*request)(void *arg, struct exchange *ex, enum err bad);
	void *arg;
	int *sockets;
	struct listener **listeners;
	size_t n;
	size_t n_open; /* listeners that accept */
};

/* --- TLS --- */

static struct tls_server *
make_tls(const struct service_conf *c, struct tls_tickets *tickets)
{
	const struct tls_identity id = { .name = "clients",
		.certificate = c->tls.certificate_pem,
		.key = c->tls.key_pem,
		.hosts = (const char *const *)c->tls.hosts.v,
		.n_hosts = c->tls.hosts.n };
	const struct tls_server_config cfg = { .identities = &id,
		.n = 1,
		.fallback = 0,
		.tls13 = c->tls.tls13,
		.http2 = c->tls.http2,
		.ticket_lifetime_s = (long)(c->tls.ticket_lifetime / 1000),
		.client_anchors = c->tls.client_anchors };
	char why[256];
	struct tls_server *t = tls_server_new(&cfg, tickets, why, sizeof(why));

	if (t == NULL)
		log_error("%s", why);
	return t;
}

static void
rotate(void *arg)
{
	struct door *d = arg;
	struct tls_tickets *now = tls_tickets_rotate(d->tickets);

	timer_set(d->loop, &d->rotation, d->conf->tls.ticket_lifetime);
	if (now == NULL)
		return; /* the old keys serve until the next time */
	if (d->tls != NULL)
		tls_server_set_tickets(d->tls, now);
	snapshot_drop((struct snapshot *)d->tickets);
	d->tickets = now;
}

/* --- connections --- */

static void
count(struct http_server *s, enum http_count what)
{
	const struct door_series *series = ((struct door *)s->owner)->series;
	const unsigned *const row[HTTP_COUNTS] = {
		[HTTP_OPENED] = &series->opened,
		[HTTP_CLOSED] = &series->closed,
		[HTTP_HANDSHAKE_FAILED] = &series->handshakes_failed,
		[HTTP_HANDSHAKE_SLOW] = &series->handshakes_slow,
		[HTTP_HEAD_SLOW] = &series->heads_slow,
		[HTTP_WRITE_SLOW] = &series->writes_slow,
	}; /* NULL: not told */

	if (row[what] != NULL)
		metrics_inc(*row[what]);
}

static void
on_request(void *listener, struct exchange *ex, enum err bad)
{
	struct door *d = listener;

	d->request(d->arg, ex, bad);
}

static void
on_closed(struct http_server *s, const struct http_conn *c)
{
	struct door *d = s->owner;

	connlimit_dismiss(d->connections, c->ticket);
	connlimit_leave(d->connections);
	connlimit_untell(d->connections, d->conf->limits.connections_max);
}

static void
turn_away(int fd, unsigned counted)
{
	metrics_inc(counted);
	close(fd);
}

/* Room for one more: made, if need be, at the cost of the one that has been idle for longest. */
static bool
has_room(struct door *d)
{
	if (!connlimit_full(d->connections, d->conf->limits.connections_max) ||
	    http_server_reap(&d->http, REAP_AGE_MS))
		return true;
	if (connlimit_tell(d->connections))
		log_warn("listener: limits.connections_max connections are open; others are "
			 "turned away");
	return false;
}

static void
on_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
	struct door *d = arg;
	uint64_t most = d->conf->limits.connections_per_address;
	struct connlimit_party *party;
	char text[ADDRESS_TEXT_MAX] = "";
	struct address a;
	SSL *ssl;

	(void)peer_len;
	if (!has_room(d) || !address_from(peer, 0, &a)) {
		turn_away(fd, d->series->refused_all);
		return;
	}
	address_unmap(&a);
	party = connlimit_admit(d->connections, address_party(&a), most > 0 ? most : UINT64_MAX);
	if (party == NULL) {
		turn_away(fd, d->series->refused_address);
		return;
	}
	connlimit_enter(d->connections);
	ssl = tls_server_accept(d->tls);
	if (ssl != NULL && http_server_open(&d->http, fd, ssl, address_bare(&a, text), d, party))
		return;
	if (ssl == NULL)
		close(fd);
	log_error("listener: no memory for a connection; closed it");
	connlimit_dismiss(d->connections, party);
	connlimit_leave(d->connections);
}

static void
set_limits(struct http_server *s, const struct service_conf *c)
{
	s->limits = (struct http_limits){
		.head = { .head_max = c->limits.head_max,
		    .target_max = c->limits.target_max,
		    .fields_max = c->limits.fields_max },
		.body_max = c->limits.body_max,
		.request_memory = c->limits.request_memory,
		.handshake_timeout = c->timeouts.handshake,
		.head_timeout = c->timeouts.head,
		.idle_timeout = c->timeouts.idle,
		.body_timeout = c->timeouts.body,
		.write_timeout = c->timeouts.write,
		.drain_idle_timeout = DRAIN_IDLE_MS,
		.body_pace = { BYTES_A_SECOND, RATE_WINDOW_MS },
		.write_pace = { BYTES_A_SECOND, RATE_WINDOW_MS },
		.h2 = { .streams_max = STREAMS_MAX,
		    .stream_window = WINDOW,
		    .connection_window = 2 * WINDOW,
		    .resets_max = 2 * STREAMS_MAX,
		    .frames_max = FRAMES_MAX },
	};
}

/* --- the door --- */

static bool
bind_all(struct door *d)
{
	const struct service_conf *c = d->conf;

	d->sockets = calloc(c->n_listeners, sizeof(*d->sockets));
	d->listeners = calloc(c->n_listeners, sizeof(struct listener *));
	for (size_t i = 0; d->sockets != NULL && d->listeners != NULL && i < c->n_listeners; i++) {
		const struct conf_address *a = &c->listeners[i].address;

		errno = EADDRINUSE;
		d->sockets[i] = a->port != 0 && listener_taken(a->host, a->port)
				    ? -1
				    : listener_bind(NULL, a->host, a->port);
		if (d->sockets[i] < 0) {
			log_error("listener: cannot listen on %s: %s", a->text, strerror(errno));
			return false;
		}
		d->n++;
	}
	return d->n == c->n_listeners;
}

struct door *
door_new(struct loop *loop, struct service_conf *conf, const struct door_series *series,
    void (*request)(void *arg, struct exchange *ex, enum err bad), void *arg)
{
	struct door *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->loop = loop;
	d->conf = snapshot_hold(&conf->snap);
	d->series = series;
	d->request = request;
	d->arg = arg;
	timer_init(&d->rotation, rotate, d);
	http_server_init(&d->http, loop);
	set_limits(&d->http, conf);
	d->http.request = on_request;
	d->http.count = count;
	d->http.closed = on_closed;
	d->http.owner = d;
	d->connections = connlimit_new(descriptors_for_clients(conf->limits.connections_max));
	rotate(d);
	if (d->connections != NULL && d->tickets != NULL)
		d->tls = make_tls(conf, d->tickets);
	if (d->tls == NULL || !bind_all(d)) {
		door_free(d);
		return NULL;
	}
	return d;
}

bool
door_open(struct door *d)
{
	for (; d->n_open < d->n; d->n_open++) {
		d->listeners[d->n_open] =
		    listener_new(d->loop, d->sockets[d->n_open], on_accept, d);
		if (d->listeners[d->n_open] == NULL)
			return false;
	}
	return true;
}

bool
door_prepare(struct door *d, struct service_conf *conf)
{
	door_discard(d);
	d->next_tls = make_tls(conf, d->tickets);
	if (d->next_tls == NULL)
		return false;
	d->next_conf = snapshot_hold(&conf->snap);
	return true;
}

void
door_adopt(struct door *d)
{
	tls_server_free(d->tls);
	d->tls = d->next_tls;
	d->next_tls = NULL;
	snapshot_drop(&d->conf->snap);
	d->conf = d->next_conf;
	d->next_conf = NULL;
	set_limits(&d->http, d->conf);
}

void
door_discard(struct door *d)
{
	tls_server_free(d->next_tls);
	d->next_tls = NULL;
	snapshot_drop((struct snapshot *)d->next_conf);
	d->next_conf = NULL;
}

void
door_drain(struct door *d)
{
	for (size_t i = 0; i < d->n_open; i++) {
		listener_sweep(d->listeners[i]);
		listener_free(d->listeners[i]);
	}
	d->n_open = 0;
	for (size_t i = 0; i < d->n; i++)
		close(d->sockets[i]);
	d->n = 0;
	http_server_drain(&d->http);
}

size_t
door_connections(const struct door *d)
{
	return d->http.n_conns;
}

bool
door_addresses(const struct door *d, struct buf *out)
{
	char text[256];

	for (size_t i = 0; i < d->n; i++)
		if (!buf_printf(out, "%s\"%s\"", i > 0 ? "," : "",
			listener_address(d->sockets[i], text, sizeof(text))))
			return false;
	return true;
}

void
door_free(struct door *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < d->n_open; i++)
		listener_free(d->listeners[i]);
	for (size_t i = 0; i < d->n; i++)
		close(d->sockets[i]);
	door_discard(d);
	http_server_fini(&d->http);
	timer_clear(&d->rotation);
	tls_server_free(d->tls);
	snapshot_drop((struct snapshot *)d->tickets);
	if (d->connections != NULL)
		connlimit_free(d->connections);
	free(d->sockets);
	free(d->listeners);
	snapshot_drop(&d->conf->snap);
	free(d);
}
