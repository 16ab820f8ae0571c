/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_disk - the files of a store in a folder; waits for the disk.
 *
 * Used by one thread at a time, which need not always be the same.  In the folder are
 *
 *   <key>               a value (store_record.h)
 *   .new-<number>       a value not yet in force
 *   .journal            several changes that are one, decided but perhaps not yet carried out
 *   .journal-damaged    one that was not believed, kept to be looked at
 *   .lock               held while the folder is open
 *
 * A change is in force from the moment its file, or the journal, has its name; a journal that was
 * left behind is carried out before anything else is read or written.  Everything is on the disk
 * (fsync) when a function returns.
 */
#ifndef SCHLEUSE_STORE_STORE_DISK_H
#define SCHLEUSE_STORE_STORE_DISK_H

#include "lib/base/buf.h"
#include "lib/store/store.h"
#include "lib/store/store_keys.h"

struct store_disk;

/* Finishes what was begun, removes what was given up and what has expired.  NULL: logged. */
struct store_disk *store_disk_open(const char *folder) MUST_CHECK;
void store_disk_close(struct store_disk *d); /* NULL is allowed */

/* ERR_FILE and ERR_STORE_FULL besides what each says; both are logged. */
enum err store_disk_get(
    struct store_disk *d, struct str key, struct buf *out); /* out->max: of the value */
enum err store_disk_apply(struct store_disk *d, const struct store_op *ops, size_t n);
enum err store_disk_list(struct store_disk *d, struct str prefix, struct store_keys *out);
enum err store_disk_try(struct store_disk *d); /* whether the folder can be written to */

#endif
