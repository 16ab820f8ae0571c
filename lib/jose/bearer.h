/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bearer - access tokens of others (RFC 6750): out of the answer of a token endpoint, into a field,
 * and wiped.
 */
#ifndef SCHLEUSE_JOSE_BEARER_H
#define SCHLEUSE_JOSE_BEARER_H

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

#define BEARER_MAX (16 << 10)

struct bearer {
	char *text;     /* NULL: none */
	clock_ms until; /* when to get another one */
};

/* Reads a token answer (RFC 6749 5.1), replacing what is held.  Tolerated, because deployments had
 * it: the token in "jwt", "token_type" in any case or missing, "expires_in" missing (then it is
 * `preset`) or as text.  `margin` before its end, or after half of a short life, it is time for
 * another one.  ERR_HTTP_ANSWER: nothing changed; ERR_MEMORY. */
enum err bearer_read(
    struct bearer *t, struct str json, clock_ms now, clock_ms margin, clock_ms preset) MUST_CHECK;
void bearer_drop(struct bearer *t);
bool bearer_good(const struct bearer *t, clock_ms now);

/* The line "Authorization: Bearer ..." of a request, ended with bearer_wipe(); NULL: out of memory.
 */
char *bearer_field(const char *text) MUST_CHECK;
void bearer_wipe(char *text); /* and frees it; NULL is allowed */

#endif
