/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proven - secrets that were verified a moment ago, so that a client that asks every second does
 * not cost Argon2id each time.
 *
 * Keyed hashes (BLAKE2b, key drawn at start) of the client's name, its record as stored and the
 * secret: a changed record, a rotation or a revocation makes what was proven before worthless.  A
 * fixed table in sets; the oldest of a set gives way.  Runs on the service's loop.
 */
#ifndef SCHLEUSE_REGSVC_PROVEN_H
#define SCHLEUSE_REGSVC_PROVEN_H

#include "lib/base/clock.h"
#include "regsvc/client.h"

struct proven;

struct proven *proven_new(size_t places) MUST_CHECK;
void proven_free(struct proven *p); /* NULL is allowed */

bool proven_has(
    const struct proven *p, const struct client *c, struct str secret, clock_ms now) MUST_CHECK;
void proven_put(struct proven *p, const struct client *c, struct str secret, clock_ms until);

#endif
