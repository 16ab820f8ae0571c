/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash - keyed hashing and a hash table of embedded nodes.
 *
 * hash_str() is SipHash with a key drawn at start-up, so peers cannot choose colliding names.  The
 * table chains embedded nodes and grows by doubling; it owns nothing but its bucket array.
 */
#ifndef SCHLEUSE_BASE_HASH_H
#define SCHLEUSE_BASE_HASH_H

#include "lib/base/str.h"

struct hash_node {
	struct hash_node *next;
	uint64_t hash;
};

struct hash {
	struct hash_node **buckets;
	size_t size; /* a power of two, or 0 before the first insertion */
	size_t count;
};

uint64_t hash_str(struct str s);

void hash_init(struct hash *h);
void hash_fini(struct hash *h); /* frees the bucket array, not the nodes */
bool hash_insert(struct hash *h, struct hash_node *n, uint64_t hash) /* false: out of memory */
    __attribute__((warn_unused_result));
void hash_remove(struct hash *h, struct hash_node *n);

/* The first node with this hash, then the following ones; the caller compares keys.  NULL at the
 * end. */
struct hash_node *hash_first(const struct hash *h, uint64_t hash);
struct hash_node *hash_next(const struct hash_node *n);

/* clang-format off */
#define HASH_ENTRY(node, type, member) \
	((type *)(void *)((char *)(node) - offsetof(type, member)))
/* clang-format on */

#endif
