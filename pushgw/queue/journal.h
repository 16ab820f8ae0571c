/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal - pushes in files, so that they outlive the process.
 *
 * A log in segments (journal_record.h): what was put, what is done with, which pushkeys were
 * rejected.  What is written during a turn of the loop, or while the disk is busy, is one batch:
 * written at once, and told to have been or to have failed as a whole.  When one fails, so does
 * what was to follow it, the files are cut back, and nothing is taken until a new segment could be
 * begun, which is tried every second.  Then what was not noted as done is.
 *
 * Segments are removed from the oldest on: each when nothing of it waits any more and it is older
 * than `keep` (what was put is read again after a restart, to know repeated pushes), or when there
 * are more than JOURNAL_SPARE bytes beside those of what waits.  What keeps an old one from being
 * removed is written again into the current one.
 *
 * The owner's pushes have a struct place, which says where they are and belongs to the journal from
 * journal_add() to journal_done().  Runs on one loop, but for the writing itself.
 */
#ifndef SCHLEUSE_PUSHGW_JOURNAL_H
#define SCHLEUSE_PUSHGW_JOURNAL_H

#include "lib/net/loop.h"
#include "pushgw/config.h"
#include "pushgw/queue/journal_record.h"

#define JOURNAL_SEGMENT (16U << 20) /* bytes, about, after which a new one is begun */
#define JOURNAL_SPARE (256U << 20)

struct journal;

struct journal_settings {
	enum fsync_policy fsync;
	clock_ms fsync_interval;
	clock_ms keep;
};

struct journal_owner {
	void *arg;
	/* --- during journal_open(), in this order --- */
	void (*key)(void *arg, const unsigned char key[MARK_KEY]);
	/* A push, which may be over already.  NULL: out of memory. */
	struct place *(*found)(void *arg, const struct journal_push *p);
	/* It was: forget it.  Also of all that were found when journal_open() fails. */
	void (*over)(void *arg, struct place *place);
	void (*found_rejected)(void *arg, struct mark mark, int64_t since, uint32_t segment);
	/* Of all that were not over, in the end.  false: out of memory. */
	bool (*waits)(void *arg, struct place *place);
	/* --- later, from the loop --- */
	/* Everything up to and with this batch was written, or this batch was not. */
	void (*written)(void *arg, uint64_t batch, enum err err);
	void (*say)(void *arg, const struct place *place, struct journal_push *out);
	/* How many rejected pushkeys the segment holds; again: journal_reject()s them once more. */
	size_t (*rejected)(void *arg, uint32_t segment, bool again);
	void (*state)(void *arg, enum err err);
};

/* Reads what the folder holds.  NULL: logged. */
struct journal *journal_open(struct loop *loop, const char *folder,
    const struct journal_settings *set, const struct journal_owner *owner) MUST_CHECK;
/* Writes what is not yet written; nobody is told. */
void journal_close(struct journal *j); /* NULL is allowed */

void journal_set(struct journal *j, const struct journal_settings *set);

/* OK; or ERR_STORE_FULL, ERR_FILE: nothing can be added. */
enum err journal_state(const struct journal *j);
uint64_t journal_bytes(const struct journal *j); /* of all segments */
uint64_t journal_seq(const struct journal *j);   /* the highest that was found, or 0 */

/* The number of the batch that is being collected; written() will be called for it, even if nothing
 * is in it. */
uint64_t journal_join(struct journal *j);
/* false: out of memory; of this batch something may be written that nobody waits for. */
bool journal_add(struct journal *j, struct place *place, const struct journal_push *p) MUST_CHECK;
/* Takes back what was added to the batch that is being collected, the last n pushes. */
void journal_take_back(struct journal *j, size_t n);
void journal_done(struct journal *j, struct place *place);
/* Returns the segment that will hold it, or 0: out of memory. */
uint32_t journal_reject(struct journal *j, struct mark mark, int64_t since);

#endif
