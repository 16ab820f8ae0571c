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

#include "lib/store/store.h"
#include "regsvc/accesslog.h"
#include "regsvc/config.h"

struct auth;
struct auth_call;

/* Settings of `conf` are copied; adopt() puts new ones in force, and another store, after which the
 * one before may be freed.  access: what answers to token requests are noted in.  NULL: out of
 * memory, logged. */
struct auth *auth_new(struct loop *loop, struct store *store, struct accesslog *access,
    const struct regsvc_conf *conf) MUST_CHECK;
void auth_adopt(struct auth *a, struct store *store, const struct regsvc_conf *conf);
void auth_free(struct auth *a); /* after all connections; NULL is allowed */

void auth_missing(const struct auth *a, struct buf *out); /* a line for what is missing */
void auth_measure(const struct auth *a);                  /* gauges */

/* OK, or one of the rows ERR_AUTH_* (401, 400, 429, 503), ERR_OVERLOAD, ERR_MEMORY.  who: NULL
 * unless err is OK.  fields: complete header lines that belong into the answer to a refusal
 * (WWW-Authenticate, Retry-After).  Both are valid during the call. */
typedef void auth_fn(void *arg, enum err err, const struct principal *who, struct str fields);

/* fn is called later exactly once unless cancelled.  ex and arg must live until then.  NULL: out of
 * memory; nobody is called. */
struct auth_call *auth_check(
    struct auth *a, struct exchange *ex, auth_fn *fn, void *arg) MUST_CHECK;
void auth_cancel(struct auth_call *c); /* NULL is allowed */

/* Whether the principal of a request that has been let in would still be: for those that last. */
bool auth_counts(const struct auth *a, const struct principal *who);
/* fn is called whenever that may have changed; NULL: no more.  There is one. */
void auth_watch(struct auth *a, void (*fn)(void *arg), void *arg);
/* The header lines of its 401. */
struct str auth_challenges(void);

/* The header line of a 403 for a scope that is missing (RFC 6750 3.1); STR_NONE: none belongs
 * there.
 */
struct str auth_scope_field(struct arena *a, const struct principal *who, enum scope needed);

/* POST /token (RFC 6749 4.4): reads the body, answers, ends the exchange. */
void auth_token(struct auth *a, struct exchange *ex);

#endif
