/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x5c - certificates that sign tokens and lists: parse, chain, judge.
 *
 * Revocation is not looked at here: only what reads PEM files does I/O.  Judging is
 * safe from any thread, also with shared certificates and stores.
 */
#ifndef SCHLEUSE_JOSE_X5C_H
#define SCHLEUSE_JOSE_X5C_H

#include <openssl/x509.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

#define X5C_MAX 8 /* certificates in one header */

/* The certificates of a raw JSON "x5c" value, signer first; line feeds inside the base64 are
 * skipped.  *out is freed with sk_X509_pop_free(out, X509_free).  ERR_X5C_SYNTAX, ERR_MEMORY. */
enum err x5c_parse(struct arena *a, struct str x5c, STACK_OF(X509) **out) MUST_CHECK;

/* One certificate in base64 (DER), as in that list. */
enum err x5c_certificate(struct arena *a, struct str base64, X509 **out) MUST_CHECK;

struct x5c_demands {
	X509_STORE *anchors;     /* trust anchors, and intermediates as untrusted helpers */
	int64_t at;              /* wall-clock second at which the chain must be valid */
	const char *role;        /* OID in the admission extension (1.3.36.8.3.3), or NULL */
	const char *common_name; /* exact subject CN, or NULL */
};

/* Judges the first certificate of the stack, the others help to build the chain.  keyUsage must be
 * present and contain digitalSignature.  ERR_X5C_VALIDITY, ERR_X5C_CHAIN, ERR_X5C_USAGE,
 * ERR_X5C_ROLE, ERR_MEMORY. */
enum err x5c_judge(STACK_OF(X509) *certs, const struct x5c_demands *d) MUST_CHECK;

/* The parts of that judgement, for who has to order or remember them. */
struct x5c_span {
	int64_t from, to; /* seconds, both inclusive; dates beyond what time_t prints are clamped */
};
bool x5c_may_sign(X509 *cert); /* keyUsage is present and contains digitalSignature */
bool x5c_has_role(X509 *cert, const char *oid);
bool x5c_has_name(X509 *cert, const char *common_name); /* exactly one CN, and it is this */
/* *valid (may be NULL) is when all certificates of the chain found are valid.  ERR_X5C_VALIDITY
 * before ERR_X5C_CHAIN if the first certificate is out of its dates; ERR_MEMORY. */
enum err x5c_chain(
    STACK_OF(X509) *certs, X509_STORE *anchors, int64_t at, struct x5c_span *valid) MUST_CHECK;
/* The same, with the chain itself: signer first, trust anchor last; freed like that of x5c_parse().
 */
enum err x5c_build(STACK_OF(X509) *certs, X509_STORE *anchors, int64_t at, struct x5c_span *valid,
    STACK_OF(X509) **chain) MUST_CHECK;
/* What the signer must be besides having a chain: ERR_X5C_USAGE, ERR_X5C_ROLE. */
enum err x5c_demand(X509 *signer, const struct x5c_demands *d) MUST_CHECK;

/* The certificates of a PEM file, in its order.  NULL with *why: ERR_FILE (errno), ERR_X5C_SYNTAX,
 * ERR_MEMORY. */
STACK_OF(X509) *x5c_read_pem(const char *file, enum err *why) MUST_CHECK;
/* The same of text; ERR_X5C_SYNTAX, ERR_MEMORY. */
STACK_OF(X509) *x5c_parse_pem(struct str pem, enum err *why) MUST_CHECK;

/* A store of all certificates in PEM files; self-signed ones are anchors, and so are all others
 * (partial chains are allowed: pinning an intermediate is a configuration).  NULL with *why and
 * errno on failure. */
X509_STORE *x5c_anchors(const char *const *pem_files, size_t n, enum err *why) MUST_CHECK;

#endif
