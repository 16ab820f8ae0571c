/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roots - which roots of a roots.json are trusted: those that lead to a pinned one.
 *
 * The file (ECC/ROOT-CA/roots.json of gematik's download point) is an array of {name, CN, cert,
 * prev, next, SKI}; prev and next are cross certificates between neighbouring roots, all in base64
 * of DER.  The file itself is signed by nobody, so only this counts: a root is trusted when a
 * trusted root has signed a certificate of its name and key.  Names and places in the file are
 * labels; members we do not know are skipped.  Pure; the time is the caller's.
 */
#ifndef SCHLEUSE_TRUST_ROOTS_H
#define SCHLEUSE_TRUST_ROOTS_H

#include <openssl/x509.h>

#include "lib/base/err.h"
#include "lib/base/str.h"

#define ROOTS_MAX 64               /* entries of a file */
#define ROOTS_MAX_BYTES (1 << 20)  /* of a file */
#define ROOTS_MAX_SIGNATURES 1024U /* verified for one file; honest ones need two an entry */

/* *linked: the self-signed roots of the file, besides the pinned ones, that are trusted at the
 * wall-clock second `at`: valid, authorities by their basicConstraints, and linked to one pinned
 * through valid cross certificates, in whatever direction.  Freed with
 * sk_X509_pop_free(x, X509_free).  ERR_ROOTS: not such a file; ERR_MEMORY. */
enum err roots_link(
    struct str json, STACK_OF(X509) *pinned, int64_t at, STACK_OF(X509) **linked) MUST_CHECK;

bool roots_has(STACK_OF(X509) *in, X509 *cert);
bool roots_is_current(X509 *cert, int64_t at); /* within its dates */

#endif
