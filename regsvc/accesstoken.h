/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accesstoken - the tokens we issue: JWT with ES256 (RFC 9068 in form), with the subscription
 * (CP-1.2.3-O7/-O8, FDS-2.6.4.1-5).
 *
 * Which of them count lib/jose/jwt says, by the keys in tokenkeys.  Whether the client is still
 * what it was when the token was issued, the caller looks up.  Pure but for time.
 */
#ifndef SCHLEUSE_REGSVC_ACCESSTOKEN_H
#define SCHLEUSE_REGSVC_ACCESSTOKEN_H

#include "lib/base/arena.h"
#include "regsvc/client.h"
#include "regsvc/tokenkeys.h"

struct accesstoken_rules {
	const char *issuer, *audience;
	int64_t lifetime_s; /* of new ones */
};

/* STR_NONE: out of memory, or no such key. */
struct str accesstoken_make(struct arena *a, const struct accesstoken_rules *r,
    const struct jwt_key *key, const struct client *c, unsigned scopes, int64_t now);

/* What a token says; slices live in the arena. */
struct accesstoken {
	struct str client, subscription;
	unsigned scopes;
	int64_t issued;
};

/* OK, ERR_MEMORY; ERR_AUTH_TOKEN: not one of ours for this service at this time; *forged: nobody
 * comes by such a token honestly. */
enum err accesstoken_read(struct arena *a, const struct accesstoken_rules *r,
    const struct tokenkeys *keys, struct str text, int64_t now, struct accesstoken *out,
    bool *forged) MUST_CHECK;

#endif
