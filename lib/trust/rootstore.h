/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rootstore - the roots in force: those pinned in the configuration and those linked to them by a
 * roots.json that is looked at once a week and kept in the state directory.
 *
 * A file that is malformed or lacks a root which was linked and is still valid is not adopted: bad
 * input never replaces good data.  What is kept is judged again when it is loaded.  For one loop.
 */
#ifndef SCHLEUSE_TRUST_ROOTSTORE_H
#define SCHLEUSE_TRUST_ROOTSTORE_H

#include <openssl/x509.h>

#include "lib/trust/ask.h"

struct rootstore;

struct rootstore_config {
	X509_STORE *pinned;    /* not owned */
	const char *base_url;  /* of the download point; NULL: only the pinned ones count */
	const char *state_dir; /* NULL: keep nothing */
	clock_ms interval;
	void (*changed)(void *arg); /* later: a look is over, whatever came of it */
	void *arg;
};

/* `ask` must outlive it.  Loads what is kept at once.  NULL: out of memory. */
struct rootstore *rootstore_new(
    const struct trust_ask *ask, const struct rootstore_config *cfg) MUST_CHECK;
void rootstore_free(struct rootstore *s);

X509_STORE *rootstore_get(const struct rootstore *s); /* valid until `changed` */
/* Appends all of them, with a reference each.  false: out of memory. */
bool rootstore_collect(const struct rootstore *s, STACK_OF(X509) *out) MUST_CHECK;
/* A look is under way, or about to be because there was none so far; `changed` is called after it.
 */
bool rootstore_is_looking(const struct rootstore *s);
/* Looks now, unless it did a moment ago.  Whether a look is under way. */
bool rootstore_look(struct rootstore *s);

#endif
