/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inbound - how a worker is set up for inbound traffic: TLS contexts, upstreams, limits.
 */
#ifndef SCHLEUSE_PROXY_INBOUND_H
#define SCHLEUSE_PROXY_INBOUND_H

#include "proxy/worker.h"

/* Puts a configuration in force: new TLS contexts with its staples, upstreams and limits.
 * Connections and requests under way keep what they began with.  false with a message: nothing
 * changed. */
bool inbound_adopt(struct worker *w, struct proxy_conf *conf, struct tls_staples *staples,
    char *why, size_t why_size) MUST_CHECK;

void inbound_close(struct worker *w); /* closes and frees everything; no connection may be left */

/* TLS contexts of a configuration; also used to try one out. */
struct tls_server *inbound_tls(const struct proxy_conf *conf, struct tls_tickets *tickets,
    char *why, size_t why_size) MUST_CHECK;

#endif
