/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connector - race, then the proxy if there is one, then TLS.
 *
 * The proxy's answer is looked at in the socket and only its head is taken out, so that the stream
 * that is made of the socket afterwards finds what belongs to it.
 */
#include "lib/net/connector.h"

#include <errno.h>
#include <event2/event.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/net/proxytunnel.h"
#include "lib/net/race.h"
#include "lib/net/tlsclient.h"

struct connector {
	struct loop *loop;
	const struct connector_target *to;
	void (*fn)(void *arg, struct stream *s, enum err why);
	void *arg;
	struct timer deadline;
	struct race *race;
	int fd;           /* connected, and no stream yet; or -1 */
	struct event *ev; /* of fd, while the proxy is talked to */
	struct buf ask;   /* what the proxy has not been sent yet */
	struct stream *stream;
};

/* --- the end --- */

void
connector_cancel(struct connector *c)
{
	if (c == NULL)
		return;
	timer_clear(&c->deadline);
	race_cancel(c->race);
	if (c->ev != NULL)
		event_free(c->ev);
	if (c->fd >= 0)
		close(c->fd);
	stream_close(c->stream);
	buf_fini(&c->ask);
	free(c);
}

static void
end(struct connector *c, enum err why)
{
	void (*fn)(void *arg, struct stream *s, enum err why) = c->fn;
	void *arg = c->arg;
	struct stream *s = why == OK ? c->stream : NULL;

	if (why == OK)
		c->stream = NULL;
	connector_cancel(c);
	fn(arg, s, why);
}

static void
on_deadline(void *arg)
{
	end(arg, ERR_REMOTE_TIMEOUT);
}

/* --- TLS --- */

enum err
connector_tls_reason(const SSL *ssl)
{
	switch (SSL_get_verify_result(ssl)) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return ERR_REMOTE_TLS_NAME;
	case X509_V_ERR_CERT_NOT_YET_VALID:
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return ERR_REMOTE_TLS_EXPIRED;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
	case X509_V_ERR_CERT_CHAIN_TOO_LONG:
	case X509_V_ERR_CERT_UNTRUSTED:
	case X509_V_ERR_CERT_REJECTED:
	case X509_V_ERR_INVALID_CA:
	case X509_V_ERR_INVALID_PURPOSE:
	case X509_V_ERR_PATH_LENGTH_EXCEEDED:
	case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
	case X509_V_ERR_SUBJECT_ISSUER_MISMATCH:
	case X509_V_ERR_AKID_SKID_MISMATCH:
	case X509_V_ERR_AKID_ISSUER_SERIAL_MISMATCH:
	case X509_V_ERR_PERMITTED_VIOLATION:
	case X509_V_ERR_EXCLUDED_VIOLATION:
		return ERR_REMOTE_TLS_CHAIN;
	default:
		return ERR_REMOTE_TLS;
	}
}

static void
on_stream(void *arg, unsigned what)
{
	struct connector *c = arg;
	SSL *ssl = stream_ssl(c->stream);

	(void)what;
	if (stream_failed(c->stream)) {
		end(c, ssl != NULL ? connector_tls_reason(ssl) : ERR_REMOTE_CONNECT);
		return;
	}
	stream_want(c->stream, 0);
	end(c, OK);
}

/* The socket leads to the target now. */
static void
secure(struct connector *c)
{
	SSL *ssl = NULL;

	if (c->to->tls != NULL) {
		ssl = tlsclient_connect(c->to->tls, c->to->tls_name);
		if (ssl == NULL) {
			end(c, ERR_MEMORY);
			return;
		}
	}
	c->stream = stream_new(c->loop, c->fd, ssl, false, on_stream, c);
	if (c->stream == NULL) {
		SSL_free(ssl);
		end(c, ERR_MEMORY);
		return;
	}
	c->fd = -1;
	stream_want(c->stream, STREAM_WRITE);
}

/* --- an HTTP proxy --- */

/* false: it is gone. */
static bool
send_ask(struct connector *c)
{
	while (buf_len(&c->ask) > 0) {
		struct str s = buf_str(&c->ask);
		ssize_t n = send(c->fd, s.p, s.n, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
		buf_consume(&c->ask, (size_t)n);
	}
	return true;
}

/* `all`: nothing follows. */
static void
judge_answer(struct connector *c, struct str got, bool all)
{
	char head[PROXYTUNNEL_HEAD_MAX];
	size_t len = 0;
	int status = 0;

	switch (proxytunnel_read(got, &len, &status)) {
	case PROXYTUNNEL_MORE:
		if (!all)
			return;
		break;
	case PROXYTUNNEL_OPEN:
		event_free(c->ev);
		c->ev = NULL;
		if (recv(c->fd, head, len, 0) != (ssize_t)len)
			end(c, ERR_REMOTE_PROXY);
		else
			secure(c);
		return;
	case PROXYTUNNEL_REFUSED:
		log_info("the HTTP proxy on the way out answers CONNECT with %d", status);
		break;
	case PROXYTUNNEL_BAD:
		log_info("the HTTP proxy on the way out gives no answer of HTTP/1.1 to CONNECT");
		break;
	}
	end(c, ERR_REMOTE_PROXY);
}

static void
on_proxy(evutil_socket_t fd, short what, void *arg)
{
	struct connector *c = arg;
	char got[PROXYTUNNEL_HEAD_MAX];
	ssize_t n;

	if (!send_ask(c)) {
		end(c, ERR_REMOTE_PROXY);
		return;
	}
	n = recv(fd, got, sizeof(got), MSG_PEEK);
	if (n > 0)
		judge_answer(c, str_of(got, (size_t)n), (what & EV_CLOSED) != 0);
	else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
		end(c, ERR_REMOTE_PROXY);
}

/* Edge-triggered: bytes that were looked at and left there are not told of again. */
static void
ask_proxy(struct connector *c)
{
	c->ev = event_new(loop_base(c->loop), c->fd,
	    EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST, on_proxy, c);
	if (c->ev == NULL || event_add(c->ev, NULL) != 0)
		end(c, ERR_MEMORY);
}

/* --- the beginning --- */

static bool
is_shortage(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOMEM || err == ENOBUFS;
}

static void
on_raced(void *arg, int fd, int err)
{
	struct connector *c = arg;

	c->race = NULL;
	c->fd = fd;
	if (fd < 0)
		end(c, is_shortage(err)         ? ERR_MEMORY
		       : c->to->through != NULL ? ERR_REMOTE_PROXY
						: ERR_REMOTE_CONNECT);
	else if (c->to->through != NULL)
		ask_proxy(c);
	else
		secure(c);
}

struct connector *
connector_start(struct loop *loop, const struct connector_target *to,
    void (*fn)(void *arg, struct stream *s, enum err why), void *arg)
{
	struct connector *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->loop = loop;
	c->to = to;
	c->fn = fn;
	c->arg = arg;
	c->fd = -1;
	timer_init(&c->deadline, on_deadline, c);
	buf_init(&c->ask, 16384);
	if (to->through != NULL &&
	    !proxytunnel_ask(&c->ask, to->through, to->through_authorization)) {
		connector_cancel(c);
		return NULL;
	}
	c->race = race_start(loop, to->at, to->n, to->attempt_delay, on_raced, c);
	if (c->race == NULL) {
		connector_cancel(c);
		return NULL;
	}
	timer_set(loop, &c->deadline, to->timeout);
	return c;
}
