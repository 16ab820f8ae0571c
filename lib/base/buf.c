/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CACHE_MAX 64

struct piece {
	struct piece *next;
};

static _Thread_local struct piece *cache;
static _Thread_local unsigned cached;

static char *
piece_get(size_t size)
{
	struct piece *p = cache;

	if (size != BUF_PIECE || p == NULL)
		return malloc(size);
	cache = p->next;
	cached--;
	return (char *)p;
}

static void
piece_put(char *mem, size_t size)
{
	struct piece *p = (struct piece *)(void *)mem;

	if (size != BUF_PIECE || cached >= CACHE_MAX) {
		free(mem);
		return;
	}
	p->next = cache;
	cache = p;
	cached++;
}

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void
buf_fini(struct buf *b)
{
	if (b->mem != NULL)
		piece_put(b->mem, b->cap);
	*b = (struct buf){ .max = b->max };
}

void
buf_release(struct buf *b)
{
	if (b->mem != NULL && b->off == b->end)
		buf_fini(b);
}

/* Moves the bytes into memory of `cap` bytes, to its front. */
static bool
move(struct buf *b, size_t cap)
{
	char *mem = piece_get(cap);
	size_t len = buf_len(b);

	if (mem == NULL)
		return false;
	if (len > 0)
		memcpy(mem, b->mem + b->off, len);
	if (b->mem != NULL)
		piece_put(b->mem, b->cap);
	b->mem = mem;
	b->cap = cap;
	b->off = 0;
	b->end = len;
	return true;
}

char *
buf_reserve(struct buf *b, size_t n)
{
	size_t len = buf_len(b), cap;

	if (n > b->max || len > b->max - n)
		return NULL;
	if (b->mem != NULL && n <= buf_space(b))
		return b->mem + b->end;
	if (b->mem != NULL && len + n <= b->cap && b->off >= b->cap / 2) {
		memmove(b->mem, b->mem + b->off, len);
		b->off = 0;
		b->end = len;
		return b->mem + b->end;
	}
	for (cap = BUF_PIECE; cap < len + n; cap *= 2)
		;
	if (!move(b, cap))
		return NULL;
	return b->mem + b->end;
}

void
buf_commit(struct buf *b, size_t n)
{
	assert(n <= buf_space(b));
	b->end += n;
}

bool
buf_put(struct buf *b, struct str s)
{
	char *p;

	if (s.n == 0)
		return true;
	p = buf_reserve(b, s.n);
	if (p == NULL)
		return false;
	memcpy(p, s.p, s.n);
	b->end += s.n;
	return true;
}

bool
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || (p = buf_reserve(b, (size_t)n + 1)) == NULL)
		return false;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->end += (size_t)n;
	return true;
}

void
buf_consume(struct buf *b, size_t n)
{
	assert(n <= buf_len(b));
	b->off += n;
	if (b->off == b->end)
		b->off = b->end = 0;
}

void
buf_drop_cache(void)
{
	while (cache != NULL) {
		struct piece *p = cache;

		cache = p->next;
		free(p);
	}
	cached = 0;
}
