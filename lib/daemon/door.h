/* SPDX-License-Identifier: Apache-2.0 */
/*
 * door - the listening sockets of a daemon with one loop, their TLS, and the connections that came
 * in.
 *
 * A new configuration changes TLS and limits for new connections; the sockets stay.
 */
#ifndef SCHLEUSE_DAEMON_DOOR_H
#define SCHLEUSE_DAEMON_DOOR_H

#include "lib/daemon/service_section.h"
#include "lib/http/server.h"

struct door;

/* Which of the daemon's metrics count connections; each the number of a row (lib/ops/metrics). */
struct door_series {
	unsigned opened, closed;
	unsigned refused_all, refused_address;
	unsigned handshakes_failed, handshakes_slow;
	unsigned heads_slow, writes_slow;
};

/* Binds; nothing is accepted before door_open().  `request` gets arg with each exchange; see struct
 * http_server.  `series` outlives the door.  NULL: logged. */
struct door *door_new(struct loop *loop, struct service_conf *conf,
    const struct door_series *series, void (*request)(void *arg, struct exchange *ex, enum err bad),
    void *arg) MUST_CHECK;
void door_free(struct door *d); /* closes every connection; NULL is allowed */

bool door_open(struct door *d) MUST_CHECK; /* false: out of memory */
/* Makes what a new configuration needs; nothing changes until door_adopt() puts it in force, or
 * door_discard() drops it.  false: logged. */
bool door_prepare(struct door *d, struct service_conf *conf) MUST_CHECK;
void door_adopt(struct door *d);
void door_discard(struct door *d); /* nothing prepared is allowed */
/* Accepts no more; connections end with their next answer. */
void door_drain(struct door *d);
size_t door_connections(const struct door *d);

/* Appends "addr","addr" of the bound sockets. */
bool door_addresses(const struct door *d, struct buf *out) MUST_CHECK;

#endif
