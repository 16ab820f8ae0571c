/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str - slices: a pointer and a length, never owning, never NUL-terminated.
 *
 * A slice lives as long as the bytes it points into (an arena, a buffer, a literal).  All functions
 * are pure.  An empty slice may have a NULL pointer.  Needs no other module.
 */
#ifndef SCHLEUSE_BASE_STR_H
#define SCHLEUSE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
#define STR_NONE ((struct str){ NULL, 0 })
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).n, (s).p != NULL ? (s).p : "" /* for "%.*s", which takes no NULL */

static inline struct str
str_of(const char *p, size_t n)
{
	return (struct str){ p, n };
}

static inline struct str
str_z(const char *zero_terminated) /* NULL gives the empty slice */
{
	return str_of(zero_terminated, zero_terminated != NULL ? strlen(zero_terminated) : 0);
}

static inline bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline struct str
str_from(struct str s, size_t at) /* the rest of s from byte `at`, at <= s.n */
{
	return (struct str){ at > 0 ? s.p + at : s.p, s.n - at };
}

static inline char *
str_put(char *out, struct str s) /* copies to out; returns the end of the copy */
{
	if (s.n > 0)
		memcpy(out, s.p, s.n);
	return out + s.n;
}

bool str_eq_ci(struct str a, struct str b); /* ASCII letters of either case are equal */
int str_cmp(struct str a, struct str b);    /* like memcmp; a prefix sorts first */
bool str_has_prefix(struct str s, struct str prefix);
bool str_has_suffix(struct str s, struct str suffix);
const char *str_chr(struct str s, char c); /* first c in s, or NULL */
struct str str_trim(struct str s);         /* without SP and HTAB at both ends */
struct str str_strip(struct str s);        /* the same, without CR and LF too */

/* Cuts at the first c: *head is what precedes it, *rest what follows.  Without c, *head = s, *rest
 * is empty, false. */
bool str_cut(struct str s, char c, struct str *head, struct str *rest);

/* A decimal number without sign, blanks or surplus; false if malformed or above max. */
bool str_to_u64(struct str s, uint64_t max, uint64_t *out);

/* ASCII lower case; independent of the locale. */
static inline char
str_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* The value of a hexadecimal digit, or -1. */
int str_hex(char c);

#endif
