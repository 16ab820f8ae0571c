/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wallclock - a wall clock that tests may put wrong, and time that passes when they say so.
 */
#ifndef SCHLEUSE_TESTS_UNIT_WALLCLOCK_H
#define SCHLEUSE_TESTS_UNIT_WALLCLOCK_H

#include <stdint.h>

extern int64_t wallclock_shift_s;  /* added to what clock_gettime() says of CLOCK_REALTIME */
extern int64_t wallclock_passed_s; /* ... and of CLOCK_MONOTONIC */

#endif
