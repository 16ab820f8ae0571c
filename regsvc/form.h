/* SPDX-License-Identifier: Apache-2.0 */
/*
 * form - the form of a token request (RFC 6749).
 *
 * Pure parsers.  What they give lives in the arena or in the request.
 */
#ifndef SCHLEUSE_REGSVC_FORM_H
#define SCHLEUSE_REGSVC_FORM_H

#include "lib/base/arena.h"
#include "lib/base/err.h"

struct form {
	struct str grant_type, client_id, client_secret, scope; /* p == NULL: not there */
};

/* The body of a token request, application/x-www-form-urlencoded.  Members that are unknown or
 * empty are as if not there (RFC 6749 3.2).  ERR_AUTH_SYNTAX: malformed, or a known member twice;
 * ERR_MEMORY. */
enum err form_parse(struct arena *a, struct str body, struct form *out) MUST_CHECK;

/* One value of a form.  ERR_AUTH_SYNTAX, ERR_MEMORY. */
enum err form_decode(struct arena *a, struct str in, struct str *out) MUST_CHECK;

#endif
