/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delivery - takes pushes from the queue when their lane has room, has them sent, and decides by
 * the verdict what becomes of each: finished, its pushkey rejected, or tried again later.
 *
 * A push is tried at least once, however old the wall clock says it is, and again until it is older
 * than queue.age_max; one whose server has more under way than its share is not tried meanwhile. On
 * the service's loop; lasts as long as the process.
 */
#ifndef SCHLEUSE_PUSHGW_DELIVERY_H
#define SCHLEUSE_PUSHGW_DELIVERY_H

#include "pushgw/delivery/lanes.h"
#include "pushgw/queue/delayq.h"

struct delivery;

/* Takes over the lanes, unless NULL is returned: out of memory. */
struct delivery *delivery_new(struct loop *loop, struct lanes *lanes) MUST_CHECK;
/* Before the queue: pushes in hand stay in it.  NULL is allowed. */
void delivery_free(struct delivery *d);

/* How the queue is to be opened. */
void delivery_config(struct delivery *d, struct delayq_config *out);
/* Before the loop runs.  queue: not owned, outlives the delivery. */
void delivery_start(struct delivery *d, struct delayq *queue);
/* Goes on with other lanes, which it takes over; the ones before end with what is in hand of them.
 * false: out of memory, nothing has changed. */
bool delivery_adopt(struct delivery *d, struct lanes *lanes) MUST_CHECK;

/* Takes no more. */
void delivery_drain(struct delivery *d);
size_t delivery_in_hand(const struct delivery *d);

/* Metrics by app. */
bool delivery_print(const struct delivery *d, struct buf *out) MUST_CHECK;

#endif
