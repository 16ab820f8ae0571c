/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/webd.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/http/h2conn_int.h"
#include "tests/unit/pki.h"

void
webd_answer(struct webd_request *r)
{
	struct webd *d = r->webd;
	struct exchange *ex = r->held;

	r->held = NULL;
	if (ex != NULL)
		exchange_answer(ex, d->status, "text/plain", str_z(d->fields), d->body);
}

static void
complete(struct webd_request *r)
{
	struct webd *d = r->webd;

	d->n++;
	if (!d->hold)
		webd_answer(r);
}

static void
on_body(void *arg)
{
	struct webd_request *r = arg;
	struct str data;
	enum exchange_body b;
	enum err why;

	while ((b = exchange_peek(r->held, &data, &why)) == EXCHANGE_DATA) {
		cr_assert_lt(r->body_n + data.n, sizeof(r->body));
		str_put(r->body + r->body_n, data);
		r->body_n += data.n;
		exchange_consume(r->held, data.n);
	}
	cr_assert_neq(b, EXCHANGE_BAD);
	if (b == EXCHANGE_END) {
		exchange_want_body(r->held, false);
		complete(r);
	}
}

static void
on_room(void *arg)
{
	(void)arg;
}

static void
on_gone(void *arg, enum err why)
{
	struct webd_request *r = arg;

	(void)why;
	r->held = NULL;
	r->gone = true;
}

static const struct exchange_events events = { .body = on_body, .room = on_room, .gone = on_gone };

static void
note(struct webd_request *r, const struct h1_head *head)
{
	size_t n = 0;

	snprintf(r->method, sizeof(r->method), STR_FMT, STR_ARG(head->method_text));
	snprintf(r->target, sizeof(r->target), STR_FMT, STR_ARG(head->target));
	for (size_t i = 0; i < head->n_fields; i++)
		n += (size_t)snprintf(r->fields + n, sizeof(r->fields) - n,
		    STR_FMT ": " STR_FMT "\n", STR_ARG(head->fields[i].name),
		    STR_ARG(head->fields[i].value));
	cr_assert_lt(n, sizeof(r->fields));
}

static void
on_request(void *arg, struct exchange *ex, enum err bad)
{
	struct webd *d = arg;
	struct webd_request *r = NULL;

	cr_assert_eq(bad, OK, "%s", err_rows[bad].name);
	if (d->refuse > 0) {
		d->refuse--;
		h2conn_reset((struct h2stream *)ex, NGHTTP2_REFUSED_STREAM);
		return;
	}
	for (size_t i = d->n; r == NULL && i < WEBD_REQUESTS; i++)
		if (d->requests[i].webd == NULL)
			r = &d->requests[i];
	cr_assert_not_null(r);
	r->webd = d;
	r->held = ex;
	r->certificate = ex->certificate != NULL;
	note(r, &ex->req);
	ex->events = &events;
	ex->arg = r;
	exchange_want_body(ex, true);
	on_body(r);
}

static void
on_count(struct http_server *s, enum http_count what)
{
	struct webd *d = s->owner;

	d->counts[what]++;
}

static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *n, const unsigned char *in,
    unsigned in_n, void *arg)
{
	static const unsigned char ours[] = "\x02h2\x08http/1.1";
	const struct webd *d = arg;
	size_t skip = d->h1 ? 3 : 0;
	unsigned char *found;

	(void)ssl;
	if (SSL_select_next_proto(&found, n, ours + skip, (unsigned)(sizeof(ours) - 1 - skip), in,
		in_n) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = found;
	return SSL_TLSEXT_ERR_OK;
}

static void
on_connection(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_n)
{
	struct webd *d = arg;
	SSL *ssl = SSL_new(d->tls);

	(void)peer, (void)peer_n;
	SSL_set_accept_state(ssl);
	cr_assert(http_server_open(&d->server, fd, ssl, "127.0.0.1", d, NULL));
}

static void
open_tls(struct webd *d)
{
	d->key = pki_key(PKI_P256);
	d->cert = pki_certificate(d->key, &(struct pki_certificate){ 0 });
	d->anchors = pki_store(d->cert);
	d->tls = SSL_CTX_new(TLS_server_method());
	cr_assert_eq(SSL_CTX_use_certificate(d->tls, d->cert), 1);
	cr_assert_eq(SSL_CTX_use_PrivateKey(d->tls, d->key), 1);
	SSL_CTX_set_alpn_select_cb(d->tls, on_alpn, d);
	SSL_CTX_set_mode(
	    d->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

void
webd_open(struct webd *d, struct loop *loop)
{
	char at[64];

	signal(SIGPIPE, SIG_IGN); /* a client that refuses the certificate goes away early */
	memset(d, 0, sizeof(*d));
	d->loop = loop;
	d->status = 200;
	http_server_init(&d->server, loop);
	d->server.limits = (struct http_limits){ .head = { 8192, 2048, 50 },
		.body_max = 100000,
		.request_memory = 65536,
		.handshake_timeout = 60000,
		.head_timeout = 60000,
		.idle_timeout = 60000,
		.body_timeout = 60000,
		.write_timeout = 60000,
		.h2 = { 100, 65535, 100000, 1000, 1000 } };
	d->server.request = on_request;
	d->server.count = on_count;
	d->server.owner = d;
	open_tls(d);
	d->fd = listener_bind(NULL, "127.0.0.1", 0);
	cr_assert_geq(d->fd, 0);
	listener_address(d->fd, at, sizeof(at));
	d->port = (uint16_t)strtoul(strrchr(at, ':') + 1, NULL, 10);
	d->listener = listener_new(loop, d->fd, on_connection, d);
	cr_assert_not_null(d->listener);
}

void
webd_ask_certificate(struct webd *d, X509 *issuer)
{
	SSL_CTX_set0_verify_cert_store(d->tls, pki_store(issuer));
	SSL_CTX_set_verify(d->tls, SSL_VERIFY_PEER, NULL);
}

void
webd_cut(struct webd *d)
{
	while (!list_empty(&d->server.conns)) {
		struct http_conn *c =
		    LIST_ENTRY(list_first(&d->server.conns), struct http_conn, node);

		c->ops->cut(c);
	}
}

const char *
webd_field(const struct webd_request *r, const char *name)
{
	static char value[2048];

	for (const char *p = r->fields; *p != '\0'; p = strchr(p, '\n') + 1)
		if (strncasecmp(p, name, strlen(name)) == 0 && p[strlen(name)] == ':') {
			snprintf(value, sizeof(value), "%.*s",
			    (int)strcspn(p + strlen(name) + 2, "\n"), p + strlen(name) + 2);
			return value;
		}
	return "";
}

void
webd_close(struct webd *d)
{
	listener_free(d->listener);
	http_server_fini(&d->server);
	close(d->fd);
	SSL_CTX_free(d->tls);
	X509_STORE_free(d->anchors);
	X509_free(d->cert);
	EVP_PKEY_free(d->key);
}
