/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delay - draws the random delay of a push (ML-123618-3, O-16).
 */
#ifndef SCHLEUSE_PUSHGW_DELAY_H
#define SCHLEUSE_PUSHGW_DELAY_H

#include "lib/base/clock.h"

/* Uniform over 0 .. max milliseconds (below 2^32 - 1), both included, without bias, from
 * libsodium's CSPRNG. */
clock_ms delay_draw(clock_ms max);

#endif
