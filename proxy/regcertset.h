/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regcertset - one answer of the registration service with PASSporT certificates: read, verified,
 * made into a trust store; and the file in which the last good one is kept.
 *
 * Safe from any thread; a set of a thousand takes a second, so it is made on an errand.
 */
#ifndef SCHLEUSE_PROXY_REGCERTSET_H
#define SCHLEUSE_PROXY_REGCERTSET_H

#include "lib/base/buf.h"
#include "proxy/passport.h"

struct regcertset_demands {
	const char *name; /* of the federation, for the log */
	X509_STORE *anchors;
	const struct passport_trust *files; /* also in the result; may be NULL */
	size_t max;
	bool chain_later; /* others find out whom a certificate leads to */
};

struct regcertset {
	struct passport_trust *trust; /* one reference */
	size_t n, n_refused;
};

/* Certificates that could never vouch for anything are left out, with a line in the log; the answer
 * as a whole is refused with ERR_HTTP_ANSWER (malformed), ERR_TOO_LARGE, ERR_MEMORY. */
enum err regcertset_read(
    struct str json, const struct regcertset_demands *d, struct regcertset *out) MUST_CHECK;

/* The text with the time as of which it is current; false: errno says why. */
bool regcertset_keep(const char *path, struct str json, int64_t as_of);
/* Appends the text.  ERR_NOT_FOUND, ERR_FILE (errno), ERR_HTTP_ANSWER: damaged. */
enum err regcertset_kept(const char *path, struct buf *json, int64_t *as_of) MUST_CHECK;

#endif
