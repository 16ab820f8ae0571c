/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsontext - the inside of JSON string literals: escapes, their canonical spelling, comparison.
 *
 * `raw` is a literal without its quotes.  Shared by canonical and json_read; not for others.  All
 * functions stay within their slices whatever the text; on malformed text the result means nothing.
 */
#ifndef SCHLEUSE_MATRIX_JSONTEXT_H
#define SCHLEUSE_MATRIX_JSONTEXT_H

#include "lib/base/str.h"

#define JSONTEXT_SPELLING_MAX 6

/* The length of the escape at p (where the backslash is), 0 if malformed or half a surrogate pair. */
size_t jsontext_escape(const char *p, const char *end, uint32_t *code_point);

/* The canonical spelling of one character inside a literal; returns its length. */
size_t jsontext_spell(uint32_t code_point, char out[JSONTEXT_SPELLING_MAX]);

size_t jsontext_quoted_size(struct str text);      /* of text as a canonical literal with its quotes */
char *jsontext_quote(char *out, struct str text);  /* writes that literal; returns its end */
char *jsontext_respell(char *out, struct str raw); /* canonical spelling, never longer than raw; returns its end */
char *jsontext_unescape(char *out, struct str raw); /* never longer than raw; returns its end */

/* Orders literals by their unescaped bytes. */
int jsontext_cmp(struct str raw_a, struct str raw_b);
bool jsontext_is(struct str raw, struct str text);

/* First byte that is not plain (plain: ASCII from blank on, except quote and backslash), or end. */
const char *jsontext_skip_plain(const char *p, const char *end);

static inline bool
jsontext_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

#endif
