/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outward - a worker's way out: what it needs to serve homeservers as a forward proxy
 * (FD-5.2.1.2-4).
 *
 * Two HTTP servers: one for what homeservers send to the listeners, one for what they send in
 * tunnels whose TLS is ended here.  For the worker's thread.
 */
#ifndef SCHLEUSE_PROXY_OUTBOUND_OUTWARD_H
#define SCHLEUSE_PROXY_OUTBOUND_OUTWARD_H

#include "lib/http/server.h"
#include "proxy/config.h"

struct mint;
struct remotes;
struct worker;

struct outward {
	struct http_server plain; /* at the listeners */
	struct http_server inner; /* in tunnels */
	struct remotes *remotes;
	struct mint *mint; /* NULL: no CA is configured */
	struct list tunnels;
	size_t n_tunnels;
};

void outward_init(struct worker *w);
/* What the configuration, which is not yet in force, asks for.  false with a message: nothing has
 * changed. */
bool outward_adopt(
    struct worker *w, const struct proxy_conf *conf, char *why, size_t why_size) MUST_CHECK;
void outward_set_limits(struct worker *w); /* those of w->http, which are set by then */
void outward_drain(struct worker *w);
bool outward_busy(const struct worker *w); /* connections or tunnels are left */
void outward_cut(struct worker *w);        /* ends them all */
void outward_close(struct worker *w);

#endif
