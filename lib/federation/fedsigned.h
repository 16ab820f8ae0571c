/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fedsigned - the signatures of a federation list: whose they are, and whether one of them counts.
 *
 * Compact JWS, or general JSON serialisation, of which one signature that verifies suffices
 * (B-5.8.5).  Pure, apart from reading certificates and stores; any thread.
 */
#ifndef SCHLEUSE_FEDERATION_FEDSIGNED_H
#define SCHLEUSE_FEDERATION_FEDSIGNED_H

#include "lib/jose/jwsform.h"
#include "lib/jose/x5c.h"

#define FEDSIGNED_ROOM (JWSFORM_MAX * 512 * 1024) /* bytes of arena besides the text's own */

/* The texts are without blanks and line ends around them, as an editor may leave: str_strip(). */

/* The certificates of each readable signature, signer first, to be freed with
 * sk_X509_pop_free(x, X509_free).  *n > 0 if OK; else why the first one cannot be read. */
enum err fedsigned_signers(struct str text, STACK_OF(X509) *out[JWSFORM_MAX], size_t *n) MUST_CHECK;

/* Whether signatures can be read, but none of that algorithm. */
bool fedsigned_lacks(struct str text, enum jws_alg alg) MUST_CHECK;

struct fedsigned_demands {
	struct x5c_demands x5c;
	X509 *only; /* no other signer counts; NULL: any that meets the demands */
};

/* *j is the signature that counts, with its payload; *signer its certificates.  Else what is wrong
 * with the first one. */
enum err fedsigned_verify(struct arena *a, struct str text, const struct fedsigned_demands *d,
    struct jws *j, STACK_OF(X509) **signer) MUST_CHECK;

#endif
