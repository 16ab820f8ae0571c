/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store - values under short keys that outlive the process: in a folder, or in Redis, where several
 * instances share them.
 *
 * Runs on one loop; every call ends later with exactly one call of its function, unless it was
 * cancelled.  Calls are carried out in the order in which they were made.  Which back end it is,
 * only the one who opened it knows (store_file.h, store_redis.h); the back end adds what keeps the
 * names of daemons apart.
 *
 * Keys, names of channels and of claims: 1 to STORE_KEY_MAX bytes, letters, digits and ":._-", the
 * first a letter or digit (so a key is a file name and no pattern).  Values: any bytes, 1 up to
 * `value_max` of the store; an empty value cannot be told from none in Redis and is refused.
 *
 * What a store holds is not trusted for being there: a signed list is verified again by whoever
 * reads it.
 */
#ifndef SCHLEUSE_STORE_STORE_H
#define SCHLEUSE_STORE_STORE_H

#include "lib/base/str.h"
#include "lib/net/loop.h"

#define STORE_KEY_MAX 160
#define STORE_OPS_MAX 4096 /* of one store_apply() */

struct store;
struct store_call;
struct store_watch;
struct store_claim;

struct store_config {     /* copied */
	size_t value_max; /* bytes of one value */
	size_t keys_max;  /* keys of one store_list() */
	/* What store_state() tells has changed; may be NULL.  May do anything, store_free() too. */
	void (*state)(void *arg, enum err why);
	void *arg;
};

/* One more to free it: across a reload the old and the new may use the same. */
struct store *store_hold(struct store *s) MUST_CHECK; /* returns s */
/* The last one ends it: waiting callers are not called; watches and claims must have ended before.
 * Whoever frees it earlier cancels calls of its own.  NULL is allowed. */
void store_free(struct store *s);

/* OK: the last thing tried worked.  Else why not: ERR_DNS, ERR_CONNECT, ERR_TLS, ERR_TIMEOUT: no
 * Redis; ERR_REDIS_ANSWER: it refuses us; ERR_STORE_FULL, ERR_STORE_READONLY: it does not write;
 * ERR_FILE: the folder cannot be read or written.  It becomes OK again by itself; while it is not,
 * calls are still tried, and end within their time. ERR_COUNT: nothing is known yet. */
enum err store_state(const struct store *s);

/* --- values --- */

bool store_key_ok(struct str key);

/* The reasons of store_state(), and: ERR_NOT_FOUND; ERR_TOO_LARGE: longer than value_max;
 * ERR_STORE_DAMAGED: what is there is not what was written.  The value is valid during the call. */
typedef void store_value_fn(void *arg, enum err err, struct str value);
/* NULL here and below: no such key can be, out of memory or too many calls wait; nobody is called.
 */
struct store_call *store_get(
    struct store *s, struct str key, store_value_fn *fn, void *arg) MUST_CHECK;

struct store_op {
	struct str key;
	struct str value; /* n == 0: the key is deleted, if there */
	clock_ms ttl;     /* after which the key is gone; 0: it stays */
};

/* Anything but OK: nothing was changed; but after ERR_CONNECT, ERR_TIMEOUT, ERR_FILE all of it may
 * have been: who must know reads. */
typedef void store_done_fn(void *arg, enum err err);
/* Carries out all (1 to STORE_OPS_MAX, in this order) or none, also when somebody dies in between;
 * with them, `channel` is announced to its watchers (n == 0: nobody is told).  Copies.  NULL also
 * where a value is longer than value_max. */
struct store_call *store_apply(struct store *s, const struct store_op *ops, size_t n,
    struct str channel, store_done_fn *fn, void *arg) MUST_CHECK;

/* The keys that begin with `prefix` (empty: all), in the order of their bytes.  ERR_TOO_LARGE: more
 * than keys_max.  Valid during the call. */
typedef void store_keys_fn(void *arg, enum err err, const struct str *keys, size_t n);
struct store_call *store_list(
    struct store *s, struct str prefix, store_keys_fn *fn, void *arg) MUST_CHECK;

/* May be called until the call's function was; NULL is allowed.  What was begun may still be
 * carried out. */
void store_cancel(struct store_call *c);

/* --- who is told --- */

/* fn is called after each announcement of the channel, from whatever instance, our own included;
 * several may be one call.  Also whenever one may have been missed: at the beginning and after
 * Redis was away.  It says that something may be new: look.  NULL: bad name or out of memory. */
struct store_watch *store_watch(
    struct store *s, struct str channel, void (*fn)(void *arg), void *arg) MUST_CHECK;
void store_unwatch(struct store_watch *w); /* NULL is allowed */

/* --- who does it --- */

/* Stands for election: tries until it holds `name`, renews what it holds three times within ttl,
 * and holds it no longer when it could not renew it for ttl.  fn is called when that changes.  Of
 * all instances one holds it, but two may for a moment after a failover of Redis: a claim spares
 * work, it does not guard data.  Without Redis there is one instance, which gets it.  NULL: bad
 * name or out of memory. */
struct store_claim *store_claim(struct store *s, struct str name, clock_ms ttl,
    void (*fn)(void *arg, bool held), void *arg) MUST_CHECK;
bool store_claim_held(const struct store_claim *c); /* now */
/* Gives it up so that another may have it at once, as far as Redis can be told, and ends. */
void store_claim_release(struct store_claim *c); /* NULL is allowed */

#endif
