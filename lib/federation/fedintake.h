/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fedintake - the way of a list into force: bytes are judged on a thread of their own, then
 * adopted.
 *
 * Lives on the loop of its store, whose list only changes here while an intake is open.  One list
 * at a time is judged; whoever offers another one meanwhile is refused and comes again.
 */
#ifndef SCHLEUSE_FEDERATION_FEDINTAKE_H
#define SCHLEUSE_FEDERATION_FEDINTAKE_H

#include "lib/base/buf.h"
#include "lib/federation/fedstore.h"
#include "lib/net/loop.h"

struct fedintake;

struct fedintake_config {
	struct fedstore *store; /* not owned */
	size_t max_bytes;       /* of a file that is read */
};

/* OK: the list is in force (or it was already), otherwise why not: what fedstore_judge() says,
 * ERR_FILE or ERR_TOO_LARGE of a file, ERR_MEMORY. */
typedef void fedintake_fn(void *arg, enum err err);

struct fedintake *fedintake_new(
    struct loop *loop, const struct fedintake_config *cfg) MUST_CHECK; /* NULL: out of memory */
void fedintake_free(struct fedintake *in);                             /* NULL is allowed */

/* Judges the bytes of a JWS, which are taken over, as current at wall-clock second as_of.  fn is
 * called later exactly once unless cancelled.  false: one is being judged, or out of memory; the
 * bytes are freed and nobody is called. */
bool fedintake_offer(
    struct fedintake *in, struct buf *jws, int64_t as_of, fedintake_fn *fn, void *arg) MUST_CHECK;
/* The same with the content of a file, which is read on the other thread.  The path must stay valid
 * until fn. */
bool fedintake_offer_file(
    struct fedintake *in, const char *path, int64_t as_of, fedintake_fn *fn, void *arg) MUST_CHECK;
void fedintake_cancel(struct fedintake *in); /* what is being judged is not adopted */
bool fedintake_busy(const struct fedintake *in);

#endif
