/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kinds - what many pushes have in common, kept once: the app, and the app with its `data`.
 *
 * Counted: who holds a kind gives it back.  Used by one thread.
 */
#ifndef SCHLEUSE_PUSHGW_KINDS_H
#define SCHLEUSE_PUSHGW_KINDS_H

#include "lib/base/err.h"
#include "lib/base/hash.h"

struct kind_app {
	struct hash_node node;
	uint64_t kinds, pushes;
	unsigned lane; /* for the owner */
	size_t n;
	char id[];
};

struct kind {
	struct hash_node node;
	struct kind_app *app;
	uint64_t pushes;
	size_t n;
	char data[];
};

struct kinds {
	struct hash apps, kinds;
	uint64_t bytes; /* of memory */
};

void kinds_init(struct kinds *k);
void kinds_fini(struct kinds *k); /* nothing may be held any more */

/* NULL: out of memory.  *is_new: the app was not known, its lane has to be set. */
struct kind *kinds_hold(
    struct kinds *k, struct str app_id, struct str data, bool *is_new) MUST_CHECK;
void kinds_drop(struct kinds *k, struct kind *kind);

struct kind_app *kinds_app(const struct kinds *k, struct str app_id); /* NULL: no push of it */
/* Calls fn with each app. */
void kinds_each(struct kinds *k, void (*fn)(void *arg, struct kind_app *app), void *arg);

#endif
