/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name - Matrix server names and user IDs.
 *
 * Grammar: Matrix specification, Appendices, "Server Name" and "User Identifiers".
 */
#ifndef SCHLEUSE_MATRIX_NAME_H
#define SCHLEUSE_MATRIX_NAME_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

enum name_host { NAME_DNS, NAME_IPV4, NAME_IPV6 };

struct server_name {
	struct str text; /* as given */
	struct str host; /* without the brackets of IPv6 and without a trailing dot */
	uint16_t port;   /* 0: none given */
	enum name_host kind;
};

/* hostname [":" 1*5DIGIT]; at most 255 bytes; labels of [0-9A-Za-z-] separated by single dots, of
 * which the last is no number unless the whole is an IPv4 address.  Port 0 is refused.  A single
 * trailing dot is accepted here (it is dropped by name_normal).  false: not a server name. */
bool name_parse(struct str s, struct server_name *out) MUST_CHECK;

#define NAME_MAX_LEN 255
/* The normal form used for membership: lower case, no trailing dot of the host, port kept without
 * leading zeros.  Writes to out, returns the slice; n == 0 if s is not a server name. */
struct str name_normal(struct str s, char out[NAME_MAX_LEN + 1]);

/* Splits @localpart:server; the server part is a valid server name; total <= 255 bytes. */
bool mxid_parse(struct str s, struct str *localpart, struct str *server) MUST_CHECK;

/* The MXID behind "matrix:u/local:server" (RFC 3986 percent-encoding, optional query dropped) or
 * behind a plain "@local:server"; n == 0 if it is neither.  A "/" before the query, as directory
 * entries write it, is dropped too.  Memory from the arena. */
struct str mxid_from_uri(struct arena *a, struct str uri);

/* Whether both are the same user: localparts exactly, servers in their normal form. */
bool mxid_same(struct str a, struct str b);

#endif
