/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digests - a set of SHA-256 digests, each with one flag: filled, then sorted, then asked.
 *
 * 33 bytes an entry and, once sorted, an index of two to four bytes an entry.  Made for millions:
 * it sorts in place and finds a digest with two looks at memory.  It trusts nothing about the
 * digests: many with the same beginning make it slower, never wrong.  Filled by one thread; asked
 * by any once it is sorted.
 */
#ifndef SCHLEUSE_FEDERATION_DIGESTS_H
#define SCHLEUSE_FEDERATION_DIGESTS_H

#include <stdint.h>

#include "lib/base/err.h"
#include "lib/base/str.h"

#define DIGEST_BYTES 32

struct digest {
	unsigned char bytes[DIGEST_BYTES];
	bool flag;
};

struct digests {
	struct digest *v; /* sorted by digests_sort() */
	size_t n, cap;
	uint32_t *first; /* by the leading bits: where those entries begin; one more at the end */
	unsigned bits;
};

void digest_of(struct str text, struct digest *out); /* sets bytes, leaves the flag */

/* Room for one more entry at v[n], which the caller fills and counts by n++.  false: out of
 * memory. */
bool digests_room(struct digests *d) MUST_CHECK;

/* Sorts; keeps one of each, flagged if any of them was.  false: out of memory. */
bool digests_sort(struct digests *d) MUST_CHECK;

const struct digest *digests_find(const struct digests *d, const struct digest *wanted);

void digests_fini(struct digests *d);

#endif
