/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seen - which marks were put lately.
 *
 * What is added is remembered for `span`, and up to a quarter longer: there is a table for each
 * quarter of the span, and the oldest goes as a whole when a new one begins.  At most `max` marks
 * are held; with more, the oldest table goes earlier.  No I/O, time is passed in.
 */
#ifndef SCHLEUSE_PUSHGW_SEEN_H
#define SCHLEUSE_PUSHGW_SEEN_H

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "pushgw/queue/mark.h"

#define SEEN_TABLES 5

struct seen_table {
	struct mark *slots;
	size_t size, count;
};

struct seen {
	struct seen_table tables[SEEN_TABLES]; /* the newest first */
	clock_ms span;
	clock_ms begun; /* of the newest */
	uint64_t max, count;
};

void seen_init(struct seen *s, clock_ms span, uint64_t max, clock_ms now);
void seen_fini(struct seen *s);
void seen_limit(struct seen *s, clock_ms span, uint64_t max); /* from now on */
void seen_pass(struct seen *s, clock_ms now);                 /* forgets what is too old */

bool seen_has(const struct seen *s, struct mark m);
/* Which was put `age` ago.  false: out of memory. */
bool seen_add(struct seen *s, struct mark m, clock_ms age) MUST_CHECK;
void seen_forget(struct seen *s, struct mark m);

#endif
