/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_journal - several changes that are one:
 *
 *   1. each new value is written to a temporary file
 *   2. the journal is written to one, too, and gets its name: now it is decided
 *   3. the changes are made; each may be made again
 *   4. the journal is removed
 *
 * A crash before 2 has ended leaves what was there; later, what is left to do is done at the next
 * start.  A journal that fails in 3 (a disk error) is tried again before whatever comes next, so
 * nobody sees half of it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/store/store_disk_int.h"

#define JOURNAL ".journal"
#define JOURNAL_NEW ".new-journal"
#define JOURNAL_DAMAGED ".journal-damaged"
#define JOURNAL_MAX (STORE_OPS_MAX * (STORE_KEY_MAX + 32) + 256)

void
store_new_name(size_t number, char out[STORE_NEW_MAX])
{
	snprintf(out, STORE_NEW_MAX, ".new-%zu", number);
}

static bool
compose(struct buf *out, const struct store_op *ops, size_t n)
{
	bool ok = store_journal_begin(out);

	for (size_t i = 0; i < n && ok; i++)
		ok = store_journal_put(
		    out, &(struct store_change){ ops[i].key, i, ops[i].value.n > 0 });
	return ok && store_journal_end(out);
}

enum err
store_journal_decide(struct store_disk *d, const struct store_op *ops, size_t n)
{
	struct buf text;
	enum err err = ERR_MEMORY;

	buf_init(&text, JOURNAL_MAX);
	if (compose(&text, ops, n))
		err = store_disk_write(d, JOURNAL_NEW, buf_str(&text), STR_NONE);
	buf_fini(&text);
	if (err == OK)
		err = store_disk_sync(
		    d); /* the names of the values, before anything refers to them */
	if (err == OK && renameat(d->folder, JOURNAL_NEW, d->folder, JOURNAL) != 0)
		err = store_disk_failed(d, "the journal cannot be made");
	if (err != OK)
		return err;
	d->decided = true;
	return store_disk_sync(d);
}

static enum err
read_journal(struct store_disk *d, struct buf *text)
{
	int fd = openat(d->folder, JOURNAL, O_RDONLY | O_CLOEXEC);
	enum err err = OK;
	ssize_t n = 1;

	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND
				       : store_disk_failed(d, "the journal cannot be read");
	while (n > 0 && err == OK) {
		char *room = buf_reserve(text, 4096);

		n = room != NULL ? read(fd, room, 4096) : 0;
		if (room == NULL)
			err = ERR_STORE_DAMAGED; /* far too long */
		else if (n < 0)
			err = store_disk_failed(d, "the journal cannot be read");
		else
			buf_commit(text, (size_t)n);
	}
	close(fd);
	if (err == OK && !store_journal_ok(buf_str(text)))
		err = ERR_STORE_DAMAGED;
	return err;
}

static enum err
carry_out(struct store_disk *d, struct str text)
{
	struct store_change c;
	enum err err = OK;
	size_t at = 0;

	while (err == OK && store_journal_next(text, &at, &c))
		err = store_change(d, &c);
	if (err == OK)
		err = store_disk_sync(d);
	if (err == OK && unlinkat(d->folder, JOURNAL, 0) != 0)
		err = store_disk_failed(d, "the journal cannot be removed");
	return err == OK ? store_disk_sync(d) : err;
}

/* It can only be the disk: a journal is whole before it has its name.  Some of its changes may have
 * been made. */
static enum err
put_aside(struct store_disk *d)
{
	log_error("store: %s/" JOURNAL " is damaged and not carried out; kept as " JOURNAL_DAMAGED
		  ": of the last change some keys may have the old value and some the new one",
	    d->path);
	if (renameat(d->folder, JOURNAL, d->folder, JOURNAL_DAMAGED) != 0)
		return store_disk_failed(d, "the journal cannot be put aside");
	return store_disk_sync(d);
}

enum err
store_journal_finish(struct store_disk *d)
{
	struct buf text;
	enum err err;

	if (!d->decided)
		return OK;
	buf_init(&text, JOURNAL_MAX);
	err = read_journal(d, &text);
	if (err == OK)
		err = carry_out(d, buf_str(&text));
	else if (err == ERR_STORE_DAMAGED)
		err = put_aside(d);
	buf_fini(&text);
	d->decided = err != OK && err != ERR_NOT_FOUND;
	return d->decided ? ERR_FILE : OK; /* whatever it was: it has been decided */
}

void
store_journal_sweep(struct store_disk *d)
{
	int fd = d->decided ? -1 : openat(d->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL)
		if (str_has_prefix(str_z(e->d_name), STR(".new-")))
			unlinkat(d->folder, e->d_name, 0);
	if (dir != NULL)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
}

enum err
store_journal_recover(struct store_disk *d)
{
	struct store_keys all;
	enum err err;

	d->decided = true; /* there may be one */
	err = store_journal_finish(d);
	if (err != OK)
		return err;
	store_journal_sweep(d);
	store_keys_init(&all, SIZE_MAX);
	err = store_disk_list(d, STR_NONE, &all); /* removes what has expired */
	store_keys_fini(&all);
	return err;
}
