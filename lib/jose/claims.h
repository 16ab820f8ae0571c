/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claims - reads the small JSON of a token: its header or its payload.
 *
 * A veneer over a JSON library, which stays hidden in claims.c.  Only texts up to CLAIMS_MAX bytes
 * are read; member names that occur twice, bytes that are not UTF-8 and NUL in strings are refused.
 * All values belong to the root and live until claims_free(); the functions accept NULL values,
 * which are absent members.
 */
#ifndef SCHLEUSE_JOSE_CLAIMS_H
#define SCHLEUSE_JOSE_CLAIMS_H

#include "lib/base/arena.h"
#include "lib/base/str.h"

#define CLAIMS_MAX (64 * 1024)

struct claims; /* a JSON value */

/* NULL: malformed, not an object (or array), too large, or out of memory. */
struct claims *claims_read_object(struct str text) __attribute__((warn_unused_result));
struct claims *claims_read_array(struct str text) __attribute__((warn_unused_result));
void claims_free(struct claims *root);

const struct claims *claims_get(const struct claims *object, const char *name); /* NULL: none */
size_t claims_members(const struct claims *object);             /* 0: none, or not an object */
const struct claims *claims_first(const struct claims *object); /* its first member, NULL: none */
size_t claims_elements(const struct claims *array);             /* 0: none, or not an array */
const struct claims *claims_at(const struct claims *array, size_t i);
bool claims_is_array(const struct claims *v);

bool claims_text(const struct claims *v, struct str *out); /* false: not a string */
bool claims_number(const struct claims *v, double *out);   /* false: not a number */
/* The JSON text of a value; p == NULL: out of memory. */
struct str claims_json(struct arena *a, const struct claims *v);

#endif
