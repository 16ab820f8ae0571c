/* SPDX-License-Identifier: Apache-2.0 */
/*
 * issuers - certificates of sub-CAs, downloaded by their name when a chain lacks one.
 *
 * <base>/ECC/SUB-CA/<common name, blanks as "_", URL-quoted>.der.  What was downloaded is a
 * candidate until it chains to a root; only then does it help to build chains and is kept in the
 * state directory, where it is judged again when loaded.  One download for a name at a time; what
 * failed is left alone for a while; the number is bounded.  For one loop.
 */
#ifndef SCHLEUSE_TRUST_ISSUERS_H
#define SCHLEUSE_TRUST_ISSUERS_H

#include <openssl/x509.h>

#include "lib/trust/ask.h"

#define ISSUERS_NAME_MAX 128         /* bytes of a common name */
#define ISSUERS_MAX_BYTES (16 << 10) /* of a certificate */

struct issuers;

struct issuers_config {
	const char *base_url;       /* NULL: nothing is downloaded */
	const char *state_dir;      /* NULL: keep nothing */
	size_t max;                 /* names, with those that failed */
	void (*changed)(void *arg); /* later: a download is over, whatever came of it */
	void *arg;
};

/* `ask` and `roots` must outlive it or the next issuers_verify().  Loads what is kept.  NULL: out
 * of memory. */
struct issuers *issuers_new(
    const struct trust_ask *ask, const struct issuers_config *cfg, X509_STORE *roots) MUST_CHECK;
void issuers_free(struct issuers *s);

/* A chain lacks the issuer of this certificate.  OK: a download is under way; ERR_ISSUER: it cannot
 * be had now; ERR_X5C_CHAIN: it can be had, but does not lead to a root, or nothing is downloaded
 * here. */
enum err issuers_want(struct issuers *s, X509 *of) MUST_CHECK;

/* There are other roots: judges all again. */
void issuers_verify(struct issuers *s, X509_STORE *roots);

/* Appends those that chain to a root, with a reference each.  false: out of memory. */
bool issuers_collect(const struct issuers *s, STACK_OF(X509) *out) MUST_CHECK;

/* Where the certificate of a common name is; freed with free().  NULL: not a name we ask for, or
 * out of memory. */
char *issuers_url(const char *base_url, struct str common_name) MUST_CHECK;

#endif
