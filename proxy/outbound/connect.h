/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connect - a CONNECT until its tunnel stands or it is refused.
 *
 * TLS to whatever host is ended here, so that what is inside can be judged and refused there, where
 * the homeserver understands it; only a tunnel to a destination that is allowed uninspected is
 * connected to first.
 */
#ifndef SCHLEUSE_PROXY_OUTBOUND_CONNECT_H
#define SCHLEUSE_PROXY_OUTBOUND_CONNECT_H

#include "lib/http/exchange.h"
#include "proxy/worker.h"

void connect_open(struct worker *w, struct exchange *ex, const struct service_conf *s);

#endif
