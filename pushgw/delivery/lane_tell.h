/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lane_tell - what the log is told of a lane: that it stops, that its provider is away, that it
 * works again, and what to look at.  The entry of `apps` is named, never a device or a push.
 */
#ifndef SCHLEUSE_PUSHGW_LANE_TELL_H
#define SCHLEUSE_PUSHGW_LANE_TELL_H

#include "pushgw/delivery/lane.h"

/* After lane_note(), with what it returned. */
void lane_tell(
    struct lane *l, const struct attempt_result *r, enum breaker_event event, clock_ms now);

#endif
