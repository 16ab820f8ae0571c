/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls - server contexts: one per identity, chosen by SNI, with stateless resumption.
 *
 * Versions 1.2 and 1.3, suites and groups of BSI TR-02102-2 (CP-1.2.1-2/-4/-5).  A tls_server
 * belongs to one worker, so handshakes contend for nothing; ticket keys are a snapshot the control
 * thread rotates and hands to all workers, so a session resumes on any of them.
 */
#ifndef SCHLEUSE_NET_TLS_H
#define SCHLEUSE_NET_TLS_H

#include <openssl/ssl.h>

#include "lib/base/err.h"
#include "lib/base/snapshot.h"
#include "lib/base/str.h"

/* --- ticket keys --- */

#define TLS_TICKET_KEYS 3 /* the one that encrypts, and two that still decrypt */

struct tls_tickets {
	struct snapshot snap;
	struct tls_ticket_key {
		unsigned char name[16], aes[32], mac[32];
	} keys[TLS_TICKET_KEYS]; /* newest first */
	unsigned n;
};

/* A new snapshot: a fresh key in front of those of `old` (NULL: none).  NULL: out of memory. */
struct tls_tickets *tls_tickets_rotate(const struct tls_tickets *old) MUST_CHECK;
/* A new snapshot of these keys.  NULL: out of memory, or n is 0 or too large. */
struct tls_tickets *tls_tickets_of(const struct tls_ticket_key *keys, unsigned n) MUST_CHECK;

/* --- servers --- */

struct tls_identity {
	const char *name;         /* for messages */
	struct str certificate;   /* PEM, leaf first, then its chain */
	struct str key;           /* PEM */
	struct str ocsp;          /* DER response to staple; n == 0: none */
	const char *const *hosts; /* lower-case host names of SNI */
	size_t n_hosts;
};

struct tls_server_config {
	const struct tls_identity *identities; /* only used during tls_server_new() */
	size_t n;
	size_t fallback; /* identity for clients without SNI; n: none, they are refused */
	bool tls13;
	long ticket_lifetime_s;
};

struct tls_server;

/* NULL with a message in why[] on failure. */
struct tls_server *tls_server_new(const struct tls_server_config *cfg, struct tls_tickets *tickets,
    char *why, size_t why_size) MUST_CHECK;
void tls_server_free(struct tls_server *t); /* connections of it may live on */
void tls_server_set_tickets(
    struct tls_server *t, struct tls_tickets *tickets); /* takes a reference */

/* A server-side SSL, ready for stream_new(); NULL: out of memory. */
SSL *tls_server_accept(struct tls_server *t) MUST_CHECK;

#endif
