/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_disk - the files of the journal in a folder; waits for the disk.
 *
 * Used by one thread at a time, which need not always be the same; but segments that are not being
 * written may be removed by another one meanwhile.  In the folder are
 *
 *   <number>.pushes   a segment, eight hexadecimal digits; mode 0600
 *   .lock             held while the folder is open
 *
 * One segment is being written: the one that was written last.  What fails is logged and leaves the
 * files as they were: what was written of it is cut off again.  Where the folder or the segment
 * being written was removed, writing fails; with the next segment the folder is made again.
 */
#ifndef SCHLEUSE_PUSHGW_JOURNAL_DISK_H
#define SCHLEUSE_PUSHGW_JOURNAL_DISK_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

struct journal_disk;

struct journal_disk *journal_disk_open(const char *folder) MUST_CHECK; /* NULL: logged */
void journal_disk_close(struct journal_disk *d);                       /* NULL is allowed */

const char *journal_disk_path(const struct journal_disk *d); /* of the folder */

/* The numbers of all segments, ascending; *out is to be freed. */
enum err journal_disk_list(struct journal_disk *d, uint32_t **out, size_t *n) MUST_CHECK;
/* At most out->max bytes of it.  What the disk does not give is zeros, logged with its place. */
enum err journal_disk_read(struct journal_disk *d, uint32_t segment, struct buf *out) MUST_CHECK;
enum err journal_disk_cut(struct journal_disk *d, uint32_t segment, uint64_t size);
enum err journal_disk_sync(struct journal_disk *d, uint32_t segment);
/* Whether it is there, as far as is known: only who removes files behind our back makes a
 * difference. */
bool journal_disk_has(const struct journal_disk *d, uint32_t segment);
enum err journal_disk_remove(struct journal_disk *d, uint32_t segment);

enum journal_sync {
	JOURNAL_UNSYNCED, /* whenever the kernel likes */
	JOURNAL_LATER,    /* somebody else sees to it; of this function when the segment is over */
	JOURNAL_SYNCED    /* everything is on the disk before it returns */
};

/* Appends to the segment; `head` is the beginning of a new one. */
enum err journal_disk_write(struct journal_disk *d, uint32_t segment, struct str head,
    struct str bytes, enum journal_sync sync) MUST_CHECK;

/* A descriptor of the segment that is being written, to be synced and closed; -1: none. */
int journal_disk_current(const struct journal_disk *d, uint32_t *segment);

#endif
