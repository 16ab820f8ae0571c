/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena - a list of blocks; the newest one is filled.  Blocks of the usual size go back to a
 * per-thread cache, larger ones to free().
 */
#include "lib/base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#define BLOCK_SIZE 4096
#define CACHE_MAX 256

struct arena_block {
	struct arena_block *next;
	size_t size; /* of the whole block */
	size_t used; /* including this header */
};

static _Thread_local struct arena_block *cache;
static _Thread_local unsigned cached;

static struct arena_block *
block_get(size_t need)
{
	size_t size = need > BLOCK_SIZE - sizeof(struct arena_block)
			  ? need + sizeof(struct arena_block)
			  : BLOCK_SIZE;
	struct arena_block *b;

	if (size == BLOCK_SIZE && cache != NULL) {
		b = cache;
		cache = b->next;
		cached--;
	} else {
		b = malloc(size);
		if (b == NULL)
			return NULL;
	}
	b->size = size;
	b->used = sizeof(*b);
	return b;
}

static void
block_put(struct arena_block *b)
{
	if (b->size == BLOCK_SIZE && cached < CACHE_MAX) {
		b->next = cache;
		cache = b;
		cached++;
	} else {
		free(b);
	}
}

void
arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){ .max = max };
}

void
arena_fini(struct arena *a)
{
	struct arena_block *b = a->head, *next;

	for (; b != NULL; b = next) {
		next = b->next;
		block_put(b);
	}
	a->head = NULL;
	a->used = 0;
}

static void *
take(struct arena *a, size_t n, size_t align)
{
	struct arena_block *b = a->head;
	size_t at = b != NULL ? (b->used + align - 1) & ~(align - 1) : 0;
	bool fits = b != NULL && at <= b->size && n <= b->size - at;
	size_t lost = fits ? at - b->used : b != NULL ? b->size - b->used : 0;

	if (n > a->max || lost > a->max - n || a->used > a->max - n - lost || n > SIZE_MAX / 2)
		return NULL;
	if (!fits) {
		b = block_get(n + align);
		if (b == NULL)
			return NULL;
		b->next = a->head;
		a->head = b;
		at = (b->used + align - 1) & ~(align - 1);
	}
	a->used += n + lost;
	b->used = at + n;
	return (char *)b + at;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	void *p = take(a, n, alignof(max_align_t));

	return p != NULL ? memset(p, 0, n) : NULL;
}

char *
arena_bytes(struct arena *a, size_t n)
{
	return take(a, n, 1);
}

char *
arena_z(struct arena *a, struct str s)
{
	char *p = arena_bytes(a, s.n + 1);

	if (p == NULL)
		return NULL;
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return p;
}

struct str
arena_dup(struct arena *a, struct str s)
{
	char *p = arena_z(a, s);

	return p != NULL ? str_of(p, s.n) : STR_NONE;
}

void
arena_drop_cache(void)
{
	while (cache != NULL) {
		struct arena_block *b = cache;

		cache = b->next;
		free(b);
	}
	cached = 0;
}
