/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry_after - reads the field Retry-After of a push provider's answer (RFC 9110 10.2.3).
 */
#ifndef SCHLEUSE_PUSHGW_RETRY_AFTER_H
#define SCHLEUSE_PUSHGW_RETRY_AFTER_H

#include "lib/base/clock.h"

#define RETRY_AFTER_MAX_MS 3600000 /* more than that is not believed */

/* Seconds, or a date that is looked at from `wall_s`.  0: absent, malformed, or over.  Pure. */
clock_ms retry_after_read(const char *text, int64_t wall_s);

#endif
