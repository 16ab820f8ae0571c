/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clienttable - client records in the order of their names, and questions about them.
 *
 * Plain values; zeroed it is empty.  Records move when one is added.
 */
#ifndef SCHLEUSE_REGSVC_CLIENTTABLE_H
#define SCHLEUSE_REGSVC_CLIENTTABLE_H

#include "regsvc/client.h"

struct clienttable {
	struct client *v;
	size_t n, room;
};

void clienttable_fini(struct clienttable *t); /* empty afterwards */
/* New, or in the place of the one with its name.  false: out of memory. */
bool clienttable_set(struct clienttable *t, const struct client *record) MUST_CHECK;
/* The same for one whose name comes after all others. */
bool clienttable_append(struct clienttable *t, const struct client *record) MUST_CHECK;

/* As those of clients.h.  NULL: none. */
const struct client *clienttable_find(const struct clienttable *t, struct str id);
const struct client *clienttable_of(
    const struct clienttable *t, const char *fingerprint, int64_t now);
bool clienttable_uses(const struct clienttable *t, const char *fingerprint, const char *except);

#endif
