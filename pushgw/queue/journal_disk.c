/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/queue/journal_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/log.h"

#define SUFFIX ".pushes"
#define DIGITS 8
#define NAME_ROOM 32
/* A new segment is begun only where so much room is left, so that a full disk is not taken for one
 * with room again because a few bytes fit. */
#define ROOM (1 << 20)
#define BLOCK 4096 /* that the disk does not give is skipped so far */

struct journal_disk {
	char *path;
	int folder, lock;
	/* the segment that is being written */
	int fd;
	uint32_t segment;
	uint64_t size; /* what is good of it */
	int why;       /* errno of the last write, 0: it went well */
};

static enum err
err_of(int why)
{
	return why == ENOSPC || why == EDQUOT || why == EFBIG ? ERR_STORE_FULL : ERR_FILE;
}

static enum err
failed(const struct journal_disk *d, const char *what)
{
	int why = errno;

	log_error("queue: %s: %s: %s", d->path, what, strerror(why));
	return err_of(why);
}

/* It will be tried again and again: the reason is logged when it is another one. */
static enum err
failed_writing(struct journal_disk *d, const char *what)
{
	int why = errno;

	if (why == d->why)
		return err_of(why);
	d->why = why;
	return failed(d, what);
}

static void
name_of(uint32_t segment, char out[NAME_ROOM])
{
	snprintf(out, NAME_ROOM, "%08x" SUFFIX, (unsigned)segment);
}

const char *
journal_disk_path(const struct journal_disk *d)
{
	return d->path;
}

/* --- opening --- */

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The lock of the folder; -1: logged. */
static int
lock_folder(const struct journal_disk *d, int folder)
{
	int lock = openat(folder, ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (lock < 0) {
		failed(d, "the lock cannot be made");
		return -1;
	}
	if (flock(lock, LOCK_EX | LOCK_NB) == 0)
		return lock;
	if (errno == EWOULDBLOCK)
		log_error("queue: %s is in use by another process: two gateways need two folders, "
			  "or Redis",
		    d->path);
	else
		failed(d, "the folder cannot be locked");
	close_fd(&lock);
	return -1;
}

struct journal_disk *
journal_disk_open(const char *folder)
{
	struct journal_disk *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->folder = d->lock = d->fd = -1;
	d->path = strdup(folder);
	if (d->path != NULL)
		d->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->folder < 0)
		log_error("queue: %s cannot be opened: %s", folder, strerror(errno));
	if (d->folder >= 0)
		d->lock = lock_folder(d, d->folder);
	if (d->lock < 0) {
		journal_disk_close(d);
		return NULL;
	}
	return d;
}

/* Gives back the room that was kept for it. */
static void
end_segment(struct journal_disk *d)
{
	if (d->fd >= 0 && ftruncate(d->fd, (off_t)d->size) != 0)
		failed(d, "a segment cannot be ended");
	close_fd(&d->fd);
}

void
journal_disk_close(struct journal_disk *d)
{
	if (d == NULL)
		return;
	end_segment(d);
	close_fd(&d->folder);
	close_fd(&d->lock);
	free(d->path);
	free(d);
}

/* --- what is there --- */

static bool
is_segment(const char *name, uint32_t *number)
{
	uint64_t v = 0;

	if (strlen(name) != DIGITS + sizeof(SUFFIX) - 1 || strcmp(name + DIGITS, SUFFIX) != 0)
		return false;
	for (size_t i = 0; i < DIGITS; i++) {
		if (str_hex(name[i]) < 0)
			return false;
		v = v << 4 | (unsigned)str_hex(name[i]);
	}
	*number = (uint32_t)v;
	return v > 0;
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static enum err
collect(DIR *dir, uint32_t **out, size_t *n)
{
	struct dirent *e;
	size_t room = 0;
	uint32_t number;

	while ((e = readdir(dir)) != NULL) {
		if (!is_segment(e->d_name, &number))
			continue;
		if (*n == room) {
			uint32_t *larger = realloc(*out, (room + 64) * sizeof(**out));

			if (larger == NULL)
				return ERR_MEMORY;
			*out = larger;
			room += 64;
		}
		(*out)[(*n)++] = number;
	}
	if (*n > 0)
		qsort(*out, *n, sizeof(**out), by_number);
	return OK;
}

enum err
journal_disk_list(struct journal_disk *d, uint32_t **out, size_t *n)
{
	int fd = openat(d->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	enum err err;

	*out = NULL;
	*n = 0;
	if (dir == NULL) {
		err = failed(d, "the folder cannot be read");
		close_fd(&fd);
		return err;
	}
	err = collect(dir, out, n);
	closedir(dir);
	return err;
}

/* What is read at `at`, at most n bytes; 0: nothing is there. */
static size_t
read_some(const struct journal_disk *d, uint32_t segment, int fd, uint64_t at, char *p, size_t n)
{
	ssize_t got;

	do
		got = pread(fd, p, n, (off_t)at);
	while (got < 0 && errno == EINTR);
	if (got >= 0)
		return (size_t)got;
	log_error("queue: %s/%08x" SUFFIX
		  ": %u bytes at %llu cannot be read: %s; what is in them is "
		  "lost",
	    d->path, (unsigned)segment, BLOCK, (unsigned long long)at, strerror(errno));
	n = n < BLOCK ? n : BLOCK;
	memset(p, 0, n);
	return n;
}

enum err
journal_disk_read(struct journal_disk *d, uint32_t segment, struct buf *out)
{
	char name[NAME_ROOM], *room = NULL;
	struct stat st;
	size_t size, have = 0, got = 1;
	int fd;

	name_of(segment, name);
	fd = openat(d->folder, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		close_fd(&fd);
		return failed(d, "a segment cannot be opened");
	}
	size = (uint64_t)st.st_size < out->max ? (size_t)st.st_size : out->max;
	if (size > 0)
		room = buf_reserve(out, size);
	for (; room != NULL && have < size && got > 0; have += got)
		got = read_some(d, segment, fd, have, room + have, size - have);
	if (room != NULL)
		buf_commit(out, have);
	close(fd);
	return room != NULL || size == 0 ? OK : ERR_MEMORY;
}

enum err
journal_disk_cut(struct journal_disk *d, uint32_t segment, uint64_t size)
{
	char name[NAME_ROOM];
	int fd;
	enum err err = OK;

	name_of(segment, name);
	fd = openat(d->folder, name, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
		err = failed(d, "the end of a segment cannot be cut off");
	close_fd(&fd);
	return err;
}

enum err
journal_disk_sync(struct journal_disk *d, uint32_t segment)
{
	char name[NAME_ROOM];
	int fd;
	enum err err = OK;

	name_of(segment, name);
	fd = openat(d->folder, name, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || fdatasync(fd) != 0)
		err = failed(d, "a segment cannot be synced");
	close_fd(&fd);
	return err;
}

bool
journal_disk_has(const struct journal_disk *d, uint32_t segment)
{
	char name[NAME_ROOM];

	name_of(segment, name);
	return faccessat(d->folder, name, F_OK, 0) == 0 || errno != ENOENT;
}

enum err
journal_disk_remove(struct journal_disk *d, uint32_t segment)
{
	char name[NAME_ROOM];

	name_of(segment, name);
	if (unlinkat(d->folder, name, 0) == 0 || errno == ENOENT)
		return OK;
	return failed(d, "a segment cannot be removed");
}

/* --- writing --- */

static int
write_all(int fd, struct str s, uint64_t at)
{
	while (s.n > 0) {
		ssize_t n = pwrite(fd, s.p, s.n, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		s = str_from(s, (size_t)n);
		at += (size_t)n;
	}
	return 0;
}

/* What was written last is no good, and neither is the segment: the next one is another. */
static enum err
take_back(struct journal_disk *d, const char *what)
{
	enum err err = failed_writing(d, what);

	end_segment(d);
	if (d->size == 0)
		(void)journal_disk_remove(d, d->segment);
	return err;
}

/* Whether somebody has removed what the descriptor is of: what is written there is lost with us. */
static bool
is_removed(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

/* Somebody has removed the folder: makes it again.  The descriptors keep their numbers, for other
 * threads use them. */
static bool
renew_folder(struct journal_disk *d)
{
	int folder = -1, lock = -1;
	bool ok = mkdir(d->path, 0700) == 0 || errno == EEXIST;

	if (ok)
		folder = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder >= 0)
		lock = lock_folder(d, folder);
	ok = lock >= 0 && dup3(folder, d->folder, O_CLOEXEC) >= 0 &&
	     dup3(lock, d->lock, O_CLOEXEC) >= 0;
	close_fd(&folder);
	close_fd(&lock);
	if (ok)
		log_warn("queue: %s was removed and is made again", d->path);
	else
		errno = ENOENT;
	return ok;
}

static int
make_file(struct journal_disk *d, const char *name)
{
	if (is_removed(d->folder) && !renew_folder(d))
		return -1;
	return openat(d->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static enum err
begin_segment(struct journal_disk *d, uint32_t segment, enum journal_sync sync)
{
	char name[NAME_ROOM];
	enum err err = OK;

	if (d->fd >= 0 && sync != JOURNAL_UNSYNCED && fdatasync(d->fd) != 0)
		err = failed_writing(d, "a segment cannot be synced");
	end_segment(d);
	if (err != OK)
		return err;
	name_of(segment, name);
	d->segment = segment;
	d->size = 0;
	d->fd = make_file(d, name);
	if (d->fd < 0)
		return failed_writing(d, "a segment cannot be made");
	if (fallocate(d->fd, FALLOC_FL_KEEP_SIZE, 0, ROOM) != 0 && errno != EOPNOTSUPP &&
	    errno != ENOSYS && errno != EINTR)
		return take_back(d, "a segment cannot be made");
	if (sync != JOURNAL_UNSYNCED && fsync(d->folder) != 0)
		return take_back(d, "the folder cannot be synced");
	return OK;
}

enum err
journal_disk_write(struct journal_disk *d, uint32_t segment, struct str head, struct str bytes,
    enum journal_sync sync)
{
	enum err err = OK;
	uint64_t at;

	if (d->fd < 0 || d->segment != segment)
		err = begin_segment(d, segment, sync);
	if (err != OK)
		return err;
	if (d->size > 0)
		head = STR_NONE;
	at = d->size + head.n;
	if (write_all(d->fd, head, d->size) != 0 || write_all(d->fd, bytes, at) != 0)
		return take_back(d, "pushes cannot be written");
	if (sync == JOURNAL_SYNCED && fdatasync(d->fd) != 0)
		return take_back(d, "pushes cannot be synced");
	if (is_removed(d->fd)) {
		errno = ENOENT;
		return take_back(d, "the file that pushes are written to was removed");
	}
	d->size = at + bytes.n;
	d->why = 0;
	return OK;
}

int
journal_disk_current(const struct journal_disk *d, uint32_t *segment)
{
	*segment = d->segment;
	return d->fd >= 0 ? fcntl(d->fd, F_DUPFD_CLOEXEC, 0) : -1;
}
