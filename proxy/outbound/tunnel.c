/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/outbound/tunnel.h"

#include <sodium.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/net/minter.h"
#include "lib/net/splice.h"
#include "proxy/outbound/aim.h"
#include "proxy/outbound/passage_out.h"
#include "proxy/series.h"

#define SECRET_DIGEST 32
#define GRANTED "HTTP/1.1 200 Connection established\r\n\r\n"

struct tunnel {
	struct list node;
	struct worker *w;
	struct splice *splice; /* NULL: TLS is ended here; then the next three */
	uint16_t port;
	char *server_name; /* of the service, whatever its configuration is by then */
	char *host;
	unsigned char secret[SECRET_DIGEST]; /* what it was opened with */
	/* of the CONNECT */
	uint64_t id;
	clock_ms began; /* if bytes pass as they are */
	struct grave grave;
};

/* --- beginning and end --- */

static void
tunnel_free(void *arg)
{
	struct tunnel *t = arg;

	free(t->server_name);
	free(t->host);
	free(t);
}

static void
digest_of(const struct service_conf *s, unsigned char out[SECRET_DIGEST])
{
	struct str secret = s->way_out.secret;

	crypto_generichash(out, SECRET_DIGEST, (const unsigned char *)secret.p, secret.n, NULL, 0);
}

static struct tunnel *
tunnel_new(struct worker *w, const struct service_conf *s, struct str host, uint16_t port)
{
	struct tunnel *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->w = w;
	t->port = port;
	t->host = strndup(host.p, host.n);
	t->server_name = strdup(s->server_name);
	if (t->host == NULL || t->server_name == NULL) {
		tunnel_free(t);
		return NULL;
	}
	digest_of(s, t->secret);
	list_init(&t->node);
	list_append(&w->out.tunnels, &t->node);
	w->out.n_tunnels++;
	metrics_add(S_TUNNELS_OPEN, 1);
	return t;
}

static void
tunnel_end(struct tunnel *t)
{
	struct worker *w = t->w;

	list_remove(&t->node);
	w->out.n_tunnels--;
	metrics_add(S_TUNNELS_OPEN, -1);
	loop_bury(w->loop, &t->grave, tunnel_free, t);
	worker_look_drained(w);
}

/* Tells the homeserver that its tunnel stands.  The socket's buffer is empty, so the few bytes fit.
 */
static bool
grant(int fd)
{
	return send(fd, GRANTED, sizeof(GRANTED) - 1, MSG_NOSIGNAL) == sizeof(GRANTED) - 1;
}

/* --- TLS ended here --- */

enum err
tunnel_inspect(struct worker *w, struct exchange *ex, const struct service_conf *s, struct str host,
    uint16_t port)
{
	struct tunnel *t = tunnel_new(w, s, host, port);
	struct buf rest;
	SSL *ssl;
	int fd;

	if (t == NULL)
		return ERR_MEMORY;
	t->id = ex->id;
	ssl = mint_accept(w->out.mint, t->host);
	if (ssl == NULL) {
		tunnel_end(t);
		return ERR_MEMORY;
	}
	fd = exchange_take(ex, &rest);
	if (fd < 0) {
		SSL_free(ssl);
		tunnel_end(t);
		return ERR_INTERNAL;
	}
	metrics_inc(S_TUNNELS_INSPECTED);
	if (!grant(fd)) {
		close(fd);
		SSL_free(ssl);
		tunnel_end(t);
	} else if (!http_server_adopt(&w->out.inner, fd, buf_str(&rest), ssl, "", t, NULL)) {
		log_error("outbound: no memory for a tunnel; closed it");
		tunnel_end(t);
	}
	buf_fini(&rest);
	return OK;
}

static bool
has_secret(const struct tunnel *t, const struct service_conf *s)
{
	unsigned char now[SECRET_DIGEST];

	digest_of(s, now);
	return s->way_out.secret.n > 0 && sodium_memcmp(now, t->secret, sizeof(now)) == 0;
}

/* The configuration may have changed since the CONNECT: a tunnel lasts no longer than the secret it
 * was opened with. */
static const struct service_conf *
service_now(const struct tunnel *t)
{
	const struct service_conf *s =
	    proxy_conf_service_by_name(t->w->conf, str_z(t->server_name));

	return s != NULL && has_secret(t, s) ? s : NULL;
}

void
tunnel_request(void *listener, struct exchange *ex, enum err bad)
{
	struct tunnel *t = listener;
	const struct service_conf *s = service_now(t);

	if (bad == OK && s == NULL)
		bad = ERR_OUT_TARGET_REFUSED;
	if (bad == OK)
		passage_out_tunnelled(t->w, ex, s, str_z(t->host), t->port);
	else
		passage_out_refuse(t->w, ex, bad);
}

/* What the homeserver's log calls a failed connection says nothing of the reason. */
static void
report_handshake(const struct tunnel *t, enum mint_fault fault)
{
	static const struct {
		enum series series;
		const char *text;
	} faults[MINT_FAULTS] = {
		[MINT_GONE] = { S_TUNNELS_GONE, "the homeserver left, or was too slow" },
		[MINT_DISTRUSTED] = { S_TUNNELS_DISTRUSTED,
		    "the homeserver does not trust the CA of outbound.ca_certificate" },
		[MINT_FORBIDDEN] = { S_TUNNELS_FORBIDDEN,
		    "the CA of outbound.ca_certificate may not issue for that name" },
		[MINT_OTHER] = { S_TUNNELS_FAILED,
		    "nothing in common, or no certificate can be issued" },
	};

	metrics_inc(faults[fault].series);
	log_info("%016llx outbound no TLS in the tunnel: %s", (unsigned long long)t->id,
	    faults[fault].text);
}

void
tunnel_closed(struct http_server *s, const struct http_conn *c)
{
	enum mint_fault fault = mint_fault(stream_ssl(c->stream));

	(void)s;
	if (fault != MINT_OK)
		report_handshake(c->listener, fault);
	tunnel_end(c->listener);
}

/* --- bytes as they are --- */

static bool
may_pass(const struct tunnel *t)
{
	const struct aim aim = { .host = str_z(t->host), .port = t->port };
	const struct service_conf *s = service_now(t);
	const struct allowed_conf *a = s != NULL ? aim_allowed(&aim, &s->way_out) : NULL;

	return a != NULL && !a->inspect;
}

/* The line of the CONNECT, which ends with its tunnel. */
static void
report(struct tunnel *t, enum err why)
{
	struct splice_bytes bytes = splice_bytes(t->splice);

	metrics_inc(S_ENDED + why);
	metrics_add(S_TUNNEL_BYTES_OUT, (int64_t)bytes.to_remote);
	metrics_add(S_TUNNEL_BYTES_IN, (int64_t)bytes.to_client);
	log_info("%016llx outbound status=200 reason=%s route=CONNECT ms=%llu in=%llu out=%llu",
	    (unsigned long long)t->id, err_name(why), (unsigned long long)(clock_now() - t->began),
	    (unsigned long long)bytes.to_remote, (unsigned long long)bytes.to_client);
}

static void
on_spliced(void *arg, enum err why)
{
	struct tunnel *t = arg;

	report(t, why);
	tunnel_end(t);
}

static void
on_client(void *arg, unsigned what) /* until the splice has it, which is in this turn */
{
	(void)arg;
	(void)what;
}

/* With what the client did not wait with. */
static void
begin_splice(struct tunnel *t, int fd, struct str early, struct stream *other)
{
	struct worker *w = t->w;
	const struct splice_config cfg = { .buffer = w->conf->relay_buffer,
		.idle = w->conf->forward.tunnel_idle_timeout,
		.to_client = STR(GRANTED),
		.to_remote = early };
	struct stream *client = stream_new(w->loop, fd, NULL, false, on_client, NULL);

	if (client != NULL)
		t->splice = splice_start(w->loop, client, other, &cfg, on_spliced, t);
	if (t->splice != NULL)
		return;
	metrics_inc(S_ENDED + ERR_MEMORY);
	log_error("outbound: no memory for a tunnel; closed it");
	if (client != NULL)
		stream_close(client);
	else
		close(fd);
	stream_close(other);
	tunnel_end(t);
}

enum err
tunnel_pass(struct worker *w, struct exchange *ex, const struct service_conf *s, struct str host,
    uint16_t port, struct stream *other)
{
	struct tunnel *t = tunnel_new(w, s, host, port);
	struct buf rest;
	int fd;

	if (t == NULL)
		return ERR_MEMORY;
	t->id = ex->id;
	t->began = ex->began;
	if (!may_pass(t)) {
		tunnel_end(t);
		return ERR_OUT_TARGET_REFUSED;
	}
	fd = exchange_take(ex, &rest);
	if (fd < 0) {
		tunnel_end(t);
		return ERR_INTERNAL;
	}
	metrics_inc(S_TUNNELS_PASSED);
	begin_splice(t, fd, buf_str(&rest), other);
	buf_fini(&rest);
	return OK;
}

/* --- all of them --- */

static void
cut(struct tunnel *t, enum err why)
{
	report(t, why);
	splice_cancel(t->splice);
	tunnel_end(t);
}

void
tunnels_judge(struct worker *w)
{
	size_t n = 0;

	LIST_FOR(node, &w->out.tunnels) {
		struct tunnel *t = LIST_ENTRY(node, struct tunnel, node);

		if (t->splice != NULL ? may_pass(t) : service_now(t) != NULL)
			continue;
		n++;
		if (t->splice != NULL)
			cut(t, ERR_OUT_TARGET_REFUSED);
		else
			http_server_leave(&w->out.inner, t);
	}
	if (n > 0)
		log_info("outbound: tunnels=%zu end: their secret, service or destination is no "
			 "longer configured",
		    n);
}

void
tunnels_cut(struct worker *w)
{
	LIST_FOR(node, &w->out.tunnels) {
		struct tunnel *t = LIST_ENTRY(node, struct tunnel, node);

		if (t->splice != NULL)
			cut(t, ERR_DRAINING);
	}
}
