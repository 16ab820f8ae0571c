/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invites - a hash table in the order of noting, and a log of fixed-size records.
 *
 * A record is a digest, the wall-clock second of noting (64 bits, big-endian) and a checksum keyed
 * with the file's key, so that a torn or foreign record is recognised; reading stops there and the
 * log is written anew.  It is also written anew when it is more than twice as long as what lives.
 */
#include "proxy/invites.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fsutil.h"
#include "lib/base/hash.h"
#include "lib/base/log.h"

#define RECORD_LEN 32    /* digest 16, time 8, checksum 8 */
#define REWRITE_MIN 1024 /* records; a smaller log is not worth it */
#define SYNC_MS 1000

struct invite {
	struct hash_node node;
	struct list place; /* oldest first */
	struct invite_digest digest;
	int64_t noted; /* wall-clock second */
};

struct invites {
	struct loop *loop;
	struct invite_key key;
	struct hash table;
	struct list order;
	size_t max;
	clock_ms ttl;
	char log_path[PATH_MAX]; /* "": keep nothing */
	int fd;
	size_t logged; /* records in the log */
	bool broken;   /* the last write failed; rewrite before the next append */
	bool dirty;
	struct timer sync;
};

/* --- digests --- */

static void
mix(crypto_generichash_state *st, struct str s)
{
	uint64_t n = s.n;

	/* The length first, so that no two tuples mix to the same bytes. */
	crypto_generichash_update(st, (const unsigned char *)&n, sizeof(n));
	crypto_generichash_update(st, (const unsigned char *)s.p, s.n);
}

struct invite_digest
invite_digest(const struct invite_key *key, struct str service, struct str room, struct str sender,
    struct str invitee)
{
	struct invite_digest d;
	crypto_generichash_state st;

	crypto_generichash_init(&st, key->bytes, sizeof(key->bytes), sizeof(d.bytes));
	mix(&st, service);
	mix(&st, room);
	mix(&st, sender);
	mix(&st, invitee);
	crypto_generichash_final(&st, d.bytes, sizeof(d.bytes));
	return d;
}

/* --- the table --- */

static struct invite *
find(const struct invites *v, const struct invite_digest *d, uint64_t hash)
{
	struct hash_node *n;

	for (n = hash_first(&v->table, hash); n != NULL; n = hash_next(n)) {
		struct invite *i = HASH_ENTRY(n, struct invite, node);

		if (memcmp(&i->digest, d, sizeof(*d)) == 0)
			return i;
	}
	return NULL;
}

static uint64_t
hash_of(const struct invite_digest *d)
{
	return hash_str(str_of((const char *)d->bytes, sizeof(d->bytes)));
}

static bool
lives(const struct invites *v, const struct invite *i, int64_t now)
{
	return now - i->noted < (int64_t)(v->ttl / 1000);
}

static void
drop(struct invites *v, struct invite *i)
{
	hash_remove(&v->table, &i->node);
	list_remove(&i->place);
	free(i);
}

static void
expire(struct invites *v)
{
	int64_t now = clock_wall_s();
	struct list *node;

	while ((node = list_first(&v->order)) != NULL) {
		struct invite *i = LIST_ENTRY(node, struct invite, place);

		if (v->table.count <= v->max && lives(v, i, now))
			return;
		drop(v, i);
	}
}

static bool
keep(struct invites *v, const struct invite_digest *d, int64_t noted)
{
	uint64_t hash = hash_of(d);
	struct invite *i = find(v, d, hash);

	if (i == NULL) {
		i = calloc(1, sizeof(*i));
		if (i == NULL || !hash_insert(&v->table, &i->node, hash)) {
			free(i);
			return false;
		}
		i->digest = *d;
		list_init(&i->place);
	}
	i->noted = noted;
	list_remove(&i->place);
	list_append(&v->order, &i->place);
	expire(v);
	return true;
}

/* --- the log --- */

static void
checksum(const struct invites *v, const unsigned char *record, unsigned char out[8])
{
	unsigned char sum[crypto_generichash_BYTES_MIN];

	crypto_generichash(
	    sum, sizeof(sum), record, RECORD_LEN - 8, v->key.bytes, sizeof(v->key.bytes));
	memcpy(out, sum, 8);
}

static void
write_record(const struct invites *v, const struct invite *i, unsigned char out[RECORD_LEN])
{
	memcpy(out, i->digest.bytes, INVITE_DIGEST_LEN);
	for (int b = 0; b < 8; b++)
		out[INVITE_DIGEST_LEN + b] = (unsigned char)((uint64_t)i->noted >> (56 - 8 * b));
	checksum(v, out, out + RECORD_LEN - 8);
}

static bool
read_record(struct invites *v, const unsigned char *in)
{
	struct invite_digest d;
	unsigned char sum[8];
	uint64_t noted = 0;

	checksum(v, in, sum);
	if (memcmp(sum, in + RECORD_LEN - 8, sizeof(sum)) != 0)
		return false;
	memcpy(d.bytes, in, sizeof(d.bytes));
	for (int b = 0; b < 8; b++)
		noted = noted << 8 | in[INVITE_DIGEST_LEN + b];
	return keep(v, &d, (int64_t)noted);
}

static bool
all_records(const struct invites *v, struct buf *out)
{
	LIST_FOR(node, &v->order) {
		char *at = buf_reserve(out, RECORD_LEN);

		if (at == NULL)
			return false;
		write_record(v, LIST_ENTRY(node, struct invite, place), (unsigned char *)at);
		buf_commit(out, RECORD_LEN);
	}
	return true;
}

static bool
reopen(struct invites *v)
{
	if (v->fd >= 0)
		close(v->fd);
	v->fd = open(v->log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	return v->fd >= 0;
}

/* Writes the log anew with what lives. */
static bool
rewrite(struct invites *v)
{
	struct buf all;
	bool ok;

	if (v->log_path[0] == '\0')
		return true;
	buf_init(&all, (v->table.count + 1) * RECORD_LEN);
	ok = all_records(v, &all) && fs_replace(v->log_path, buf_str(&all), 0600) == 0 && reopen(v);
	if (ok)
		v->logged = v->table.count;
	buf_fini(&all);
	v->broken = !ok;
	return ok;
}

static void
on_sync(void *arg)
{
	struct invites *v = arg;

	v->dirty = false;
	if (v->fd >= 0 && fdatasync(v->fd) != 0)
		v->broken = true;
}

static bool
append(struct invites *v, const struct invite *i)
{
	unsigned char record[RECORD_LEN];
	ssize_t n;

	if (v->log_path[0] == '\0')
		return true;
	if (v->broken || (v->logged >= REWRITE_MIN && v->logged >= 2 * v->table.count))
		return rewrite(v);
	write_record(v, i, record);
	do
		n = write(v->fd, record, sizeof(record));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(record)) {
		v->broken = true; /* maybe torn */
		return false;
	}
	v->logged++;
	if (!v->dirty) {
		v->dirty = true;
		timer_set(v->loop, &v->sync, SYNC_MS);
	}
	return true;
}

/* --- asking and noting --- */

enum err
invites_note(struct invites *v, const struct invite_digest *d)
{
	struct invite *i;

	if (!keep(v, d, clock_wall_s()))
		return ERR_MEMORY;
	i = find(v, d, hash_of(d));
	if (i == NULL)
		return OK; /* max is 0 */
	if (!append(v, i)) {
		log_error("invites: cannot write %s: %s; accepted invites will be forgotten at the "
			  "next start",
		    v->log_path, strerror(errno));
		return ERR_FILE;
	}
	return OK;
}

bool
invites_has(const struct invites *v, const struct invite_digest *d)
{
	const struct invite *i = find(v, d, hash_of(d));

	return i != NULL && lives(v, i, clock_wall_s());
}

size_t
invites_count(const struct invites *v)
{
	return v->table.count;
}

const struct invite_key *
invites_key(const struct invites *v)
{
	return &v->key;
}

void
invites_set_limits(struct invites *v, size_t max, clock_ms ttl)
{
	v->max = max;
	v->ttl = ttl;
	expire(v);
}

/* --- opening and closing --- */

static enum err
make_key(struct invites *v, const char *path)
{
	randombytes_buf(v->key.bytes, sizeof(v->key.bytes));
	return fs_replace(path, str_of((const char *)v->key.bytes, sizeof(v->key.bytes)), 0600) == 0
		   ? OK
		   : ERR_FILE;
}

static enum err
load_key(struct invites *v, const char *state_dir)
{
	char path[PATH_MAX];
	enum err err = OK;
	struct buf b;

	if (snprintf(path, sizeof(path), "%s/invites.key", state_dir) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return ERR_FILE;
	}
	buf_init(&b, 4096);
	if (fs_read(path, &b) != 0)
		err = errno == ENOENT ? make_key(v, path) : ERR_FILE;
	else if (buf_len(&b) != INVITE_KEY_LEN) /* torn or emptied: nobody can read the log now */
		err = make_key(v, path);
	else
		memcpy(v->key.bytes, buf_str(&b).p, INVITE_KEY_LEN);
	if (buf_len(&b) > 0)
		sodium_memzero(b.mem + b.off, buf_len(&b));
	buf_fini(&b);
	if (err != OK)
		log_error("invites: cannot use %s: %s", path, strerror(errno));
	return err;
}

/* Reads the log record by record; whatever is left behind the last good one is given up. */
static enum err
load_log(struct invites *v, const char *state_dir)
{
	unsigned char record[RECORD_LEN];
	FILE *f;

	if (snprintf(v->log_path, sizeof(v->log_path), "%s/invites.log", state_dir) >=
	    (int)sizeof(v->log_path)) {
		errno = ENAMETOOLONG;
		return ERR_FILE;
	}
	f = fopen(v->log_path, "re");
	if (f == NULL && errno != ENOENT)
		return ERR_FILE;
	while (f != NULL) {
		size_t n = fread(record, 1, sizeof(record), f);

		if (n == sizeof(record) && read_record(v, record))
			continue;
		if (n > 0)
			log_warn(
			    "invites: %s ends in a damaged record, which is dropped", v->log_path);
		break;
	}
	if (f != NULL)
		fclose(f);
	return rewrite(v) ? OK : ERR_FILE;
}

enum err
invites_open(struct loop *loop, const struct invites_config *cfg, struct invites **out)
{
	struct invites *v = calloc(1, sizeof(*v));
	enum err err = OK;

	if (v == NULL)
		return ERR_MEMORY;
	v->loop = loop;
	v->max = cfg->max;
	v->ttl = cfg->ttl;
	v->fd = -1;
	hash_init(&v->table);
	list_init(&v->order);
	timer_init(&v->sync, on_sync, v);
	if (cfg->state_dir == NULL) {
		randombytes_buf(v->key.bytes, sizeof(v->key.bytes));
	} else {
		err = load_key(v, cfg->state_dir);
		if (err == OK && (err = load_log(v, cfg->state_dir)) != OK)
			log_error("invites: cannot use %s: %s", v->log_path, strerror(errno));
	}
	if (err != OK) {
		int why = errno;

		invites_close(v);
		errno = why;
		return err;
	}
	*out = v;
	return OK;
}

void
invites_close(struct invites *v)
{
	struct list *node;

	if (v == NULL)
		return;
	timer_clear(&v->sync);
	if (v->fd >= 0) {
		if (v->broken)
			(void)rewrite(v);
		if (v->dirty)
			fdatasync(v->fd);
		close(v->fd);
	}
	while ((node = list_first(&v->order)) != NULL)
		drop(v, LIST_ENTRY(node, struct invite, place));
	hash_fini(&v->table);
	sodium_memzero(&v->key, sizeof(v->key));
	free(v);
}
