/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splice - a tunnel between two streams: bytes both ways, looked at by nobody.
 *
 * Each direction holds so many bytes at the most and reads no more until the other side took some.
 * The end of one direction is passed on behind its last byte, and the other goes on; a reset is
 * passed on as a reset.  Bytes for a side that takes no more are forgotten.  For CONNECT (RFC 9110
 * 9.3.6) to destinations that pass uninspected (O-13).
 *
 * For the thread of its loop.
 */
#ifndef SCHLEUSE_NET_SPLICE_H
#define SCHLEUSE_NET_SPLICE_H

#include "lib/net/stream.h"

struct splice_config {
	size_t buffer; /* bytes held in each direction */
	clock_ms idle; /* ends the tunnel when nothing went through for so long; 0: nothing does */
	struct str to_client; /* said first (copied): the answer to CONNECT */
	struct str to_remote; /* said first (copied): what the client did not wait with */
};

struct splice_bytes { /* delivered to the sockets, those that are said first included */
	uint64_t to_client, to_remote;
};

struct splice;

/* Both streams are the splice's from now on.  fn is called later exactly once unless cancelled:
 * OK: both sides have said all; ERR_CLIENT_GONE, ERR_REMOTE_BROKE: that side broke off;
 * ERR_TUNNEL_IDLE; ERR_MEMORY.  Then the streams are closed.  NULL: out of memory; the streams are
 * still the caller's. */
struct splice *splice_start(struct loop *loop, struct stream *client, struct stream *remote,
    const struct splice_config *cfg, void (*fn)(void *arg, enum err why), void *arg) MUST_CHECK;
/* Closes both streams.  NULL is allowed; invalid once fn has returned. */
void splice_cancel(struct splice *s);

/* Up to now; valid until fn returns. */
struct splice_bytes splice_bytes(const struct splice *s);

#endif
