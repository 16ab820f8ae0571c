/* SPDX-License-Identifier: Apache-2.0 */
/*
 * canonical_rewrite - brings valid JSON into canonical form.  For canonical only.
 */
#ifndef SCHLEUSE_MATRIX_CANONICAL_REWRITE_H
#define SCHLEUSE_MATRIX_CANONICAL_REWRITE_H

#include "lib/base/arena.h"
#include "lib/base/err.h"

/* `in` is valid but for duplicate names, nested CANONICAL_MAX_DEPTH deep at most.  *out lives in
 * the arena.  ERR_JSON_DUPLICATE, ERR_MEMORY. */
enum err canonical_rewrite(struct arena *a, struct str in, struct str *out) MUST_CHECK;

#endif
