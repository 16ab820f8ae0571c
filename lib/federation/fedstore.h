/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fedstore - which federation list is in force, and keeping it across restarts.
 *
 * Does no network I/O.  Whoever has the bytes of a list (a file, a download) has them judged; only
 * a list that verifies and is not older than the one held is kept in the state directory and then
 * adopted.  A store belongs to one thread, but fedstore_judge(), which takes long, may run on
 * another one.
 */
#ifndef SCHLEUSE_FEDERATION_FEDSTORE_H
#define SCHLEUSE_FEDERATION_FEDSTORE_H

#include <openssl/x509.h>

#include "lib/federation/fedlist.h"

struct fedstore_config {
	const char *state_dir; /* NULL: keep nothing */
	const char *name;      /* file name stem: <state_dir>/<name>.jws and <name>.state */
	X509_STORE *anchors;   /* trust anchors of the list signature; not owned */
	X509_STORE *issuers; /* to verify with instead, all of which lead to the anchors; or NULL */
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

/* Goes on with the list that `from` holds, if it was judged under the same demands: a list need not
 * be verified again because of a reload.  false: it was not; nothing changes. */
bool fedstore_inherit(struct fedstore *s, const struct fedstore *from);

const struct fedstore_config *fedstore_config(const struct fedstore *s);

struct fedstore_signer { /* who is trusted, and by whom */
	X509 *cert;
	X509_STORE *issuers;
};

struct fedstore_offer {
	struct fedlist *list;   /* one reference; NULL: it is the list held */
	STACK_OF(X509) *signer; /* certificates of the signature that verified */
	unsigned char digest[32];
};

/* Judges the bytes of a JWS (compact, or general JSON of which one signature must verify) against
 * the list held and, if it may replace that, writes it to the state directory.  `by` NULL: any
 * signer counts that the configured issuers or anchors vouch for; else only this one.  OK: *o is
 * for fedstore_adopt().  Otherwise ERR_FEDLIST_LOWER (also for other content under the version
 * held), ERR_FEDLIST_DATES, ERR_FEDLIST_SIZE, or why it does not verify or parse.  Certificates are
 * judged at the present time.  A list that cannot be written may be adopted all the same, and an
 * error is logged.  On any thread, one at a time, while the store's own thread only asks and
 * confirms. */
enum err fedstore_judge(const struct fedstore *s, struct str jws, const struct fedstore_signer *by,
    struct fedstore_offer *o) MUST_CHECK;

/* Puts in force what was judged OK, known to be current at wall-clock second `as_of`; takes over
 * the list. */
void fedstore_adopt(struct fedstore *s, struct fedstore_offer *o, int64_t as_of);
void fedstore_offer_drop(struct fedstore_offer *o); /* not adopted after all */

/* The source confirmed that the held list is current (204/304). */
void fedstore_confirm(struct fedstore *s, int64_t as_of);

const struct fedlist *fedstore_list(const struct fedstore *s); /* NULL: none that counts */
STACK_OF(X509) *fedstore_signer(const struct fedstore *s);     /* of the list held; NULL: none is */

/* The list held does not count as long as its signer is not trusted, but no older one is taken for
 * it.  Ends with the next one adopted.  Whether this changes anything. */
bool fedstore_suspend(struct fedstore *s, bool suspended);
/* Wall-clock second of the last refresh, 0: never (or its record was lost); never in the future. */
int64_t fedstore_as_of(const struct fedstore *s);

#endif
