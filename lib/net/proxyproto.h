/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxyproto - the header by which a load balancer names the client (PROXY protocol, versions 1 and
 * 2, as in HAProxy's proxy-protocol.txt).
 *
 * Pure: bytes in; a header, "more is needed" or "this is none" out.  Only a peer that is known to
 * be a load balancer may be believed.  The fields a version 2 header may have besides are skipped,
 * but a checksum among them must be right.
 */
#ifndef SCHLEUSE_NET_PROXYPROTO_H
#define SCHLEUSE_NET_PROXYPROTO_H

#include "lib/net/address.h"

#define PROXYPROTO_V1_MAX 107 /* with its CR LF; of the specification */
#define PROXYPROTO_MAX 4096   /* version 2 with all its fields; our own bound */

enum proxyproto_verdict { PROXYPROTO_MORE, PROXYPROTO_GOOD, PROXYPROTO_BAD };

struct proxyproto {
	size_t length;         /* bytes of the header */
	bool named;            /* false (LOCAL, UNKNOWN, not IP): the socket's own address holds */
	struct address client; /* mapped IPv4 addresses as IPv4 */
};

/* `in`: the first bytes of the connection, at least PROXYPROTO_MAX of them if there are as many. */
enum proxyproto_verdict proxyproto_parse(struct str in, struct proxyproto *out)
    __attribute__((warn_unused_result));

#endif
