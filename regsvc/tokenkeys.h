/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenkeys - the keys that sign and verify access tokens: from files, or one of our own.
 *
 * With files (token.keys) the first signs and all verify, which is how a key is rotated.  Without,
 * one is made on the first start and kept in the store under "token:key", so that a token of one
 * instance works at every other.  Runs on the service's loop.  Lives as long as the process.
 */
#ifndef SCHLEUSE_REGSVC_TOKENKEYS_H
#define SCHLEUSE_REGSVC_TOKENKEYS_H

#include "lib/jose/jwt.h"
#include "lib/store/store.h"
#include "regsvc/gate_conf.h"

struct tokenkeys;

struct tokenkeys *tokenkeys_new(
    struct loop *loop, struct store *store, const struct token_conf *conf) MUST_CHECK;
/* Also another store, after which the one before may be freed.  Out of memory (logged): the keys
 * stay those that they were. */
void tokenkeys_adopt(struct tokenkeys *k, struct store *store, const struct token_conf *conf);
void tokenkeys_free(struct tokenkeys *k); /* before the store; NULL is allowed */

/* Valid until the loop's next turn; NULL: none. */
const struct jwt_key *tokenkeys_signer(const struct tokenkeys *k);
const struct jwt_key *tokenkeys_all(const struct tokenkeys *k, size_t *n);

#endif
