/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regtoken - the access token of this proxy at the registration service (RFC 6749 4.4; CP-1.2.3).
 *
 * Control thread.  One token at a time, asked for once however many need it, and again before it
 * expires or after it was refused.  Neither token nor secret is ever logged.
 */
#ifndef SCHLEUSE_PROXY_REGTOKEN_H
#define SCHLEUSE_PROXY_REGTOKEN_H

#include "lib/base/list.h"
#include "proxy/config.h"

#define REGTOKEN_MAX 4096 /* longest token */

struct regtoken;

struct regtoken_config {
	struct fetcher *fetcher;        /* not owned */
	X509_STORE *anchors;            /* not owned */
	const struct regsvc_conf *conf; /* not owned */
};

struct regtoken_wait { /* embedded in who waits; zeroed: does not wait */
	struct list node;
	void (*fn)(void *arg, enum err err, int status);
	void *arg;
};

struct regtoken *regtoken_new(struct loop *loop, const struct regtoken_config *cfg) MUST_CHECK;
void regtoken_free(struct regtoken *t); /* nobody is called any more */

/* NULL: none that will live long enough.  Valid until control returns to the loop. */
const char *regtoken_now(const struct regtoken *t);
/* fn is called later exactly once unless cancelled.  OK: regtoken_now() has one; otherwise why not,
 * with the HTTP status of the answer or 0.  false: out of memory, nobody is called. */
bool regtoken_get(struct regtoken *t, struct regtoken_wait *w,
    void (*fn)(void *arg, enum err err, int status), void *arg) MUST_CHECK;
void regtoken_cancel(struct regtoken_wait *w);
void regtoken_refused(struct regtoken *t); /* the one held was not accepted: it is forgotten */

#endif
