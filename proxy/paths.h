/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paths - which upstream of a messenger service a request goes to, by method and path.
 *
 * Patterns are written as in the route table: "{x}" is one segment, a trailing "**" at least one
 * more; they are compiled into a trie over segments.  The most specific pattern wins, wherever it
 * stands in the file: a literal before "{x}", an end before "**", the longer "**".  Built with the
 * configuration, in its arena; then immutable.  Finding allocates nothing and looks at a node at
 * most once.
 */
#ifndef SCHLEUSE_PROXY_PATHS_H
#define SCHLEUSE_PROXY_PATHS_H

#include "proxy/routes.h"

#define PATHS_NO_ROOM SIZE_MAX

struct paths_row {
	unsigned methods; /* bits 1 << enum h1_method; 0: any.  GET stands for HEAD as well */
	size_t upstream;
	size_t room; /* which segment the pattern calls {room}, or PATHS_NO_ROOM */
	struct paths_row *next;
};

struct paths;

struct paths *paths_new(struct arena *a); /* NULL: out of memory */

/* Adds a pattern, which must live as long as the arena.  NULL when fine, else what is wrong with it
 * as a constant text. */
const char *paths_add(struct paths *p, struct arena *a, struct str pattern, unsigned methods,
    size_t upstream) MUST_CHECK;

/* NULL: no pattern fits. */
const struct paths_row *paths_find(
    const struct paths *p, const struct segments *path, enum h1_method method);

#endif
