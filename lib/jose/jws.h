/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jws - JSON Web Signatures (RFC 7515): split, read the header, verify ES256 and BP256R1.
 *
 * BP256R1 (ECDSA over brainpoolP256r1 with SHA-256, raw r||s) is what the VZD signs with and no
 * JOSE library knows, so both curves go through OpenSSL here.
 */
#ifndef SCHLEUSE_JOSE_JWS_H
#define SCHLEUSE_JOSE_JWS_H

#include <openssl/evp.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

enum jws_alg { JWS_OTHER, JWS_ES256, JWS_BP256R1 };

struct jws_parts { /* in base64url, as received */
	struct str head, body, sig;
};

struct jws {
	struct jws_parts parts; /* signed is head "." body */
	struct str header;      /* decoded JSON text */
	struct str payload;     /* decoded bytes; none after jws_parse_head() */
	unsigned char sig[64];
	size_t sig_len; /* decoded length; anything but 64 never verifies */
	enum jws_alg alg;
	struct str typ; /* header members as unescaped text, n == 0 when absent */
	struct str x5u;
	struct str ppt; /* n == 0 also when it is no string */
	bool has_ppt;
	bool has_crit;  /* a "crit" member: nothing critical is understood here, refuse */
	struct str x5c; /* JSON text of the value of "x5c", n == 0 when absent */
};

/* Splits and decodes: exactly three parts, base64url without padding.  The header must be a valid
 * JSON object without duplicate names, and "alg", "typ" and "x5u" strings where present.  The
 * payload may be any bytes (RFC 7515): who reads it judges it, a federation list of a million
 * entries is no tree.  The token must outlive *out.  ERR_JWS_SYNTAX, ERR_MEMORY. */
enum err jws_parse(struct arena *a, struct str token, struct jws *out) MUST_CHECK;

bool jws_split(struct str token, struct jws_parts *out) MUST_CHECK; /* of a compact JWS */
/* The same from parts, which other serialisations have as well; the payload, which may be large,
 * for itself. */
enum err jws_parse_head(struct arena *a, const struct jws_parts *parts, struct jws *out) MUST_CHECK;
enum err jws_decode(struct arena *a, struct jws *j) MUST_CHECK; /* the payload, after that */

/* Whether signatures of this algorithm can be made with the key: an EC key on the algorithm's
 * curve. */
bool jws_key_fits(enum jws_alg alg, EVP_PKEY *key);

/* Verifies with a public key whose curve must fit the algorithm.  ERR_JWS_ALG, ERR_X5C_CURVE,
 * ERR_JWS_SIGNATURE. */
enum err jws_verify(const struct jws *j, EVP_PKEY *key) MUST_CHECK;

#endif
