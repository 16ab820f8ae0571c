/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls - server contexts: one per identity, chosen by SNI, with stateless resumption.
 *
 * Versions 1.2 and 1.3, suites and groups of BSI TR-02102-2 (CP-1.2.1-2/-4/-5).  A tls_server
 * belongs to one worker, so handshakes contend for nothing; ticket keys are a snapshot the control
 * thread rotates and hands to all workers, so a session resumes on any of them.  So are the OCSP
 * responses to staple.
 */
#ifndef SCHLEUSE_NET_TLS_H
#define SCHLEUSE_NET_TLS_H

#include <openssl/ssl.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/net/staples.h"
#include "lib/net/ticketkeys.h"

/* Versions, suites, groups and signatures of our profile, for either side.  false: OpenSSL refuses
 * them. */
bool tls_profile(SSL_CTX *ctx, bool tls13) MUST_CHECK;

/* In a client-hello callback: the host name of SNI as the client wrote it, n == 0 if it sent none.
 * false: malformed. */
bool tls_hello_name(SSL *ssl, struct str *out) MUST_CHECK;

/* --- servers --- */

struct tls_identity {
	const char *name;         /* for messages */
	struct str certificate;   /* PEM, leaf first, then its chain */
	struct str key;           /* PEM */
	const char *const *hosts; /* lower-case host names of SNI */
	size_t n_hosts;
};

struct tls_server_config {
	const struct tls_identity *identities; /* only used during tls_server_new() */
	size_t n;
	size_t fallback; /* identity for clients without SNI; n: none, they are refused */
	bool tls13;
	bool http2; /* ALPN offers h2 before http/1.1 */
	long ticket_lifetime_s;
	/* Clients may show a certificate that chains to one of these; a reference is taken.  NULL:
	 * they are not asked for one. */
	X509_STORE *client_anchors;
};

struct tls_server;

/* NULL with a message in why[] on failure. */
struct tls_server *tls_server_new(const struct tls_server_config *cfg, struct tls_tickets *tickets,
    char *why, size_t why_size) MUST_CHECK;
void tls_server_free(struct tls_server *t); /* connections of it may live on */
void tls_server_set_tickets(
    struct tls_server *t, struct tls_tickets *tickets); /* takes a reference */

/* In the order of the identities; takes a reference, NULL: none. */
void tls_server_set_staples(struct tls_server *t, struct tls_staples *staples);

/* A server-side SSL, ready for stream_new(); NULL: out of memory. */
SSL *tls_server_accept(struct tls_server *t) MUST_CHECK;

#endif
