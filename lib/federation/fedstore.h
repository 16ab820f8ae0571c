/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fedstore - which federation list is in force, and keeping it across restarts.
 *
 * Runs on the control thread; does no network I/O.  Whoever has the bytes of a list (a file, a
 * download) offers them; only a list that verifies and is not older than the one held is adopted,
 * and then written to the state directory together with the time of the last refresh.
 */
#ifndef SCHLEUSE_FEDERATION_FEDSTORE_H
#define SCHLEUSE_FEDERATION_FEDSTORE_H

#include <openssl/x509.h>

#include "lib/federation/fedlist.h"

struct fedstore_config {
	const char *state_dir;   /* NULL: keep nothing */
	const char *name;        /* file name stem: <state_dir>/<name>.jws and <name>.state */
	X509_STORE *anchors;     /* trust anchors of the list signature; not owned */
	const char *signer_role; /* OID the signer's admission extension must list, or NULL */
	const char *signer_cn;   /* exact subject CN of the signer, or NULL */
	size_t max_bytes;        /* of the JWS */
	size_t max_entries;
};

struct fedstore;

/* Copies the strings and takes a reference to the anchors.  NULL: out of memory. */
struct fedstore *fedstore_new(const struct fedstore_config *cfg) MUST_CHECK;
void fedstore_free(struct fedstore *s);

/* Loads what the state directory holds, verifying it again.  ERR_NOT_FOUND: nothing there. */
enum err fedstore_restore(struct fedstore *s) MUST_CHECK;

/* Offers the bytes of a compact JWS, known to be current at wall-clock second `as_of`.  OK:
 * adopted, or the same list as held (age renewed).  Otherwise nothing changes: ERR_FEDLIST_LOWER
 * (also for other content under the version held), ERR_FEDLIST_DATES, ERR_FEDLIST_SIZE, or why it
 * does not verify or parse.  Certificates are judged at the present time.  A list that cannot be
 * written is adopted all the same, and an error logged. */
enum err fedstore_offer(struct fedstore *s, struct str jws, int64_t as_of) MUST_CHECK;

/* The source confirmed that the held list is current (204/304). */
void fedstore_confirm(struct fedstore *s, int64_t as_of);

const struct fedlist *fedstore_list(const struct fedstore *s); /* NULL: none */
/* Wall-clock second of the last refresh, 0: never (or its record was lost); never in the future. */
int64_t fedstore_as_of(const struct fedstore *s);

#endif
