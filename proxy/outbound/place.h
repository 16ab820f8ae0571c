/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place - where a destination is: what tells one pool of connections from another.
 *
 * Made of a destination and, behind an HTTP proxy, of where that is; a copy of all it needs.  Pure.
 */
#ifndef SCHLEUSE_PROXY_OUTBOUND_PLACE_H
#define SCHLEUSE_PROXY_OUTBOUND_PLACE_H

#include "lib/matrix/destination.h"

struct place {
	bool tls;
	char *key;
	char *tls_name;
	char *through; /* "host:port" for CONNECT, or NULL: no proxy */
	size_t n;
	struct address *at; /* of the destination, or of the proxy */
};

/* false: out of memory, nothing to be freed. */
bool place_make(struct place *p, const struct destination *d, const struct destination *proxy,
    bool tls) __attribute__((warn_unused_result));
void place_fini(struct place *p);

uint64_t place_hash(const struct place *p);                     /* of what it is the place of */
bool place_is_of(const struct place *a, const struct place *b); /* of the same destination? */

/* Whether the two are one: name, way and addresses, these in whatever order, for answers of DNS
 * come in any. */
bool place_is_same(const struct place *a, const struct place *b);

/* Takes the order of the addresses over from one that is the same. */
void place_reorder(struct place *p, const struct place *from);

#endif
