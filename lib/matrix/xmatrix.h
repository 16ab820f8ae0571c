/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xmatrix - the X-Matrix authorization scheme (Matrix server-server API, "Request Authentication";
 * FD-5.2.1.2-10).
 *
 * Pure: parses header values, assembles the signed bytes, verifies one signature.
 */
#ifndef SCHLEUSE_MATRIX_XMATRIX_H
#define SCHLEUSE_MATRIX_XMATRIX_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

#define XMATRIX_MAX_HEADERS 8

/* One parsed header.  Values are unescaped; they point into the header or the arena. */
struct xmatrix {
	struct str origin;      /* a valid server name, as written */
	struct str destination; /* n == 0: absent */
	struct str key_id;      /* "ed25519:abc" */
	unsigned char sig[64];
};

/* Whether an Authorization value is of this scheme (compared case-insensitively, RFC 9110). */
bool xmatrix_is(struct str authorization);

/* Parses one Authorization value.  ERR_XMATRIX_SYNTAX: not the grammar, one of the four names given
 * twice, origin, key or sig missing, origin or destination no server name, sig not base64 of 64
 * bytes, a comma within quotes (some homeservers cut there).  ERR_XMATRIX_KEY: algorithm not
 * ed25519.  ERR_MEMORY.  Accepts: any order and case of names, unknown names, tokens and quoted
 * strings with backslash pairs, unquoted values with colons, blanks around commas and "=", empty
 * list elements, padded and unpadded base64. */
enum err xmatrix_parse(struct arena *a, struct str authorization, struct xmatrix *out) MUST_CHECK;

/* The bytes that were signed: canonical JSON of {content?, destination, method, origin, uri}.
 * `content` is already canonical; n == 0 leaves the member out.  Memory from the arena; a result of
 * n == 0: no memory. */
struct str xmatrix_signed_bytes(struct arena *a, struct str method, struct str uri,
    struct str origin, struct str destination, struct str content);

/* Ed25519 by libsodium. */
bool xmatrix_verify(
    const unsigned char sig[64], struct str bytes, const unsigned char public_key[32]);

#endif
