/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connector - a connection to another server: one of several addresses, TLS, the peer verified.
 *
 * Addresses are tried in their order in the manner of RFC 8305 (happy eyeballs; lib/net/race): the
 * next one starts when the one before has failed or has been silent for attempt_delay; the first
 * that stands wins.  Who makes the list lets families alternate in it.  The TLS handshake follows
 * on the winner; a certificate that does not pass ends it all, for the other addresses belong to
 * the same name.  With an HTTP proxy in between, the addresses are the proxy's and the target is
 * named to it by CONNECT (RFC 9110 9.3.6).
 *
 * For the thread of its loop.  Nothing of a request is sent before fn() says OK.
 */
#ifndef SCHLEUSE_NET_CONNECTOR_H
#define SCHLEUSE_NET_CONNECTOR_H

#include "lib/net/address.h"
#include "lib/net/stream.h"

struct connector_target { /* must live until the end, the addresses only during connector_start() */
	const struct address *at; /* where to connect, best first, at most RACE_MAX of them */
	size_t n;
	SSL_CTX *tls; /* of tlsclient_context(); NULL: plain */
	const char
	    *tls_name; /* name or IP literal the certificate must be for; sent as SNI if a name */
	/* Of a proxy in between, to which the addresses belong; NULL: none, else "host:port" of the
	 * target as CONNECT names it. */
	const char *through;
	const char *through_authorization; /* value of Proxy-Authorization, or NULL */
	clock_ms attempt_delay;            /* until the next address is tried as well */
	clock_ms timeout;                  /* of everything, the handshake included */
};

struct connector;

/* fn is called later exactly once unless cancelled: with an open stream that is the receiver's, or
 * NULL and why: ERR_REMOTE_CONNECT, _TIMEOUT, _PROXY (it cannot be connected to, refuses, or talks
 * something else), _TLS, _TLS_NAME, _TLS_CHAIN, _TLS_EXPIRED, ERR_MEMORY (descriptors too).  NULL:
 * out of memory, or a line break in what a proxy is told; nobody is called. */
struct connector *connector_start(struct loop *loop, const struct connector_target *to,
    void (*fn)(void *arg, struct stream *s, enum err why), void *arg) MUST_CHECK;
void connector_cancel(struct connector *c); /* NULL is allowed; invalid once fn was called */

/* Which of the ERR_REMOTE_TLS* a failed handshake is, by OpenSSL's verdict on the certificate. */
enum err connector_tls_reason(const SSL *ssl);

#endif
