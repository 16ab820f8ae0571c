/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fedintake - the way of a list into force: its signer is judged by trust, then its bytes on a
 * thread of their own, then it is adopted; and its signer is watched as long as it is in force.
 *
 * A list whose signer is found revoked, or of whom there is no word when the grace is over, no
 * longer counts (fedstore_list() is NULL) until there is good word or another list.  Of several
 * signatures one suffices.  Without trust the anchors of the store alone decide.
 *
 * Lives on the loop of its store, whose list only changes here while an intake is open.  One list
 * at a time is judged; whoever offers another one meanwhile is refused and comes again.
 */
#ifndef SCHLEUSE_FEDERATION_FEDINTAKE_H
#define SCHLEUSE_FEDERATION_FEDINTAKE_H

#include "lib/base/buf.h"
#include "lib/federation/fedstore.h"
#include "lib/net/loop.h"
#include "lib/trust/trust.h"

struct fedintake;

struct fedintake_config {
	struct fedstore *store; /* not owned */
	size_t max_bytes;       /* of a file that is read */
	const char *name;       /* of the federation, for the log */
	struct trust *trust;    /* not owned; NULL: revocation is not looked at */
	/* Later: the list held counts, or does not any more, because of its signer.  May be NULL.
	 */
	void (*on_signer)(void *arg);
	void *arg;
};

/* OK: the list is in force (or it was already), otherwise why not: what fedstore_judge() or
 * trust says, ERR_FILE or ERR_TOO_LARGE of a file, ERR_MEMORY. */
typedef void fedintake_fn(void *arg, enum err err);

/* The list that the store holds counts at once, unless its signer is known to be revoked or there
 * has been no good word on it for longer than the grace.  NULL: out of memory. */
struct fedintake *fedintake_new(struct loop *loop, const struct fedintake_config *cfg) MUST_CHECK;
void fedintake_free(struct fedintake *in); /* NULL is allowed */

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
