/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena - memory that is freed all at once.
 *
 * One arena belongs to one request or one snapshot.  Everything parsed from the request lives in it
 * and dies with it; nothing from an arena is passed to free().  An arena has a ceiling: once
 * reached, allocation returns NULL and the request is refused, so a peer cannot make us grow.
 * The first block comes from a small per-thread cache, so a typical request does not call malloc.
 */
#ifndef SCHLEUSE_BASE_ARENA_H
#define SCHLEUSE_BASE_ARENA_H

#include "lib/base/str.h"

struct arena {
	struct arena_block *head; /* the block being filled, newest first */
	size_t used;              /* bytes handed out and lost, counted against max */
	size_t max;
};

void arena_init(struct arena *a, size_t max);
void arena_fini(struct arena *a);            /* frees every block; the arena may be used again */
void *arena_alloc(struct arena *a, size_t n) /* zeroed, aligned for any type, or NULL */
    __attribute__((warn_unused_result));
char *arena_bytes(struct arena *a, size_t n) /* not zeroed, not aligned, or NULL */
    __attribute__((warn_unused_result));
struct str arena_dup(struct arena *a, struct str s); /* a copy; STR_NONE when out of memory */
char *arena_z(struct arena *a, struct str s);        /* a NUL-terminated copy, or NULL */
void arena_drop_cache(void); /* frees the calling thread's cached blocks; at its end */

#endif
