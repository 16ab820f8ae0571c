/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel - what stands after a CONNECT (RFC 9110 9.3.6): either TLS that is ended here, with
 * requests inside that are judged like all others, or bytes that pass as they are.
 *
 * A tunnel belongs to its worker and ends with its connection.
 */
#ifndef SCHLEUSE_PROXY_OUTBOUND_TUNNEL_H
#define SCHLEUSE_PROXY_OUTBOUND_TUNNEL_H

#include "lib/http/exchange.h"
#include "lib/net/stream.h"
#include "proxy/worker.h"

/* Answers the CONNECT for host and port and ends the TLS that follows.  ERR_INTERNAL: not on this
 * connection; ERR_MEMORY; the exchange is still the caller's then. */
enum err tunnel_inspect(struct worker *w, struct exchange *ex, const struct service_conf *s,
    struct str host, uint16_t port) MUST_CHECK;

/* Answers the CONNECT and passes everything between it and `other`, which leads to host and port
 * and is taken over.  ERR_OUT_TARGET_REFUSED: by a configuration that is newer than the CONNECT; and
 * the same errors. */
enum err tunnel_pass(struct worker *w, struct exchange *ex, const struct service_conf *s,
    struct str host, uint16_t port, struct stream *other) MUST_CHECK;

/* The inner http_server's handlers: `listener` is the tunnel. */
void tunnel_request(void *listener, struct exchange *ex, enum err bad);
void tunnel_closed(struct http_server *s, const struct http_conn *c);

/* The worker's configuration is another one now: ends those whose service, secret or, if they pass
 * bytes, destination it has no more.  What runs in the others, and in inspected ones, is finished.
 */
void tunnels_judge(struct worker *w);
void tunnels_cut(struct worker *w); /* those that pass bytes */

#endif
