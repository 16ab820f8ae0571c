/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwsform - the signatures of a JWS in compact or in general JSON serialisation (RFC 7515, 7.1 and
 * 7.2.1).
 *
 * Of the JSON form only what is protected counts: a signature whose unprotected header names an
 * algorithm is left out, and other unprotected members are not looked at.  Who reads the signatures
 * decides which of them he knows; one that verifies suffices (B-5.8.5).  Pure: the parts point into
 * the text.
 */
#ifndef SCHLEUSE_JOSE_JWSFORM_H
#define SCHLEUSE_JOSE_JWSFORM_H

#include "lib/jose/jws.h"

#define JWSFORM_MAX 8 /* signatures */

struct jwsform {
	struct jws_parts v[JWSFORM_MAX];
	size_t n; /* at least 1 */
};

/* ERR_JWS_SYNTAX; ERR_JWS_ALG when no signature is left. */
enum err jwsform_split(struct str text, struct jwsform *out) MUST_CHECK;

#endif
