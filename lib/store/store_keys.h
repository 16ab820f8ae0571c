/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_keys - a list of keys as a back end finds them.
 */
#ifndef SCHLEUSE_STORE_STORE_KEYS_H
#define SCHLEUSE_STORE_STORE_KEYS_H

#include "lib/base/arena.h"
#include "lib/base/err.h"

struct store_keys {
	struct str *v;
	size_t n, room, max;
	struct arena mem;
};

void store_keys_init(struct store_keys *k, size_t max);
void store_keys_fini(struct store_keys *k);
enum err store_keys_add(struct store_keys *k, struct str key) MUST_CHECK; /* copies */
void store_keys_sort(struct store_keys *k); /* by their bytes, each once */

#endif
