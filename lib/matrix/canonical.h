/* SPDX-License-Identifier: Apache-2.0 */
/*
 * canonical - canonical JSON (Matrix specification, Appendices, "Canonical JSON").
 *
 * canonical_form() validates strictly (RFC 8259, UTF-8, no duplicate member names, no lone
 * surrogates, bounded depth) and says whether the text already is canonical; homeservers send such
 * text, and then nothing is copied.  Other text is rewritten once.  Numbers keep their text, except
 * that "-0" loses its sign: this verifies what Synapse and Dendrite sign (both keep what the sender
 * wrote or send only integers).
 *
 * The accessors below read *valid* JSON, such as canonical_form() returns, without building a tree:
 * a value is the slice of its text.  Blanks between tokens do not matter to them.  Text that is not
 * JSON gives results without meaning, but they never read beyond the slice.
 */
#ifndef SCHLEUSE_MATRIX_CANONICAL_H
#define SCHLEUSE_MATRIX_CANONICAL_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

#define CANONICAL_MAX_DEPTH 100

/* *out = in itself if canonical, else a rewritten copy from the arena.  ERR_JSON_SYNTAX,
 * ERR_JSON_DUPLICATE, ERR_JSON_DEPTH, ERR_MEMORY. */
enum err canonical_form(struct arena *a, struct str in, struct str *out) MUST_CHECK;

enum json_type {
	JSON_NONE,
	JSON_OBJECT,
	JSON_ARRAY,
	JSON_STRING,
	JSON_NUMBER,
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL
};

enum json_type json_type(struct str value); /* by its first byte; JSON_NONE for an empty slice */

/* The value of member `name` (unescaped bytes); an empty slice if v is no object or has none. */
struct str json_get(struct str v, struct str name);

/* The unescaped text of a string value; p == NULL if v is no string or out of memory.  Without
 * escapes it points into v. */
struct str json_text(struct arena *a, struct str v);

/* Whether v is a string value whose unescaped text is exactly `text`. */
bool json_is(struct str v, struct str text);

/* Iterates an array or object: json_begin(), then json_next() until it returns false.  For objects
 * *key becomes the name as a string value (json_is() and json_text() apply); key may be NULL. */
struct json_iter {
	struct str rest;
	enum json_type in;
};
void json_begin(struct json_iter *it, struct str v); /* v not a container: nothing to iterate */
bool json_next(struct json_iter *it, struct str *key, struct str *value);

/* An integer value in the range of int64_t without fraction or exponent. */
bool json_int(struct str v, int64_t *out);

/* Appends s, which is UTF-8, as a canonical JSON string with quotes; false when out is full. */
struct buf;
bool json_put_string(struct buf *out, struct str s) MUST_CHECK;

#endif
