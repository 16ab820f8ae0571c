/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apns_token - the provider tokens that APNs takes instead of a client certificate (Apple,
 * "Establishing a token-based connection to APNs").
 *
 * Apple counts tokens by key, so apps of one team with one key share one, before and after a
 * reload too: what is opened with the new configuration joins before what had the old one leaves.
 * A token is made when it is needed, counts for APNS_TOKEN_LIFE_MS and is never made anew within
 * APNS_TOKEN_FLOOR_MS, whatever APNs says.  One thread.
 */
#ifndef SCHLEUSE_PUSHGW_APNS_TOKEN_H
#define SCHLEUSE_PUSHGW_APNS_TOKEN_H

#include <openssl/evp.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"

#define APNS_TOKEN_LIFE_MS (45 * 60 * 1000)  /* older than 60 minutes is refused */
#define APNS_TOKEN_FLOOR_MS (20 * 60 * 1000) /* more often is refused */

struct apns_key; /* of a team */

/* A reference; a copy of the texts and a reference to the key, P-256, are kept.  NULL: out of
 * memory. */
struct apns_key *apns_key_join(const char *team_id, const char *key_id, EVP_PKEY *key);
void apns_key_leave(struct apns_key *k); /* NULL is allowed */

struct apns_provider_token {
	const char *text; /* valid until the next call */
	unsigned generation;
};

struct apns_moment {
	clock_ms now; /* see lib/base/clock.h */
	int64_t wall_s;
};

/* false: it cannot be signed. */
bool apns_token_get(struct apns_key *k, const struct apns_moment *m,
    struct apns_provider_token *out) __attribute__((warn_unused_result));

/* APNs calls the token of that generation expired.  0: apns_token_get() gives another one; else how
 * long it will be before it does. */
clock_ms apns_token_expired(struct apns_key *k, unsigned generation, clock_ms now)
    __attribute__((warn_unused_result));

#endif
