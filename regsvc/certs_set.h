/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certs_set - the PASSporT certificates as they are at one moment: immutable and counted, with
 * their JSON made once.
 *
 * Those that are served come first, ordered by fingerprint; the refused ones follow, for operators
 * only.  Several may have the same x5u: old and new one during a roll-over.
 */
#ifndef SCHLEUSE_REGSVC_CERTS_SET_H
#define SCHLEUSE_REGSVC_CERTS_SET_H

#include "lib/base/err.h"
#include "lib/base/snapshot.h"
#include "lib/base/str.h"

#define CERTS_FINGERPRINT 64 /* SHA-256 of the certificate in lower-case hex */

struct certs_entry {
	char fingerprint[CERTS_FINGERPRINT + 1];
	const char *pem;   /* with the issuers that were registered along, as encoded by us */
	const char *x5u;   /* NULL: the VZD names none; tokens find it by its key */
	const char *label; /* NULL: not registered */
	bool vzd;          /* the VZD gives it, or did lately (passport.overlap) */
	bool registered;   /* here */
	enum err why;      /* OK: served; ERR_COUNT: not judged yet; else why it is refused */
	int64_t not_before, not_after; /* wall-clock seconds */
	int64_t checked;               /* of the last judgement that found it good, 0: none did */
	/* {"fingerprint","x5u","pem","source":"vzd|registered","not_after","checked"}, times in
	 * RFC 3339; a registered one that the VZD gives too is "registered" */
	struct str json;
};

struct certs_set {
	struct snapshot snap;
	/* 32 hex digits over fingerprints, x5u and states of all that are served; the same on all
	 * instances.  "checked" is no part of it: as an ETag it is a weak one. */
	char etag[33];
	struct str json; /* {"certificates":[...]} of those that are served */
	const struct certs_entry *entries;
	size_t n_served, n; /* served; in all */
};

/* NULL: none is served.  `after`: the one found before, or NULL. */
const struct certs_entry *certs_by_x5u(
    const struct certs_set *set, struct str x5u, const struct certs_entry *after);
const struct certs_entry *certs_by_fingerprint(const struct certs_set *set, struct str fingerprint);

/* A set of these, in any order; everything is copied, `json` is made.  NULL: out of memory. */
struct certs_set *certs_set_new(const struct certs_entry *from, size_t n) MUST_CHECK;

#endif
