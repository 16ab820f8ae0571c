/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strmap - an immutable map from strings to numbers: a sorted array.
 *
 * For tables that are built once and asked often, from any thread, such as which service a host
 * name belongs to.  The array is the caller's and must live as long as the map.
 */
#ifndef SCHLEUSE_BASE_STRMAP_H
#define SCHLEUSE_BASE_STRMAP_H

#include "lib/base/str.h"

struct strmap_entry {
	struct str key;
	size_t value;
};

struct strmap {
	const struct strmap_entry *entries;
	size_t n;
};

/* Sorts the array in place.  Of equal keys any may be found. */
struct strmap strmap_of(struct strmap_entry *entries, size_t n);
bool strmap_find(const struct strmap *m, struct str key, size_t *value);

#endif
