/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clients - all client records: kept in the store, held in memory, the same on every instance
 * within a second of a change.
 *
 * Keys "client:<id>"; each change is announced on the channel "clients" together with it, and every
 * instance then reads all of them again (FDS-2.6.4.2-3: revocation).  While the store cannot be
 * read the records held stay in force; before they were read once nobody is known.  A record that
 * cannot be read is logged and counts as not there.
 *
 * Runs on the service's loop.  Lives as long as the process.
 */
#ifndef SCHLEUSE_REGSVC_CLIENTS_H
#define SCHLEUSE_REGSVC_CLIENTS_H

#include "lib/store/store.h"
#include "regsvc/client.h"

struct clients;
struct clients_put;

struct clients *clients_new(struct loop *loop, struct store *store, size_t max) MUST_CHECK;
void clients_limit(struct clients *c, size_t max);
/* Reads from another store from now on; the one before may be freed.  Changes that were being
 * stored end with ERR_CANCELLED. */
void clients_move(struct clients *c, struct store *store);
void clients_free(struct clients *c); /* before the store; NULL is allowed */

/* fn is called whenever a record has changed or all were read again; NULL: no more.  There is one.
 */
void clients_watch(struct clients *c, void (*fn)(void *arg), void *arg);

bool clients_known(const struct clients *c); /* they were read at least once */
size_t clients_count(const struct clients *c);

/* Records are valid until the loop's next turn.  NULL: none. */
const struct client *clients_find(const struct clients *c, struct str id);
/* The client of mtls whose certificate that is now; revoked ones too. */
const struct client *clients_of(const struct clients *c, const char *fingerprint, int64_t now);
/* Whether any client is bound to that certificate, whatever its method. */
bool clients_uses(const struct clients *c, const char *fingerprint, const char *except);
const struct client *clients_at(const struct clients *c, size_t i); /* i < clients_count(), by id */

/* Whether a change of that client is being stored. */
bool clients_pending(const struct clients *c, const char *id);

/* Stores the record, new or changed.  fn is called later exactly once unless cancelled; OK: it is
 * in force here.  ERR_OVERLOAD: more records than allowed, and those of the store.  NULL: out of
 * memory; nobody is called. */
struct clients_put *clients_put(
    struct clients *c, const struct client *record, store_done_fn *fn, void *arg) MUST_CHECK;
void clients_put_cancel(struct clients_put *p); /* may be stored nevertheless; NULL is allowed */

#endif
