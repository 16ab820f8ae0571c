/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vzd_auth - the access token for the VZD, in the three steps of a TIM provider (FD-5.2.2-7, -12).
 *
 * Step 1: our client credentials at the authorization server (RFC 6749 4.4) give a first token.
 * Step 2: the directory exchanges it for the one that its services take.  Without an exchange URL
 * the first token is that one (interface 1.0.0).  Tokens are opaque; they are renewed before they
 * expire and wiped when they are dropped.  However many ask, one flight is under way.
 *
 * Tolerated, because deployments had it: the token in "jwt", "token_type" in any case or missing,
 * "expires_in" missing or as text.
 *
 * Runs on one loop.
 */
#ifndef SCHLEUSE_REGSVC_VZD_AUTH_H
#define SCHLEUSE_REGSVC_VZD_AUTH_H

#include "regsvc/vzd_answer.h"
#include "regsvc/vzd_conf.h"

struct vzd_auth;

/* conf and fetcher must outlive it.  NULL: out of memory. */
struct vzd_auth *vzd_auth_new(
    struct loop *loop, const struct vzd_conf *conf, struct fetcher *fetcher) MUST_CHECK;
void vzd_auth_free(struct vzd_auth *a); /* waiting callers are not called; NULL is allowed */

/* Takes over the tokens of another one, if it asked the same servers as the same client. */
void vzd_auth_inherit(struct vzd_auth *a, struct vzd_auth *from);

/* text is the token, valid during the call, or NULL and the verdict says why: ERR_SECRET,
 * ERR_MEMORY, or of which step. */
struct vzd_token {
	const char *text;
	unsigned generation; /* for vzd_auth_refused() */
	struct vzd_verdict verdict;
};
typedef void vzd_auth_fn(void *arg, const struct vzd_token *t);

struct vzd_auth_want { /* embedded by who asks */
	struct list node;
	vzd_auth_fn *fn;
	void *arg;
};
/* fn is called later exactly once unless cancelled. */
void vzd_auth_get(struct vzd_auth *a, struct vzd_auth_want *w, vzd_auth_fn *fn, void *arg);
void vzd_auth_cancel(struct vzd_auth_want *w); /* also one that is over or was zeroed */

/* A call with the token of that generation was answered 401: it is dropped, if it still counts, and
 * got anew by step 2, or if that is refused too, by step 1. */
void vzd_auth_refused(struct vzd_auth *a, unsigned generation);

#endif
