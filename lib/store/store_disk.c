/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_disk - reading and writing values; what several changes at once need is in
 * store_journal.c.
 */
#include "lib/store/store_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/store_disk_int.h"
#include "lib/store/store_record.h"

enum err
store_disk_failed(const struct store_disk *d, const char *what)
{
	int why = errno;

	log_error("store: %s: %s: %s", d->path, what, strerror(why));
	return why == ENOSPC || why == EDQUOT || why == EFBIG ? ERR_STORE_FULL : ERR_FILE;
}

/* --- reading --- */

static int
read_all(int fd, char *p, size_t n)
{
	while (n > 0) {
		ssize_t got = read(fd, p, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		p += got;
		n -= (size_t)got;
	}
	return 0;
}

/* The first line of a value's file; `line` is what r points into. */
static bool
read_head(int fd, char line[STORE_RECORD_HEAD_MAX], struct store_record *r)
{
	ssize_t n = pread(fd, line, STORE_RECORD_HEAD_MAX, 0);

	return n > 0 && store_record_parse(str_of(line, (size_t)n), r);
}

static bool
is_over(const struct store_record *r)
{
	return r->expiry != 0 && r->expiry <= clock_wall_ms();
}

static bool
has_length(int fd, const struct store_record *r)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (uint64_t)st.st_size == r->head + r->length;
}

static enum err
read_value(struct store_disk *d, int fd, struct str key, struct buf *out)
{
	char line[STORE_RECORD_HEAD_MAX], *room;
	struct store_record r;

	if (!read_head(fd, line, &r) || !has_length(fd, &r))
		return ERR_STORE_DAMAGED;
	if (r.length > out->max)
		return ERR_TOO_LARGE;
	room = buf_reserve(out, r.length);
	if (room == NULL)
		return ERR_MEMORY;
	if (lseek(fd, (off_t)r.head, SEEK_SET) < 0 || read_all(fd, room, r.length) != 0)
		return store_disk_failed(d, "a value cannot be read");
	if (!store_record_fits(&r, key, str_of(room, r.length)))
		return ERR_STORE_DAMAGED;
	if (is_over(&r))
		return ERR_NOT_FOUND;
	buf_commit(out, r.length);
	return OK;
}

static void
name_of(struct str key, char name[STORE_KEY_MAX + 1])
{
	*str_put(name, key) = '\0';
}

enum err
store_disk_get(struct store_disk *d, struct str key, struct buf *out)
{
	char name[STORE_KEY_MAX + 1];
	enum err err = store_journal_finish(d);
	int fd;

	if (err != OK)
		return err;
	name_of(key, name);
	fd = openat(d->folder, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND
				       : store_disk_failed(d, "a value cannot be opened");
	err = read_value(d, fd, key, out);
	close(fd);
	if (err == ERR_STORE_DAMAGED)
		log_error("store: %s/%s is damaged and not used", d->path, name);
	return err;
}

/* --- writing --- */

static int
write_all(int fd, struct str s)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		s = str_from(s, (size_t)n);
	}
	return 0;
}

enum err
store_disk_write(struct store_disk *d, const char *name, struct str head, struct str body)
{
	int fd = openat(d->folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	enum err err = OK;

	if (fd < 0)
		return store_disk_failed(d, "a file cannot be made");
	if (write_all(fd, head) != 0 || write_all(fd, body) != 0 || fsync(fd) != 0)
		err = store_disk_failed(d, "a file cannot be written");
	if (close(fd) != 0 && err == OK)
		err = store_disk_failed(d, "a file cannot be written");
	if (err != OK)
		unlinkat(d->folder, name, 0);
	return err;
}

enum err
store_disk_sync(struct store_disk *d)
{
	return fsync(d->folder) == 0 ? OK : store_disk_failed(d, "the folder cannot be synced");
}

static enum err
write_new(struct store_disk *d, const struct store_op *op, size_t number)
{
	int64_t expiry = op->ttl > 0 ? clock_wall_ms() + (int64_t)op->ttl : 0;
	char head[STORE_RECORD_HEAD_MAX], name[STORE_NEW_MAX];
	size_t n = store_record_head(op->key, op->value, expiry, head);

	store_new_name(number, name);
	return store_disk_write(d, name, str_of(head, n), op->value);
}

static enum err
write_all_new(struct store_disk *d, const struct store_op *ops, size_t n)
{
	enum err err = OK;

	for (size_t i = 0; i < n && err == OK; i++)
		if (ops[i].value.n > 0)
			err = write_new(d, &ops[i], i);
	return err;
}

enum err
store_disk_apply(struct store_disk *d, const struct store_op *ops, size_t n)
{
	enum err err = store_journal_finish(d);

	if (err == OK)
		err = write_all_new(d, ops, n);
	if (err == OK && n > 1)
		err = store_journal_decide(d, ops, n);
	if (err != OK) {
		store_journal_sweep(d);
		return err;
	}
	if (n > 1)
		return store_journal_finish(d);
	err = store_change(d, &(struct store_change){ ops->key, 0, ops->value.n > 0 });
	return err == OK ? store_disk_sync(d) : err;
}

enum err
store_change(struct store_disk *d, const struct store_change *c)
{
	char name[STORE_KEY_MAX + 1], new[STORE_NEW_MAX];

	name_of(c->key, name);
	store_new_name(c->number, new);
	if (c->set ? renameat(d->folder, new, d->folder, name) == 0
		   : unlinkat(d->folder, name, 0) == 0)
		return OK;
	/* Nothing to delete; or it was done before a crash. */
	return errno == ENOENT ? OK : store_disk_failed(d, "a change cannot be made");
}

enum err
store_disk_try(struct store_disk *d)
{
	enum err err = store_journal_finish(d);
	char name[STORE_NEW_MAX];

	if (err != OK)
		return err;
	store_new_name(0, name);
	err = store_disk_write(d, name, STR("can this be written?"), STR_NONE);
	unlinkat(d->folder, name, 0);
	return err;
}

/* --- the folder --- */

/* What is damaged has not: nobody knows. */
static bool
has_expired(struct store_disk *d, struct str key, const char *name)
{
	int fd = openat(d->folder, name, O_RDONLY | O_CLOEXEC);
	char line[STORE_RECORD_HEAD_MAX];
	struct store_record r;
	struct buf value;
	bool expired = fd >= 0 && read_head(fd, line, &r) && is_over(&r);

	buf_init(&value, SIZE_MAX / 2);
	expired = expired && read_value(d, fd, key, &value) == ERR_NOT_FOUND;
	buf_fini(&value);
	if (fd >= 0)
		close(fd);
	return expired;
}

static enum err
list_open(struct store_disk *d, DIR *dir, struct str prefix, struct store_keys *out)
{
	struct dirent *e;
	enum err err = OK;

	while (err == OK && (errno = 0, e = readdir(dir)) != NULL) {
		struct str key = str_z(e->d_name);

		if (!store_key_ok(key) || !str_has_prefix(key, prefix))
			continue;
		if (has_expired(d, key, e->d_name))
			unlinkat(d->folder, e->d_name, 0);
		else
			err = store_keys_add(out, key);
	}
	if (err == OK && errno != 0)
		err = store_disk_failed(d, "the folder cannot be read");
	return err;
}

enum err
store_disk_list(struct store_disk *d, struct str prefix, struct store_keys *out)
{
	enum err err = store_journal_finish(d);
	DIR *dir;
	int fd;

	if (err != OK)
		return err;
	fd = openat(d->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (dir == NULL) {
		err = store_disk_failed(d, "the folder cannot be read");
		if (fd >= 0)
			close(fd);
		return err;
	}
	err = list_open(d, dir, prefix, out);
	closedir(dir);
	store_keys_sort(out);
	return err;
}

static bool
open_folder(struct store_disk *d)
{
	if (mkdir(d->path, 0700) != 0 && errno != EEXIST) {
		store_disk_failed(d, "the folder cannot be made");
		return false;
	}
	d->folder = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->folder < 0) {
		store_disk_failed(d, "the folder cannot be opened");
		return false;
	}
	d->lock = openat(d->folder, ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (d->lock >= 0 && flock(d->lock, LOCK_EX | LOCK_NB) == 0)
		return true;
	if (d->lock >= 0 && errno == EWOULDBLOCK)
		log_error("store: %s is in use by another process; each instance needs a folder "
			  "of its own, or Redis",
		    d->path);
	else
		store_disk_failed(d, "the folder cannot be locked");
	return false;
}

struct store_disk *
store_disk_open(const char *folder)
{
	struct store_disk *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->folder = d->lock = -1;
	d->path = strdup(folder);
	if (d->path == NULL || !open_folder(d) || store_journal_recover(d) != OK) {
		store_disk_close(d);
		return NULL;
	}
	return d;
}

void
store_disk_close(struct store_disk *d)
{
	if (d == NULL)
		return;
	if (d->lock >= 0)
		close(d->lock);
	if (d->folder >= 0)
		close(d->folder);
	free(d->path);
	free(d);
}
