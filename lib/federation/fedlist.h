/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fedlist - the federation list: parse, verify, look up (FD-5.2.1.2-11/-12, FD-5.2.2-16/-18).
 *
 * A list is an immutable snapshot.  It is read from its text as a stream, so a million entries need
 * no tree; every entry, plain or hashed, is kept as the SHA-256 of its normalised name in one
 * sorted array.  Plain entries and hashed ones (64 hex digits, 43/44 characters of base64 or
 * base64url) are told apart entry by entry; entries are strings or objects with "domain" (and
 * "isInsurance").
 *
 * A plain name counts in its normal form (lower case, no trailing dot, port without leading zeros).
 * An entry is a hash if it has the length and the characters of one and no dot: a domain name of
 * 43, 44 or 64 characters has dots in practice.  Hash lists are made of host names without port, so
 * there a name with a port is found by FEDLIST_PORTS_ANY.  Entries that are neither hash nor server
 * name cannot match anything; they are skipped and counted, so one bad entry does not cost the
 * list.
 */
#ifndef SCHLEUSE_FEDERATION_FEDLIST_H
#define SCHLEUSE_FEDERATION_FEDLIST_H

#include "lib/base/err.h"
#include "lib/base/snapshot.h"
#include "lib/base/str.h"

/* Starts with a struct snapshot: snapshot_hold() and snapshot_drop((struct snapshot *)list). */
struct fedlist;

struct fedlist_limits {
	size_t max_entries;
};

/* Parses a payload (JSON); *out holds one reference.  ERR_FEDLIST_SHAPE, ERR_FEDLIST_SIZE,
 * ERR_MEMORY. */
enum err fedlist_parse(
    struct str payload, const struct fedlist_limits *lim, struct fedlist **out) MUST_CHECK;

int64_t fedlist_version(const struct fedlist *l);
size_t fedlist_count(const struct fedlist *l);   /* distinct entries */
size_t fedlist_skipped(const struct fedlist *l); /* entries that were no server name and no hash */
int64_t fedlist_not_after(const struct fedlist *l);  /* "exp" of the payload in seconds, 0: none */
int64_t fedlist_not_before(const struct fedlist *l); /* "iat" of the payload in seconds, 0: none */

enum fedlist_ports {
	FEDLIST_PORTS_EXACT, /* a name with a port is a member only if listed with it */
	FEDLIST_PORTS_ANY,   /* ... or if its host is listed */
};

/* Whether `name` (any spelling) is listed.  No allocation; safe from any thread. */
bool fedlist_has(const struct fedlist *l, struct str name, enum fedlist_ports ports);
bool fedlist_is_insurance(const struct fedlist *l, struct str name, enum fedlist_ports ports);

#endif
