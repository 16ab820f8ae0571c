/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jws_sign - makes compact JSON Web Signatures with ES256 and RS256 (RFC 7515, RFC 7518 3.4, 3.3).
 */
#ifndef SCHLEUSE_JOSE_JWS_SIGN_H
#define SCHLEUSE_JOSE_JWS_SIGN_H

#include <openssl/evp.h>

#include "lib/base/arena.h"
#include "lib/base/str.h"

/* The token of a header, JSON text that says "alg":"ES256", and a payload.  STR_NONE: no private
 * key on P-256, or out of memory. */
struct str jws_sign_es256(struct arena *a, struct str header, struct str payload, EVP_PKEY *key);
/* The same with "alg":"RS256".  STR_NONE: no private RSA key of 2048 to 8192 bits, or out of
 * memory. */
struct str jws_sign_rs256(struct arena *a, struct str header, struct str payload, EVP_PKEY *key);

#endif
