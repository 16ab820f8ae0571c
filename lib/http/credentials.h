/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credentials - what a request says about who sends it: Authorization (RFC 7617, RFC 6750).
 *
 * Pure parsers.  What they give lives in the arena or in the request.
 */
#ifndef SCHLEUSE_HTTP_CREDENTIALS_H
#define SCHLEUSE_HTTP_CREDENTIALS_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/http/h1.h"

enum credentials_kind { CREDENTIALS_NONE, CREDENTIALS_BASIC, CREDENTIALS_BEARER };

struct credentials {
	enum credentials_kind kind;
	struct str id, secret; /* of Basic; the secret may be empty */
	struct str token;      /* of Bearer */
};

/* The Authorization of a request.  ERR_AUTH_SEVERAL: more than one field.  ERR_AUTH_URL: the query
 * has a member in which others send credentials (CP-1.2.1-6).  ERR_AUTH_SYNTAX: malformed, or a
 * scheme that is neither; `kind` then says which of them it was meant to be.  ERR_MEMORY. */
enum err credentials_read(
    struct arena *a, const struct h1_head *req, struct credentials *out) MUST_CHECK;

/* The value of one Authorization field. */
enum err credentials_parse(struct arena *a, struct str value, struct credentials *out) MUST_CHECK;

/* Whether the query of a target has a member that holds a credential. */
bool credentials_in_query(struct str target);

/* No control characters (RFC 7617 2), and UTF-8, which a challenge should ask for. */
bool credentials_is_text(struct str s);

#endif
