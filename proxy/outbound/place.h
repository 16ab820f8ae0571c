/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place - where a destination is: what tells one pool of connections from another.
 *
 * Made of a destination and, behind an HTTP proxy, of where that is.  It borrows from them until it
 * is copied, for nearly every request asks for a place that is known.  Pure.
 */
#ifndef SCHLEUSE_PROXY_OUTBOUND_PLACE_H
#define SCHLEUSE_PROXY_OUTBOUND_PLACE_H

#include "lib/matrix/destination.h"

#define PLACE_THROUGH_MAX (NAME_MAX_LEN + 16)

struct place {
	bool tls;
	const char *key;
	const char *tls_name;
	const char *through; /* "host:port" for CONNECT, or NULL: no proxy */
	size_t n;
	const struct address *at; /* of the destination, or of the proxy */
};

/* Lives no longer than what it is made of; `through` keeps what CONNECT will name. */
struct place place_of(const struct destination *d, const struct destination *proxy, bool tls,
    char through[PLACE_THROUGH_MAX]);

/* A copy of its own.  false: out of memory, nothing to be freed. */
bool place_copy(struct place *to, const struct place *from) __attribute__((warn_unused_result));
void place_fini(struct place *p); /* of a copy */

uint64_t place_hash(const struct place *p);                     /* of what it is the place of */
bool place_is_of(const struct place *a, const struct place *b); /* of the same destination? */

/* Whether the two are one: name, way and addresses, these in whatever order, for answers of DNS
 * come in any. */
bool place_is_same(const struct place *a, const struct place *b);

/* A copy takes the order of the addresses over from one that is the same. */
void place_reorder(struct place *p, const struct place *from);

#endif
