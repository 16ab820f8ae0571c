/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsontext - the inside of JSON string literals: escapes, their canonical spelling, comparison.
 *
 * `raw` is a literal without its quotes.  For the files of this folder only.  All
 * functions stay within their slices whatever the text; on malformed text the result means nothing.
 */
#ifndef SCHLEUSE_MATRIX_JSONTEXT_H
#define SCHLEUSE_MATRIX_JSONTEXT_H

#include "lib/base/str.h"

#define JSONTEXT_SPELLING_MAX 6

/* The length of the escape at p, its backslash; 0 if malformed or half a surrogate pair. */
size_t jsontext_escape(const char *p, const char *end, uint32_t *code_point);

/* The canonical spelling of one character inside a literal; returns its length. */
size_t jsontext_spell(uint32_t code_point, char out[JSONTEXT_SPELLING_MAX]);

/* These write to `out` and return its end.  Respelled (canonically) or unescaped, a literal never
 * grows. */
size_t jsontext_quoted_size(struct str text); /* of text as a canonical literal with its quotes */
char *jsontext_quote(char *out, struct str text);
char *jsontext_respell(char *out, struct str raw);
char *jsontext_unescape(char *out, struct str raw);

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
