/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address - IP addresses: literals, which of them are public, networks.
 *
 * Names given by other servers decide where we connect to; only addresses of the public Internet
 * may be reached that way (no SSRF).  Pure.
 */
#ifndef SCHLEUSE_NET_ADDRESS_H
#define SCHLEUSE_NET_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "lib/base/str.h"

struct address {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t len;
};

/* An IPv4 dotted quad or an IPv6 address, with or without brackets, no zone.  false: not a literal.
 */
bool address_parse(struct str literal, uint16_t port, struct address *out)
    __attribute__((warn_unused_result));

/* From a sockaddr of either family; false for any other family. */
bool address_from(const struct sockaddr *sa, uint16_t port, struct address *out)
    __attribute__((warn_unused_result));

#define ADDRESS_TEXT_MAX 64
/* The literal without port, IPv6 in brackets; returns out. */
char *address_text(const struct address *a, char out[ADDRESS_TEXT_MAX]);

/* The literal without port and brackets, "" for any other family; returns out. */
char *address_bare(const struct address *a, char out[ADDRESS_TEXT_MAX]);

/* Family, address and port. */
bool address_eq(const struct address *a, const struct address *b);

void address_unmap(struct address *a); /* ::ffff:192.0.2.1 becomes 192.0.2.1 */

/* The bytes by which limits tell clients apart: an IPv4 address, the /64 of an IPv6 one (one
 * customer has at least that much).  Points into a; n == 0: of another family. */
struct str address_party(const struct address *a);

/* Whether sa is a unicast address of the public Internet (IANA special-purpose registries).  Other
 * families are not.  Addresses that embed an IPv4 address (6to4, Teredo, NAT64, mapped) are
 * refused. */
bool address_is_public(const struct sockaddr *sa);

/* false: a host's text tells that it is not of the public Internet: an address that is none of it,
 * "localhost" and names below (RFC 6761), and what inet_aton() takes for an address though it is no
 * literal ("0x7f.1").  For names that somebody else resolves. */
bool address_may_be_public(struct str host);

/* --- networks --- */

struct network {
	uint8_t bytes[16];
	unsigned bits;
	int family;
};

struct networks {
	struct network *v;
	size_t n;
};

/* "192.0.2.0/24", "2001:db8::/32", or an address alone.  false: not that, or bits set behind the
 * prefix. */
bool network_parse(struct str text, struct network *out) __attribute__((warn_unused_result));

bool networks_have(const struct networks *n, const struct address *a);

#endif
