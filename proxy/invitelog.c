/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/invitelog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fsutil.h"

struct invitelog {
	struct invite_key key;
	char path[PATH_MAX];
	int fd, lock;
	off_t read_to;
	size_t records;
	bool damaged;
};

static void
checksum(const struct invitelog *l, const unsigned char *record, unsigned char out[8])
{
	unsigned char sum[crypto_generichash_BYTES_MIN];

	crypto_generichash(
	    sum, sizeof(sum), record, INVITELOG_RECORD - 8, l->key.bytes, sizeof(l->key.bytes));
	memcpy(out, sum, 8);
}

static void
encode(const struct invitelog *l, const struct invite_digest *d, int64_t noted, unsigned char *out)
{
	memcpy(out, d->bytes, INVITE_DIGEST_LEN);
	for (int b = 0; b < 8; b++)
		out[INVITE_DIGEST_LEN + b] = (unsigned char)((uint64_t)noted >> (56 - 8 * b));
	checksum(l, out, out + INVITELOG_RECORD - 8);
}

static bool
decode(const struct invitelog *l, const unsigned char *in, struct invite_digest *d, int64_t *noted)
{
	unsigned char sum[8];
	uint64_t at = 0;

	checksum(l, in, sum);
	if (memcmp(sum, in + INVITELOG_RECORD - 8, sizeof(sum)) != 0)
		return false;
	memcpy(d->bytes, in, sizeof(d->bytes));
	for (int b = 0; b < 8; b++)
		at = at << 8 | in[INVITE_DIGEST_LEN + b];
	*noted = (int64_t)at;
	return true;
}

/* --- the file --- */

static bool
reopen(struct invitelog *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = open(l->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	l->read_to = 0;
	l->records = 0;
	return l->fd >= 0;
}

enum err
invitelog_open(const char *state_dir, const struct invite_key *key, struct invitelog **out)
{
	struct invitelog *l = calloc(1, sizeof(*l));
	char lock[PATH_MAX];

	if (l == NULL)
		return ERR_MEMORY;
	l->fd = l->lock = -1;
	l->key = *key;
	errno = ENAMETOOLONG;
	if (snprintf(lock, sizeof(lock), "%s/invites.lock", state_dir) < (int)sizeof(lock) &&
	    snprintf(l->path, sizeof(l->path), "%s/invites.log", state_dir) < (int)sizeof(l->path))
		l->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (l->lock < 0 || flock(l->lock, LOCK_SH) != 0 || !reopen(l)) {
		int why = errno;

		invitelog_close(l);
		errno = why;
		return ERR_FILE;
	}
	*out = l;
	return OK;
}

void
invitelog_close(struct invitelog *l)
{
	if (l == NULL)
		return;
	if (l->fd >= 0)
		close(l->fd);
	if (l->lock >= 0)
		close(l->lock);
	sodium_memzero(&l->key, sizeof(l->key));
	free(l);
}

const char *
invitelog_path(const struct invitelog *l)
{
	return l->path;
}

size_t
invitelog_records(const struct invitelog *l)
{
	return l->records;
}

bool
invitelog_damaged(const struct invitelog *l)
{
	return l->damaged;
}

bool
invitelog_sync(struct invitelog *l)
{
	return fdatasync(l->fd) == 0;
}

/* --- reading and appending --- */

/* Somebody may have written the file anew while we had no lock. */
static bool
is_current(const struct invitelog *l)
{
	struct stat st;

	return l->fd >= 0 && fstat(l->fd, &st) == 0 && st.st_nlink > 0;
}

void
invitelog_read(struct invitelog *l, invitelog_fn *fn, void *arg)
{
	unsigned char some[128 * INVITELOG_RECORD];
	struct invite_digest d;
	int64_t noted;
	ssize_t n;

	if (!is_current(l) && !reopen(l))
		return;
	while ((n = pread(l->fd, some, sizeof(some), l->read_to)) >= INVITELOG_RECORD) {
		size_t whole = (size_t)n / INVITELOG_RECORD;

		for (size_t i = 0; i < whole; i++) {
			if (decode(l, some + i * INVITELOG_RECORD, &d, &noted))
				fn(arg, &d, noted);
			else
				l->damaged = true;
		}
		l->read_to += (off_t)(whole * INVITELOG_RECORD);
	}
	if (l->records < (size_t)l->read_to / INVITELOG_RECORD)
		l->records = (size_t)l->read_to / INVITELOG_RECORD;
	/* Less than a record: torn, or about to be completed by somebody else. */
	l->damaged |= n > 0;
}

bool
invitelog_append(struct invitelog *l, const struct invite_digest *d, int64_t noted)
{
	unsigned char record[INVITELOG_RECORD];
	struct stat st;
	ssize_t n;

	encode(l, d, noted, record);
	do
		n = write(l->fd, record, sizeof(record));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(record))
		return false;
	l->records++;
	/* Nobody else has written: this one need not be read again. */
	if (fstat(l->fd, &st) == 0 && st.st_size == l->read_to + INVITELOG_RECORD)
		l->read_to = st.st_size;
	return true;
}

/* --- writing it anew --- */

bool
invitelog_lock(struct invitelog *l)
{
	if (flock(l->lock, LOCK_EX | LOCK_NB) == 0)
		return true;
	invitelog_unlock(l); /* a failed upgrade has lost the shared one */
	return false;
}

void
invitelog_unlock(struct invitelog *l)
{
	while (flock(l->lock, LOCK_SH) != 0 && errno == EINTR)
		;
}

void
invitelog_put(
    const struct invitelog *l, const struct invite_digest *d, int64_t noted, struct buf *out)
{
	char *at = buf_reserve(out, INVITELOG_RECORD);

	if (at == NULL)
		return;
	encode(l, d, noted, (unsigned char *)at);
	buf_commit(out, INVITELOG_RECORD);
}

bool
invitelog_write(struct invitelog *l, struct str all)
{
	if (fs_replace(l->path, all, 0600) != 0 || !reopen(l))
		return false;
	l->read_to = (off_t)all.n;
	l->records = all.n / INVITELOG_RECORD;
	l->damaged = false;
	return true;
}
