/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backlog_heap - the pushes of a lane that may be taken, the first of them first; for backlog.c.
 *
 * By the time at which they are due, and of the same time by the order of putting.
 */
#ifndef SCHLEUSE_PUSHGW_BACKLOG_HEAP_H
#define SCHLEUSE_PUSHGW_BACKLOG_HEAP_H

#include "pushgw/queue/backlog.h"

/* Room for n in all.  false: out of memory. */
bool backlog_heap_reserve(struct backlog_lane *l, uint64_t n) MUST_CHECK;
void backlog_heap_push(struct backlog_lane *l, struct backlog_push *p); /* there is room */
struct backlog_push *backlog_heap_pop(struct backlog_lane *l);          /* there is one */

#endif
