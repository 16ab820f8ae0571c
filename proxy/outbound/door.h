/* SPDX-License-Identifier: Apache-2.0 */
/*
 * door - what a homeserver asks at an outbound listener: who it is, and whether it wants a request
 * carried or a tunnel.
 */
#ifndef SCHLEUSE_PROXY_OUTBOUND_DOOR_H
#define SCHLEUSE_PROXY_OUTBOUND_DOOR_H

#include "lib/http/exchange.h"

/* The http_server's request handler: `listener` is a struct worker_listener. */
void door_open(void *listener, struct exchange *ex, enum err bad);

#endif
