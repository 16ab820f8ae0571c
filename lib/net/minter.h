/* SPDX-License-Identifier: Apache-2.0 */
/*
 * minter - certificates on the fly for the TLS of the own homeserver's tunnels (design: "forward
 * proxy"; requirement FD-5.2.1.2-4/-7).
 *
 * A local CA, which nobody but the own homeserver trusts, issues a short-lived certificate for
 * whatever host a client asks for by SNI, or without SNI for the host of its CONNECT.  The CA is an
 * immutable snapshot that all threads share; each worker has a mint of its own with one key pair
 * and a bounded cache of certificates, so handshakes contend for nothing.
 */
#ifndef SCHLEUSE_NET_MINTER_H
#define SCHLEUSE_NET_MINTER_H

#include <openssl/ssl.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/snapshot.h"
#include "lib/base/str.h"

struct minter_ca; /* begins with a struct snapshot */

/* From PEM; behind the CA's certificate may stand those of its issuers, which are then shown too.
 * NULL with a message of what is wrong and what to do: no CA, key does not fit, expired, no name
 * constraints, not pathlen 0.  Else why[] is "", or a warning: it ends within 30 days. */
struct minter_ca *minter_ca_load(
    struct str certificate_pem, struct str key_pem, char *why, size_t why_size) MUST_CHECK;
int64_t minter_ca_not_after(const struct minter_ca *ca); /* wall-clock second */

/* --- making one (schleuse-proxy --make-ca) --- */

#define MINTER_CA_CERTIFICATE "ca.pem"
#define MINTER_CA_KEY "ca.key"

struct minter_ca_request {
	const char *const *permitted; /* DNS names and their subdomains, IP addresses or networks,
					 it may issue for; n == 0: any but the excluded ones */
	size_t n_permitted;
	const char *const *excluded; /* the same; they win over permitted ones */
	size_t n_excluded;
	unsigned days;
};

/* Whether `name` is among the permitted names, or above one: excluding it would take that one back.
 */
bool minter_ca_permits(const struct minter_ca_request *r, const char *name);

/* Writes <folder>/ca.pem (0644) and <folder>/ca.key (0600), both new: an existing file is never
 * overwritten.  false with a message. */
bool minter_ca_make(
    const char *folder, const struct minter_ca_request *r, char *why, size_t why_size) MUST_CHECK;

/* --- one worker's certificates --- */

struct mint;

struct mint_config {
	clock_ms lifetime;         /* of a certificate; it is used for half of that */
	size_t max_entries;        /* certificates kept; least recently used ones go first */
	void (*minted)(void *arg); /* counts; may be NULL */
	void *arg;
};

struct mint *mint_new(struct minter_ca *ca, const struct mint_config *cfg) MUST_CHECK;
void mint_free(struct mint *m); /* connections of it may live on */

/* A server-side SSL for stream_new() that shows a certificate for the client's SNI, or for `host`
 * (name or IP literal without brackets) if it sends none.  A name the CA may not issue for ends the
 * handshake with unrecognized_name.  HTTP/1.1 only, no tickets.  NULL: out of memory. */
SSL *mint_accept(struct mint *m, const char *host) MUST_CHECK;

/* How the handshake of such an SSL ended, as far as alerts tell. */
enum mint_fault {
	MINT_OK,
	MINT_GONE,       /* without a word: the client went away, or was too slow */
	MINT_DISTRUSTED, /* the client does not take the certificate: it does not trust the CA */
	MINT_FORBIDDEN,  /* the CA may not issue for that name */
	MINT_OTHER,
	MINT_FAULTS
};

enum mint_fault mint_fault(const SSL *ssl);

#endif
