/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret_pkcs11 - the value of one object of a PKCS#11 token (PKCS #11 v2.40, RFC 7512).
 *
 * The module is loaded, asked and let go at each call: tokens may be pulled, and a session that
 * nobody holds cannot go stale.  Any thread, one at a time.
 */
#ifndef SCHLEUSE_REGSVC_SECRET_PKCS11_H
#define SCHLEUSE_REGSVC_SECRET_PKCS11_H

#include "regsvc/secret.h"

/* NULL: the value is in `out`.  Else what failed, fit for the log. */
const char *secret_pkcs11(const struct secret_source *from, struct buf *out) MUST_CHECK;

#endif
