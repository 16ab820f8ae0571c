/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fcm_access - the access token for FCM, by the service account (Google, "Using OAuth 2.0 for
 * Server to Server Applications"; RFC 7523).
 *
 * A signed assertion is exchanged for a token that counts for an hour.  It is got when it is needed
 * and renewed FCM_ACCESS_MARGIN_MS before its end, while the one at hand still serves.  However
 * many ask, one exchange is under way; after a failure the next one waits, longer each time, and
 * who asks meanwhile is told so.  Tokens and assertions are wiped.  One thread, the loop's.
 */
#ifndef SCHLEUSE_PUSHGW_FCM_ACCESS_H
#define SCHLEUSE_PUSHGW_FCM_ACCESS_H

#include "lib/http/courier.h"
#include "pushgw/providers/provider.h"

#define FCM_ACCESS_MARGIN_MS (5 * 60 * 1000)

struct fcm_access;

/* Nothing is owned and all must outlive it.  NULL: out of memory. */
struct fcm_access *fcm_access_new(struct loop *loop, struct courier *courier,
    const struct app_conf *app, const struct delivery_conf *delivery) MUST_CHECK;
void fcm_access_free(struct fcm_access *x); /* who waits is not called; NULL is allowed */

/* The token at hand, valid until the end of this turn; NULL: wait for one. */
const char *fcm_access_token(struct fcm_access *x, unsigned *generation);

struct fcm_wait { /* embedded by who waits */
	struct list node;
	/* NULL: there is a token to be asked for; else why there is none */
	void (*fn)(void *arg, const struct attempt_result *why);
	void *arg;
};
/* fn is called later exactly once unless cancelled: at the latest when an exchange has run out of
 * time. */
void fcm_access_wait(struct fcm_access *x, struct fcm_wait *w,
    void (*fn)(void *arg, const struct attempt_result *why), void *arg);
void fcm_access_cancel(struct fcm_wait *w); /* also one that is over or was zeroed */

/* FCM took the token of that generation. */
void fcm_access_taken(struct fcm_access *x, unsigned generation);
/* Or did not.  true: another one is at hand or will be; false: it is a new one that was never
 * taken, so there is no use in another. */
bool fcm_access_refused(struct fcm_access *x, unsigned generation) MUST_CHECK;

#endif
