/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/store_keys.h"

#include <stdlib.h>

void
store_keys_init(struct store_keys *k, size_t max)
{
	*k = (struct store_keys){ .max = max };
	arena_init(&k->mem, SIZE_MAX / 2); /* bounded by max */
}

void
store_keys_fini(struct store_keys *k)
{
	free(k->v);
	arena_fini(&k->mem);
	k->v = NULL;
	k->n = k->room = 0;
}

static bool
make_room(struct store_keys *k)
{
	size_t room = k->room > 0 ? 2 * k->room : 64;
	struct str *v = k->n < k->room ? k->v : realloc(k->v, room * sizeof(*v));

	if (v == NULL)
		return false;
	if (k->n == k->room)
		k->room = room;
	k->v = v;
	return true;
}

enum err
store_keys_add(struct store_keys *k, struct str key)
{
	struct str own;

	if (k->n >= k->max)
		return ERR_TOO_LARGE;
	if (!make_room(k) || (own = arena_dup(&k->mem, key)).p == NULL)
		return ERR_MEMORY;
	k->v[k->n++] = own;
	return OK;
}

static int
compare(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

void
store_keys_sort(struct store_keys *k)
{
	size_t kept = 0;

	if (k->n > 1)
		qsort(k->v, k->n, sizeof(*k->v), compare);
	for (size_t i = 0; i < k->n; i++)
		if (kept == 0 || !str_eq(k->v[kept - 1], k->v[i]))
			k->v[kept++] = k->v[i];
	k->n = kept;
}
