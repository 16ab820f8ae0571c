/* SPDX-License-Identifier: Apache-2.0 */
/* Low-level on purpose: the EVP interface would cost a context per thread, and half as much again
 * for one block.  Before any OpenSSL header. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "lib/federation/digests.h"

#include <openssl/sha.h>
#include <stdlib.h>

#define FIRST_ENTRIES 64 /* room made for the first entry */
#define FEW 24           /* as many are sorted by insertion */
#define PER_BUCKET 1     /* entries the index leaves to choose from; on average up to twice that */
#define BITS_MAX 24

_Static_assert(DIGEST_BYTES == SHA256_DIGEST_LENGTH, "SHA-256");
_Static_assert(sizeof(struct digest) == DIGEST_BYTES + 1, "no padding");

void
digest_of(struct str text, struct digest *out)
{
	SHA256_CTX c;

	SHA256_Init(&c);
	SHA256_Update(&c, text.p, text.n);
	SHA256_Final(out->bytes, &c);
}

bool
digests_room(struct digests *d)
{
	size_t cap = d->cap > 0 ? d->cap + d->cap / 2 : FIRST_ENTRIES;
	struct digest *v;

	if (d->n < d->cap)
		return true;
	v = reallocarray(d->v, cap, sizeof(*v));
	if (v == NULL)
		return false;
	d->v = v;
	d->cap = cap;
	return true;
}

/* --- sorting --- */

static int
compare(const struct digest *a, const struct digest *b)
{
	return memcmp(a->bytes, b->bytes, DIGEST_BYTES);
}

static void
sort_few(struct digest *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct digest moved = v[i];
		size_t at = i;

		for (; at > 0 && compare(&v[at - 1], &moved) > 0; at--)
			v[at] = v[at - 1];
		v[at] = moved;
	}
}

/* By one byte after the other, from the front ("American flag sort"): digests are evenly spread,
 * so two or three bytes leave a few each.  In place, for a second copy would be the largest thing
 * in memory. */
static void
sort(struct digest *v, size_t n, size_t at)
{
	size_t next[256] = { 0 }, end[256], sum = 0;

	if (n <= FEW || at == DIGEST_BYTES) {
		sort_few(v, at == DIGEST_BYTES ? 0 : n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		next[v[i].bytes[at]]++;
	for (unsigned b = 0; b < 256; b++) {
		size_t count = next[b];

		next[b] = sum;
		sum += count;
		end[b] = sum;
	}
	for (unsigned b = 0; b < 256; b++)
		while (next[b] < end[b]) {
			struct digest *here = &v[next[b]], *home;

			if (here->bytes[at] == b) {
				next[b]++;
				continue;
			}
			home = &v[next[here->bytes[at]]++];
			struct digest moved = *home;
			*home = *here;
			*here = moved;
		}
	for (unsigned b = 0; b < 256; b++) {
		size_t begin = b > 0 ? end[b - 1] : 0;

		sort(v + begin, end[b] - begin, at + 1);
	}
}

static void
drop_duplicates(struct digests *d)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->n; i++) {
		if (kept > 0 && compare(&d->v[kept - 1], &d->v[i]) == 0)
			d->v[kept - 1].flag |= d->v[i].flag;
		else
			d->v[kept++] = d->v[i];
	}
	d->n = kept;
}

static void
shrink(struct digests *d)
{
	struct digest *v = d->n > 0 ? reallocarray(d->v, d->n, sizeof(*v)) : NULL;

	if (v != NULL) {
		d->v = v;
		d->cap = d->n;
	}
}

/* --- the index --- */

static size_t
bucket_of(const struct digests *d, const unsigned char *bytes)
{
	uint32_t lead = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
			(uint32_t)bytes[2] << 8 | bytes[3];

	return d->bits > 0 ? lead >> (32 - d->bits) : 0;
}

static bool
make_index(struct digests *d)
{
	size_t buckets, b = 0;

	while (d->bits < BITS_MAX && d->n >> d->bits > PER_BUCKET)
		d->bits++;
	buckets = (size_t)1 << d->bits;
	d->first = reallocarray(NULL, buckets + 1, sizeof(*d->first));
	if (d->first == NULL || d->n > UINT32_MAX)
		return false;
	for (size_t i = 0; i < d->n; i++)
		for (; b <= bucket_of(d, d->v[i].bytes); b++)
			d->first[b] = (uint32_t)i;
	for (; b <= buckets; b++)
		d->first[b] = (uint32_t)d->n;
	return true;
}

bool
digests_sort(struct digests *d)
{
	sort(d->v, d->n, 0);
	drop_duplicates(d);
	shrink(d);
	return make_index(d);
}

const struct digest *
digests_find(const struct digests *d, const struct digest *wanted)
{
	size_t bucket = bucket_of(d, wanted->bytes);
	size_t first = d->first[bucket], end = d->first[bucket + 1];

	while (first < end) {
		size_t middle = first + (end - first) / 2;
		int order = compare(wanted, &d->v[middle]);

		if (order == 0)
			return &d->v[middle];
		if (order < 0)
			end = middle;
		else
			first = middle + 1;
	}
	return NULL;
}

void
digests_fini(struct digests *d)
{
	free(d->v);
	free(d->first);
	*d = (struct digests){ 0 };
}
