/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api - the Matrix Push Gateway API (FD-5.2.3-1): POST /_matrix/push/v1/notify, and GET of the same
 * path, by which UnifiedPush finds out that this is a gateway; that one is open to all.
 *
 * A notification is answered as soon as the queue has it safe; the random delay comes afterwards
 * (T-9, CP-3-5).  The answer names the pushkeys that are rejected; what went wrong is a Matrix
 * error, and the homeserver tries again.  Query strings mean nothing, as little as Content-Type.
 *
 * Runs on the service's loop.  Lives as long as the process: requests go on across a reload.
 */
#ifndef SCHLEUSE_PUSHGW_API_H
#define SCHLEUSE_PUSHGW_API_H

#include "lib/http/exchange.h"
#include "pushgw/config.h"
#include "pushgw/queue/delayq.h"

struct api;

/* Holds a reference to conf; `queue` outlives it.  NULL: out of memory. */
struct api *api_new(struct loop *loop, struct delayq *queue, struct pushgw_conf *conf) MUST_CHECK;
void api_free(struct api *a); /* after the last connection; NULL is allowed */

/* Answers one request, or refuses it for `bad`. */
void api_request(struct api *a, struct exchange *ex, enum err bad);

/* Goes on with a new configuration, which the queue must have taken over already. */
void api_adopt(struct api *a, struct pushgw_conf *conf);

#endif
