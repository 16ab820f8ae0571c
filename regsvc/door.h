/* SPDX-License-Identifier: Apache-2.0 */
/*
 * door - the listening sockets of the service, their TLS, and the connections that came in.
 *
 * On the service's one loop.  A new configuration changes TLS and limits for new connections; the
 * sockets stay.
 */
#ifndef SCHLEUSE_REGSVC_DOOR_H
#define SCHLEUSE_REGSVC_DOOR_H

#include "lib/http/server.h"
#include "regsvc/config.h"

struct door;

/* Binds; nothing is accepted before door_open().  `request` gets arg with each exchange; see struct
 * http_server.  NULL: logged. */
struct door *door_new(struct loop *loop, struct regsvc_conf *conf,
    void (*request)(void *arg, struct exchange *ex, enum err bad), void *arg) MUST_CHECK;
void door_free(struct door *d); /* closes every connection; NULL is allowed */

bool door_open(struct door *d) MUST_CHECK; /* false: out of memory */
/* Takes over TLS and limits of a new configuration.  false: logged, the old ones stay. */
bool door_adopt(struct door *d, struct regsvc_conf *conf) MUST_CHECK;
/* Accepts no more; connections end with their next answer. */
void door_drain(struct door *d);
size_t door_connections(const struct door *d);

/* Appends "addr","addr" of the bound sockets. */
bool door_addresses(const struct door *d, struct buf *out) MUST_CHECK;

#endif
