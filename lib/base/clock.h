/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock - the two clocks and the one way to print a time.
 *
 * Durations and deadlines use the monotonic clock in milliseconds; wall-clock time is only compared
 * with dates from outside (certificates, tokens, lists) and printed.
 */
#ifndef SCHLEUSE_BASE_CLOCK_H
#define SCHLEUSE_BASE_CLOCK_H

#include <stdint.h>

typedef uint64_t clock_ms; /* monotonic milliseconds */

clock_ms clock_now(void);    /* exact */
int64_t clock_wall_ms(void); /* milliseconds since the epoch */
int64_t clock_wall_s(void);  /* seconds since the epoch */

#define CLOCK_TEXT_MAX 96
/* RFC 3339 with milliseconds and offset, e.g. 2026-01-31T08:00:00.123+01:00; returns out. */
char *clock_text(int64_t wall_ms, char out[CLOCK_TEXT_MAX]);

#endif
