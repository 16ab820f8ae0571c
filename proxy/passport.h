/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passport - verification of PASSporTs (RFC 8225; FD-5.2.1.2-15/-16, FD-5.2.1.3-6/-7).
 *
 * The trust store is an immutable snapshot made on the control thread; verification is pure and
 * runs on workers.  The certificate is found in the store by the token's x5u, or, where the
 * certificates of the store have no URL, by trying their keys; it is never fetched from the URL,
 * and a certificate inside the token counts for nothing.
 */
#ifndef SCHLEUSE_PROXY_PASSPORT_H
#define SCHLEUSE_PROXY_PASSPORT_H

#include <openssl/x509.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/snapshot.h"
#include "lib/base/str.h"
#include "lib/jose/x5c.h"

struct passport_trust; /* starts with a struct snapshot */

struct passport_certificate {
	const char *file;      /* PEM; the first certificate signs, others are intermediates */
	const char *x5u;       /* the URL tokens name it by, or NULL: found by its key */
	STACK_OF(X509) *certs; /* the same instead of a file; not taken over */
	bool chain_later;      /* whom it leads to is known with passport_trust_some() */
};

/* Reads the certificates.  Certificates that do not chain, are expired or lack digitalSignature are
 * kept and refuse with their own reason when used, and are logged.  NULL with *why, and errno for
 * ERR_FILE. */
struct passport_trust *passport_trust_new(const struct passport_certificate *certs, size_t n,
    X509_STORE *anchors, enum err *why) MUST_CHECK;

/* All of `base` (which may be NULL) and n more certificates. */
struct passport_trust *passport_trust_join(const struct passport_trust *base,
    const struct passport_certificate *certs, size_t n, X509_STORE *anchors,
    enum err *why) MUST_CHECK;

struct passport_pick {
	bool counts;
	X509_STORE
	*issuers; /* whom the certificate leads to, or NULL: the anchors given at first */
	struct x5c_span valid; /* its chain to them */
};

/* Those of t that count; there is a pick for each certificate: files first, in the order in which
 * they were given.  NULL: out of memory. */
struct passport_trust *passport_trust_some(
    const struct passport_trust *t, const struct passport_pick *picks) MUST_CHECK;
size_t passport_trust_count(const struct passport_trust *t);
STACK_OF(X509) *passport_trust_certs(const struct passport_trust *t, size_t i); /* not counted */
const char *passport_trust_x5u(const struct passport_trust *t, size_t i);       /* NULL: none */

/* Whether a certificate, with its intermediates behind it, may vouch for tokens at that time: OK,
 * ERR_PASSPORT_USAGE, _VALIDITY, _CHAIN, or ERR_MEMORY. */
enum err passport_judge(STACK_OF(X509) *certs, X509_STORE *anchors, int64_t now) MUST_CHECK;

/* The x5u of a token, in the arena; n == 0: it has none, or is none. */
struct str passport_x5u(struct arena *a, struct str token);

struct passport_demands {
	struct str orig;      /* MXID of the inviting user */
	struct str dest;      /* MXID of the invited user */
	int64_t now;          /* wall-clock second */
	int64_t max_age_s;    /* 0: unlimited */
	int64_t max_future_s; /* clock skew, 60 by default */
	bool iat_optional;
};

#define PASSPORT_MAX (8 * 1024) /* bytes of a token */

/* OK or the first ERR_PASSPORT_* that applies, in this order: syntax, type, alg, ppt (and crit),
 * certificate, usage, validity, chain, signature, orig, dest, iat, future, old; or ERR_MEMORY.
 *
 * Syntax includes the payload: "orig" is an object with exactly one member, a string, and "dest" an
 * object whose "uri" is an array of strings.  Which certificate: if some have the token's x5u, only
 * those; otherwise those without URL whose key fits, and for a token without x5u any whose key
 * fits.  Where several do, one that is in order suffices.  If no key fits, the certificate named is
 * not known (certificate), or the signature of a token that names none is wrong. */
enum err passport_verify(struct arena *a, const struct passport_trust *t, struct str token,
    const struct passport_demands *d) MUST_CHECK;

#endif
