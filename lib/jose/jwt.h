/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt - access tokens that are JWTs with ES256, in the form of RFC 9068: whose they are, for whom,
 * and whether they count now.
 *
 * The algorithm is not the token's to choose, and keys are found by `kid` among the given ones
 * only.  What else a token says its reader judges.  Pure but for OpenSSL's error queue.
 */
#ifndef SCHLEUSE_JOSE_JWT_H
#define SCHLEUSE_JOSE_JWT_H

#include <openssl/evp.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/jose/claims.h"

#define JWT_TYP "at+jwt"
#define JWT_SKEW_S 60 /* between the clocks of who issues and who reads */
#define JWT_KID 43    /* base64url of the SHA-256 of the public key (DER) */

struct jwt_key {
	EVP_PKEY *key; /* P-256 */
	char kid[JWT_KID + 1];
};

/* Key and its name; the key's reference is t's from now on, one it had before is dropped.  false:
 * out of memory. */
bool jwt_key_set(struct jwt_key *t, EVP_PKEY *key) MUST_CHECK;

struct jwt_rules {
	const char *issuer, *audience;
	const struct jwt_key *keys;
	size_t n_keys;
};

/* OK: *claims is the payload, given back by claims_free(), and *issued its iat.  ERR_MEMORY;
 * ERR_AUTH_TOKEN: not one by these rules at `now`; *forged: nobody comes by such a token
 * honestly. */
enum err jwt_open(struct arena *a, const struct jwt_rules *r, struct str text, int64_t now,
    struct claims **claims, int64_t *issued, bool *forged) MUST_CHECK;

#endif
