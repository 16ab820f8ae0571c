/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recall - keys remembered until a time.
 *
 * Bounded: the key noted longest ago is forgotten first.  Used by one thread.
 */
#ifndef SCHLEUSE_FACT_RECALL_H
#define SCHLEUSE_FACT_RECALL_H

#include <stdbool.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

struct recall;

struct recall *recall_new(size_t max_keys) MUST_CHECK;
void recall_free(struct recall *r);
void recall_note(struct recall *r, struct str key, clock_ms until); /* not when out of memory */
bool recall_has(const struct recall *r, struct str key, clock_ms now);

#endif
