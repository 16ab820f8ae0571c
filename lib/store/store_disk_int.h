/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_disk_int - what the files of store_disk share; nobody else includes it.
 */
#ifndef SCHLEUSE_STORE_STORE_DISK_INT_H
#define SCHLEUSE_STORE_STORE_DISK_INT_H

#include "lib/store/store_disk.h"
#include "lib/store/store_record.h"

#define STORE_NEW_MAX 32

struct store_disk {
	char *path;
	int folder, lock;
	bool decided; /* there is a journal to carry out */
};

/* --- store_disk --- */

enum err store_disk_failed(const struct store_disk *d, const char *what); /* logs errno */
/* A new file, on the disk; its name is not until store_disk_sync(). */
enum err store_disk_write(struct store_disk *d, const char *name, struct str head, struct str body);
enum err store_disk_sync(struct store_disk *d);                            /* names */
enum err store_change(struct store_disk *d, const struct store_change *c); /* may be done before */

/* --- store_journal --- */

void store_new_name(size_t number, char out[STORE_NEW_MAX]);
/* The temporary files are there: all of it is in force from here on. */
enum err store_journal_decide(struct store_disk *d, const struct store_op *ops, size_t n);
enum err store_journal_finish(struct store_disk *d);  /* carries out what was decided, if so */
enum err store_journal_recover(struct store_disk *d); /* after a crash */
void store_journal_sweep(struct store_disk *d);       /* temporary files, unless decided */

#endif
