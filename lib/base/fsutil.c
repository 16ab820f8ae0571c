/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/fsutil.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that has a size is given the room it needs at once: growing a buffer to it would hold the
 * bytes twice. */
static bool
make_room(int fd, struct buf *out)
{
	struct stat st;

	return fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
	       buf_reserve(out, (size_t)st.st_size) != NULL;
}

int
fs_read(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -1;
	if (!make_room(fd, out))
		err = EFBIG;
	while (err == 0) {
		char chunk[16384];
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = errno;
		else if (n > 0 && !buf_put(out, str_of(chunk, (size_t)n)))
			err = EFBIG;
		if (n <= 0)
			break;
	}
	close(fd);
	errno = err;
	return err != 0 ? -1 : 0;
}

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
	return fsync(fd);
}

static void
sync_folder(const char *path)
{
	char copy[PATH_MAX];
	int fd;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
}

int
fs_replace(const char *path, struct str content, mode_t mode)
{
	char tmp[PATH_MAX];
	int fd, err = 0;

	if (snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path) >= (int)sizeof(tmp)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fchmod(fd, mode) != 0 || write_all(fd, content) != 0)
		err = errno;
	if (close(fd) != 0 && err == 0)
		err = errno;
	if (err == 0 && rename(tmp, path) != 0)
		err = errno;
	if (err != 0) {
		unlink(tmp);
		errno = err;
		return -1;
	}
	sync_folder(path);
	return 0;
}

int
fs_is_private(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return -1;
	return (st.st_mode & (S_IRWXO | S_IWGRP)) == 0;
}
