/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_writer - a thread that waits for the disk, so that the loop does not.
 *
 * It has one piece of work at a time; whatever comes meanwhile is the next one, so pushes that are
 * put at the same time share a write and a sync.
 */
#ifndef SCHLEUSE_PUSHGW_JOURNAL_WRITER_H
#define SCHLEUSE_PUSHGW_JOURNAL_WRITER_H

#include "lib/net/loop.h"
#include "pushgw/queue/journal_disk.h"

struct journal_writer;

struct journal_work {
	uint32_t segment;
	struct buf head, bytes; /* stay the giver's; not to be touched until it is done */
	enum journal_sync sync;
	enum err err; /* how it went */
};

/* done runs on the loop.  NULL: out of memory, or no thread. */
struct journal_writer *journal_writer_new(struct loop *loop, struct journal_disk *disk,
    void (*done)(void *arg, struct journal_work *work), void *arg) MUST_CHECK;
/* Waits until what it has is written; done is not called. */
void journal_writer_free(struct journal_writer *w);

void journal_writer_give(struct journal_writer *w, struct journal_work *work); /* not busy */

#endif
