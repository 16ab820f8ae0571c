/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accept - a worker's listeners, and which connections it takes from them.
 */
#ifndef SCHLEUSE_PROXY_ACCEPT_H
#define SCHLEUSE_PROXY_ACCEPT_H

#include "proxy/worker.h"

void accept_init(struct worker *w);

/* Accepts where the set says; what is not in it any more is closed when its queue is empty, and its
 * connections end with their next answers. */
void accept_adopt(struct worker *w, const struct listeners *set);
void accept_stop(struct worker *w, bool sweep); /* accepts no more; sweep: but what waits already */

/* A connection of it is gone. */
void accept_forget(struct worker_listener *l);

#endif
