/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_int - between store.c and the back ends; nobody else includes it.
 *
 * A back end embeds struct store and struct store_call as first members of its own.  It makes the
 * calls, and when one is over takes it out of its own lists, frees it and calls the function with
 * one of the store_tell_*(), as the last thing it does: the function may free the store.
 */
#ifndef SCHLEUSE_STORE_STORE_INT_H
#define SCHLEUSE_STORE_STORE_INT_H

#include "lib/store/store.h"

typedef void store_claimed_fn(void *arg, enum err err, bool held);

struct store_call {
	struct store *store;
	union {
		store_value_fn *value;
		store_done_fn *done;
		store_keys_fn *keys;
		store_claimed_fn *claimed;
	} fn;
	void *arg;
};

/* Names were checked.  NULL: out of memory, or too many calls. */
struct store_backend {
	void (*free)(struct store *s);
	struct store_call *(*get)(struct store *s, struct str key);
	struct store_call *(*apply)(
	    struct store *s, const struct store_op *ops, size_t n, struct str channel);
	struct store_call *(*list)(struct store *s, struct str prefix);
	/* Takes or keeps the claim for `token` during ttl; 0: gives it up. */
	struct store_call *(*claim)(
	    struct store *s, struct str name, struct str token, clock_ms ttl);
	void (*cancel)(struct store_call *c);
	/* The first watcher of a channel has come, the last one gone. */
	bool (*watch)(struct store *s, struct str channel);
	void (*unwatch)(struct store *s, struct str channel);
};

struct store {
	const struct store_backend *backend;
	unsigned holders;
	struct loop *loop;
	struct store_config cfg;
	enum err known, now; /* state as last told, and as it is */
	struct task tell;
	struct list watches;
};

void store_init(struct store *s, const struct store_backend *backend, struct loop *loop,
    const struct store_config *cfg);
void store_fini(struct store *s);
void store_report(struct store *s, enum err why);          /* the state; told later */
void store_announced(struct store *s, struct str channel); /* n == 0: all channels; told later */

/* Asks the back end to take, keep or (ttl 0) give up a claim. */
struct store_call *store_ask_claim(struct store *s, struct str name, struct str token, clock_ms ttl,
    store_claimed_fn *fn, void *arg) MUST_CHECK;

#endif
