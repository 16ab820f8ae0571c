/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load - fills a struct from a YAML file by its rows, and names every fault with file:line:column.
 *
 * Built on libyaml, whose events know their place in the file.  libcyaml 1.3 reports the place of
 * what it finds itself, but knows neither defaults nor number ranges nor checks across settings,
 * and a fault found afterwards can no longer be placed; an operator needs the line for those most
 * of all.
 *
 * All faults of a file are collected (up to TREE_FAULTS_MAX), not only the first: unknown and
 * repeated keys, wrong types, values out of range, missing settings.  After load_file() the
 * daemon's own checks add theirs with load_fault(), naming the field; the place is looked up.  Used
 * on one thread, for one file, then thrown away; the values stay in the caller's arena.
 */
#ifndef SCHLEUSE_CONF_LOAD_H
#define SCHLEUSE_CONF_LOAD_H

#include "lib/conf/option.h"
#include "lib/conf/tree.h"

struct load {
	struct conf_context ctx;
	struct tree_faults faults;
	struct arena scratch;      /* the tree and the places */
	struct load_place *places; /* of fields, newest first */
	char *folder;              /* of the file */
};

/* `path` is read and shown in faults; values go to `values`, faults to `errors`. */
void load_init(struct load *l, const char *path, struct arena *values, struct buf *errors);
void load_fini(struct load *l);

/* Fill the struct at base, which must be zeroed.  false: faults were added; the struct is then
 * filled as far as possible, so further checks may run but must expect NULL. */
bool load_file(struct load *l, const struct conf_option *rows, void *base)
    __attribute__((warn_unused_result));
bool load_text(struct load *l, struct str text, const struct conf_option *rows, void *base)
    __attribute__((warn_unused_result));

/* A fault of the setting stored at `field` (for an element of a list: &list.v[i]).  Where the
 * setting is not in the file the place is that of the section it belongs to, or the file as a
 * whole. */
void load_fault(struct load *l, const void *field, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void load_moved(
    struct load *l, const void *from, const void *to); /* faults at `to` get the place of `from` */
bool load_given(const struct load *l, const void *field); /* the setting stands in the file */
bool load_ok(const struct load *l);                       /* no faults so far */

#endif
