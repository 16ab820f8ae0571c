/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certs_keep - reads all PASSporT certificates from the store, at the start and after each
 * announcement, until it succeeds.
 *
 * What was damaged is left out and logged.  For one loop.
 */
#ifndef SCHLEUSE_REGSVC_CERTS_KEEP_H
#define SCHLEUSE_REGSVC_CERTS_KEEP_H

#include "lib/store/store.h"
#include "regsvc/certs_record.h"

struct certs_keep;

/* The records are emptied after the call; what is taken from one is zeroed there.  Nothing of
 * certs_keep may be freed during the call. */
typedef void certs_keep_fn(void *arg, struct certs_record *records, size_t n);

/* fn is called after each complete reading.  NULL: out of memory. */
struct certs_keep *certs_keep_new(struct loop *loop, certs_keep_fn *fn, void *arg) MUST_CHECK;
/* Reads from this store from now on; it must outlive the next certs_keep_adopt(). */
void certs_keep_adopt(struct certs_keep *k, struct store *store);
void certs_keep_free(struct certs_keep *k); /* NULL is allowed */

/* We have just changed something: what is being read is of the past, and read again. */
void certs_keep_look(struct certs_keep *k);

#endif
