/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passage - one exchange from its head to forward or refuse.
 */
#ifndef SCHLEUSE_PROXY_PASSAGE_H
#define SCHLEUSE_PROXY_PASSAGE_H

#include "lib/http/exchange.h"
#include "proxy/worker.h"

/* The http_server's request handler for clients and other servers: `listener` is a struct
 * worker_listener. */
void passage_open(void *listener, struct exchange *ex, enum err bad);

/* Frees the worker's spare passages. */
void passage_drop_spares(struct worker *w);

#endif
