/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsontext - the words of JSON (RFC 8259): numbers, strings with their escapes and spelling,
 * blanks.
 *
 * What the readers share: `canonical` (checks and normalises a text), `json_read` (slices of it)
 * and `jread` (member by member through texts too large for a tree) differ in what they do with
 * containers.  `raw` is a string literal without its quotes.  All functions stay within their
 * slices whatever the text; unless they say how they fail, on malformed text the result means
 * nothing.  Pure; needs str and utf8.
 */
#ifndef SCHLEUSE_BASE_JSONTEXT_H
#define SCHLEUSE_BASE_JSONTEXT_H

#include "lib/base/str.h"

#define JSONTEXT_SPELLING_MAX 6

/* What is behind the number at p; NULL if malformed. */
const char *jsontext_number(const char *p, const char *end);

/* p is behind the opening quote; returns where the closing one is, NULL if malformed (also UTF-8
 * and surrogates).  *escaped: the literal has escapes. */
const char *jsontext_string(const char *p, const char *end, bool *escaped);

/* The same in a text known to be valid, which is faster; `end` if there is none. */
const char *jsontext_string_end(const char *p, const char *end);

/* The length of the escape at p, its backslash; 0 if malformed or half a surrogate pair. */
size_t jsontext_escape(const char *p, const char *end, uint32_t *code_point);

/* The canonical spelling of one character inside a literal; returns its length. */
size_t jsontext_spell(uint32_t code_point, char out[JSONTEXT_SPELLING_MAX]);

bool jsontext_is_canonical(struct str raw); /* its escapes are spelled canonically */

/* These write to `out` and return its end; NULL: it does not fit in cap bytes.  Respelled
 * (canonically) or unescaped, a literal never grows. */
size_t jsontext_quoted_size(struct str text); /* of text as a canonical literal with its quotes */
char *jsontext_quote(char *out, struct str text);
char *jsontext_respell(char *out, struct str raw);
char *jsontext_unescape(char *out, size_t cap, struct str raw);

/* Orders literals by their unescaped bytes. */
int jsontext_cmp(struct str raw_a, struct str raw_b);
bool jsontext_is(struct str raw, struct str text);

static inline bool
jsontext_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static inline const char *
jsontext_skip_blanks(const char *p, const char *end)
{
	while (p < end && jsontext_blank(*p))
		p++;
	return p;
}

#endif
