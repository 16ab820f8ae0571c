/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_int - what the parts of the import share: reading Sygnal's values, writing ours.  Only
 * pushgw/import*.c need it.
 */
#ifndef SCHLEUSE_PUSHGW_IMPORT_INT_H
#define SCHLEUSE_PUSHGW_IMPORT_INT_H

#include "lib/base/err.h"
#include "lib/conf/tree.h"

struct import {
	struct arena arena;
	struct tree_faults notes;
	struct buf *out;     /* what is being written */
	const char *comment; /* before comments: the indentation */
	bool full;           /* something did not fit */
};

/* --- writing (import_text.c) --- */

/* Text as it is. */
void import_put(struct import *im, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A line that begins with `key` and ends with the text in quotes. */
void import_text(struct import *im, const char *key, struct str value);
/* A comment here and a line in the notes.  at: NULL: the file as a whole. */
void import_note(struct import *im, const struct tree_node *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* --- reading: a note where the value is not of the kind --- */

/* Of members with the same name the last one, as Python has it; or NULL. */
const struct tree_node *import_last(const struct tree_node *map, struct str name);
/* The same; NULL also if the value is null. */
const struct tree_node *import_find(const struct tree_node *map, const char *name);
bool import_scalar(struct import *im, const struct tree_node *n, struct str *out) MUST_CHECK;
bool import_number(
    struct import *im, const struct tree_node *n, uint64_t max, uint64_t *out) MUST_CHECK;
/* As YAML 1.1 has it: yes and on are true as well.  `preset` if n is NULL or no such word. */
bool import_is_true(struct import *im, const struct tree_node *n, bool preset);
/* Keys that are not among the names (up to NULL), and keys that are repeated. */
void import_check_keys(
    struct import *im, const struct tree_node *map, const char *const *names, const char *where);

/* --- apps (import_apps.c) --- */

void import_apps(struct import *im, const struct tree_node *apps);

#endif
