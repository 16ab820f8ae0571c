/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passage_out - one outbound exchange from its head to forward or refuse.
 *
 * The service is of the worker's configuration and is the one whose homeserver asks.
 */
#ifndef SCHLEUSE_PROXY_OUTBOUND_PASSAGE_OUT_H
#define SCHLEUSE_PROXY_OUTBOUND_PASSAGE_OUT_H

#include "lib/http/exchange.h"
#include "proxy/worker.h"

/* An absolute-form request at a listener. */
void passage_out_open(struct worker *w, struct exchange *ex, const struct service_conf *s);
/* A request in a tunnel to host and port. */
void passage_out_tunnelled(struct worker *w, struct exchange *ex, const struct service_conf *s,
    struct str host, uint16_t port);
/* Not judged at all. */
void passage_out_refuse(struct worker *w, struct exchange *ex, enum err why);

#endif
