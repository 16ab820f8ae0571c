/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invitelog - the file of accepted invites: fixed-size records, appended by one process or, during
 * a hand-over, by two.
 *
 * A record is a digest, the wall-clock second of noting (64 bits, big-endian) and a checksum keyed
 * with the file's key, so that a torn or foreign record is recognised and passed over.  Appending
 * is one write() at the end, so two processes do not disturb each other, and each can read what the
 * other one wrote.  Only who is alone may write the file anew; a lock on a second file,
 * invites.lock, says whether one is.  Control thread; waits for the lock no longer than a rewrite
 * takes.
 */
#ifndef SCHLEUSE_PROXY_INVITELOG_H
#define SCHLEUSE_PROXY_INVITELOG_H

#include "lib/base/buf.h"
#include "proxy/invites.h"

#define INVITELOG_RECORD 32 /* digest 16, time 8, checksum 8 */

struct invitelog;

typedef void invitelog_fn(void *arg, const struct invite_digest *d, int64_t noted);

/* Nothing is read yet.  ERR_FILE with errno, ERR_MEMORY. */
enum err invitelog_open(
    const char *state_dir, const struct invite_key *key, struct invitelog **out) MUST_CHECK;
void invitelog_close(struct invitelog *l);
const char *invitelog_path(const struct invitelog *l);

/* Calls fn with each record that was not read before, by whomever it was written. */
void invitelog_read(struct invitelog *l, invitelog_fn *fn, void *arg);
bool invitelog_append(struct invitelog *l, const struct invite_digest *d, int64_t noted) MUST_CHECK;
bool invitelog_sync(struct invitelog *l) MUST_CHECK;
size_t invitelog_records(const struct invitelog *l); /* good and bad ones, as far as we know */
bool invitelog_damaged(const struct invitelog *l);   /* some of what was read is no record */

/* Writing it anew: lock (false: somebody else uses the file too), read the rest, write, unlock. */
bool invitelog_lock(struct invitelog *l) MUST_CHECK;
void invitelog_unlock(struct invitelog *l);
void invitelog_put(
    const struct invitelog *l, const struct invite_digest *d, int64_t noted, struct buf *out);
bool invitelog_write(struct invitelog *l, struct str all) MUST_CHECK; /* false: errno */

#endif
