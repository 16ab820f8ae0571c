/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_file - a store in a folder of its own, for one process.
 *
 * Work on files goes in order on a thread of its own (errand), so that the loop waits for no disk.
 * Announcements reach the watchers of this process; a claim is always granted.  doc/operations.md
 * says what lies in the folder.
 */
#ifndef SCHLEUSE_STORE_STORE_FILE_H
#define SCHLEUSE_STORE_STORE_FILE_H

#include "lib/store/store.h"

/* Makes the folder if it is not there (its parent must be), finishes what a crash interrupted, and
 * locks it: while it is open no other may be, not even of this process.  NULL: logged. */
struct store *store_file_open(
    struct loop *loop, const struct store_config *cfg, const char *folder) MUST_CHECK;

#endif
