/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invites - a hash table in the order of noting, and a log (invitelog) of what was noted.
 *
 * What is not in the table may have been noted by another process since, so the log is read on
 * before the answer is no.  The log is written anew when something in it is damaged, and when it is
 * more than twice as long as what lives.
 */
#include "proxy/invites.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/fsutil.h"
#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "proxy/invitelog.h"

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
	struct invitelog *log; /* NULL: keep nothing */
	bool broken;           /* the last write failed; rewrite before the next append */
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
on_record(void *arg, const struct invite_digest *d, int64_t noted)
{
	if (!keep(arg, d, noted))
		log_error("invites: out of memory; one that was accepted is not remembered");
}

/* With the lock held. */
static bool
write_all(struct invites *v)
{
	struct buf all;
	bool ok;

	invitelog_read(v->log, on_record, v);
	buf_init(&all, (v->table.count + 1) * INVITELOG_RECORD);
	LIST_FOR(node, &v->order) {
		const struct invite *i = LIST_ENTRY(node, struct invite, place);

		invitelog_put(v->log, &i->digest, i->noted, &all);
	}
	ok = buf_len(&all) == v->table.count * INVITELOG_RECORD &&
	     invitelog_write(v->log, buf_str(&all));
	buf_fini(&all);
	return ok;
}

/* Writes the log anew with what lives; not while another process uses it too. */
static bool
rewrite(struct invites *v)
{
	bool ok;

	if (!invitelog_lock(v->log)) {
		errno = EBUSY;
		return false;
	}
	ok = write_all(v);
	v->broken = !ok;
	invitelog_unlock(v->log);
	return ok;
}

static void
on_sync(void *arg)
{
	struct invites *v = arg;

	v->dirty = false;
	if (!invitelog_sync(v->log))
		v->broken = true;
}

static bool
is_too_long(const struct invites *v)
{
	size_t n = invitelog_records(v->log);

	return n >= REWRITE_MIN && n >= 2 * v->table.count;
}

static bool
append(struct invites *v, const struct invite *i)
{
	if (v->log == NULL)
		return true;
	if ((v->broken || is_too_long(v)) && (rewrite(v) || v->broken))
		return !v->broken;
	if (!invitelog_append(v->log, &i->digest, i->noted)) {
		v->broken = true; /* maybe torn */
		return false;
	}
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
		    invitelog_path(v->log), strerror(errno));
		return ERR_FILE;
	}
	return OK;
}

bool
invites_has(struct invites *v, const struct invite_digest *d)
{
	const struct invite *i = find(v, d, hash_of(d));

	if (i == NULL && v->log != NULL) {
		invitelog_read(v->log, on_record, v);
		i = find(v, d, hash_of(d));
	}
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

static enum err
load_log(struct invites *v, const char *state_dir)
{
	enum err err = invitelog_open(state_dir, &v->key, &v->log);

	if (err != OK) {
		log_error("invites: cannot use invites.log in %s: %s", state_dir, strerror(errno));
		return err;
	}
	if (!invitelog_lock(v->log)) { /* our predecessor still writes it */
		invitelog_read(v->log, on_record, v);
		return OK;
	}
	invitelog_read(v->log, on_record, v);
	if (invitelog_damaged(v->log))
		log_warn(
		    "invites: %s has damaged records, which are dropped", invitelog_path(v->log));
	if (!write_all(v)) {
		log_error("invites: cannot use %s: %s", invitelog_path(v->log), strerror(errno));
		err = ERR_FILE;
	}
	invitelog_unlock(v->log);
	return err;
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
	hash_init(&v->table);
	list_init(&v->order);
	timer_init(&v->sync, on_sync, v);
	if (cfg->state_dir == NULL) {
		randombytes_buf(v->key.bytes, sizeof(v->key.bytes));
	} else {
		err = load_key(v, cfg->state_dir);
		if (err == OK)
			err = load_log(v, cfg->state_dir);
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
	if (v->log != NULL) {
		if (v->broken)
			(void)rewrite(v);
		if (v->dirty && !invitelog_sync(v->log))
			log_error("invites: cannot write %s: %s", invitelog_path(v->log),
			    strerror(errno));
		invitelog_close(v->log);
	}
	while ((node = list_first(&v->order)) != NULL)
		drop(v, LIST_ENTRY(node, struct invite, place));
	hash_fini(&v->table);
	sodium_memzero(&v->key, sizeof(v->key));
	free(v);
}
