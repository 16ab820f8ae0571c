/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth - who asks, by HTTP Basic (RFC 7617), by bearer token (RFC 6750), or by the certificate of
 * the connection.
 *
 * A client has one method and is refused with the others (CP-1.2.2-5).  Failures are counted by the
 * guard, which slows down who guesses.  Nothing here looks at what is asked for: whether the
 * subscription and the scope fit, the caller decides by the principal.
 *
 * Runs on the service's loop; passwords are verified on errands.  Lives as long as the process.
 */
#ifndef SCHLEUSE_REGSVC_AUTH_H
#define SCHLEUSE_REGSVC_AUTH_H

#include "lib/http/exchange.h"
#include "lib/net/loop.h"
#include "regsvc/principal.h"

struct auth;
struct auth_call;

/* OK; ERR_AUTH_MISSING, ERR_AUTH_SYNTAX (400), ERR_AUTH_REFUSED, ERR_AUTH_TOKEN: 401;
 * ERR_RATE: 429; ERR_OVERLOAD, ERR_MEMORY, ERR_LOOKUP (the clients are not known yet): 503.
 * who: NULL unless err is OK.  fields: complete header lines that belong into the answer to a
 * refusal (WWW-Authenticate, Retry-After).  Both are valid during the call. */
typedef void auth_fn(void *arg, enum err err, const struct principal *who, struct str fields);

/* fn is called later exactly once unless cancelled.  ex and arg must live until then.  NULL: out of
 * memory; nobody is called. */
struct auth_call *auth_check(
    struct auth *a, struct exchange *ex, auth_fn *fn, void *arg) MUST_CHECK;
void auth_cancel(struct auth_call *c); /* NULL is allowed */

#endif
