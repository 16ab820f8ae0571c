/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connlimit - how many connections there are: in the whole process, and from each client address.
 *
 * One for the process, asked by all workers when a connection begins and when it ends, never on the
 * way of a request.  The sum is one atomic number; the addresses lie in a table in shards, each
 * with a lock.  The table holds an entry for each address with open connections, so it is bounded
 * by them; an entry is a keyed hash (hash_str()) and a count, the address itself is not kept.
 */
#ifndef SCHLEUSE_NET_CONNLIMIT_H
#define SCHLEUSE_NET_CONNLIMIT_H

#include <stdbool.h>

#include "lib/base/err.h"
#include "lib/base/str.h"

struct connlimit;
struct connlimit_party; /* who is behind an address */

/* `ceiling`: what the process can bear, whatever is configured.  NULL: out of memory. */
struct connlimit *connlimit_new(uint64_t ceiling) MUST_CHECK;
void connlimit_free(struct connlimit *l); /* no connection may be left */

/* --- all connections --- */

void connlimit_enter(struct connlimit *l);
void connlimit_leave(struct connlimit *l);
bool connlimit_full(const struct connlimit *l, uint64_t max);

/* Whether to say that it is full: once, until it was at most seven eighths full. */
bool connlimit_tell(struct connlimit *l);
void connlimit_untell(struct connlimit *l, uint64_t max);

/* --- those of one address --- */

/* Counts one more connection of this party (address_party()).  NULL: it has `max` already, or out
 * of memory. */
struct connlimit_party *connlimit_admit(
    struct connlimit *l, struct str party, uint64_t max) MUST_CHECK;
void connlimit_dismiss(struct connlimit *l, struct connlimit_party *p); /* NULL is allowed */

#endif
