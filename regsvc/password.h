/* SPDX-License-Identifier: Apache-2.0 */
/*
 * password - Argon2id away from the loop, a few at a time (CP-1.2.3-B2).
 *
 * Each job is an errand; jobs beyond `threads` wait in a queue, and beyond that they are refused,
 * so that guessers cannot take all memory and processors.  A failing verification costs two hashes
 * whether the client has one secret, two or is unknown: time tells nobody which.
 *
 * Runs on the service's loop.
 */
#ifndef SCHLEUSE_REGSVC_PASSWORD_H
#define SCHLEUSE_REGSVC_PASSWORD_H

#include "lib/net/loop.h"
#include "regsvc/client.h"
#include "regsvc/gate_conf.h"

#define PASSWORD_MAX 256 /* bytes of a secret that is looked at */

struct password;
struct password_job;

struct password *password_new(struct loop *loop, const struct clients_conf *conf) MUST_CHECK;
void password_adopt(struct password *p, const struct clients_conf *conf);
void password_free(struct password *p); /* waits for what runs; NULL is allowed */

/* Whether the secret belongs to one of two hashes; "" or NULL is one that nothing belongs to.  fn
 * is called later exactly once unless cancelled.  NULL with *why ERR_OVERLOAD or ERR_MEMORY: nobody
 * is called. */
struct password_job *password_verify(struct password *p, struct str secret, const char *current,
    const char *previous, void (*fn)(void *arg, bool good), void *arg, enum err *why) MUST_CHECK;

/* Makes the hash of a new secret; hash == NULL: not enough memory. */
struct password_job *password_hash(struct password *p, struct str secret,
    void (*fn)(void *arg, const char *hash), void *arg, enum err *why) MUST_CHECK;

/* Whether it is being worked on already, which goes on to its end.  NULL is allowed. */
bool password_cancel(struct password_job *j);

#endif
