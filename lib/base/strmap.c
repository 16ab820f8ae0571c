/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/strmap.h"

#include <stdlib.h>

static int
compare(const void *a, const void *b)
{
	return str_cmp(
	    ((const struct strmap_entry *)a)->key, ((const struct strmap_entry *)b)->key);
}

struct strmap
strmap_of(struct strmap_entry *entries, size_t n)
{
	if (n > 1)
		qsort(entries, n, sizeof(*entries), compare);
	return (struct strmap){ entries, n };
}

bool
strmap_find(const struct strmap *m, struct str key, size_t *value)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = str_cmp(m->entries[mid].key, key);

		if (c == 0) {
			*value = m->entries[mid].value;
			return true;
		}
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}
