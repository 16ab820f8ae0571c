/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf - a growable byte queue in one piece of memory, with a ceiling.
 *
 * Bytes are appended at the end and consumed from the front.  An empty buffer holds no memory once
 * buf_release() was called; pieces of BUF_PIECE bytes come from a per-thread cache.  Growing past
 * the ceiling fails with false/NULL and leaves the buffer as it was.  Used by one thread at a time.
 */
#ifndef SCHLEUSE_BASE_BUF_H
#define SCHLEUSE_BASE_BUF_H

#include "lib/base/str.h"

#define BUF_PIECE 16384

struct buf {
	char *mem;
	size_t cap;
	size_t off; /* first unread byte */
	size_t end; /* one past the last byte */
	size_t max; /* ceiling for end - off */
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);    /* frees the memory; the buffer may be used again */
void buf_release(struct buf *b); /* frees the memory if the buffer is empty */

/* Room for at least n more bytes behind the end, or NULL at the ceiling or out of memory. */
char *buf_reserve(struct buf *b, size_t n) __attribute__((warn_unused_result));
void buf_commit(struct buf *b, size_t n); /* n bytes were written where buf_reserve() pointed */
bool buf_put(struct buf *b, struct str s) __attribute__((warn_unused_result));
bool buf_printf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), warn_unused_result));
void buf_consume(struct buf *b, size_t n); /* n <= buf_len() */
void buf_drop_cache(void); /* frees the calling thread's cached pieces; at its end */

static inline size_t
buf_len(const struct buf *b)
{
	return b->end - b->off;
}

static inline size_t
buf_space(const struct buf *b) /* free bytes behind the end without growing */
{
	return b->cap - b->end;
}

static inline struct str
buf_str(const struct buf *b) /* valid until the next call that changes the buffer */
{
	return (struct str){ b->mem != NULL ? b->mem + b->off : NULL, b->end - b->off };
}

#endif
