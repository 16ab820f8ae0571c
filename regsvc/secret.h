/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret - our client secret for the VZD: from a file, a systemd credential or a PKCS#11 token
 * (ML-123622).
 *
 * It is read whenever it is needed, which is rarely, so that it stays in memory only for the length
 * of one request and a new one counts at once.  Nothing is kept and nothing of it is logged.
 */
#ifndef SCHLEUSE_REGSVC_SECRET_H
#define SCHLEUSE_REGSVC_SECRET_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/net/loop.h"

#define SECRET_MAX 4096 /* bytes */

struct secret_source {          /* one of the first three is set */
	const char *file;       /* its last line break is none of the secret */
	const char *credential; /* a file's name in $CREDENTIALS_DIRECTORY (systemd.exec(5)) */
	const char *pkcs11_uri; /* RFC 7512: a data or secret-key object whose value can be read */
	const char *pkcs11_module;   /* file of the module of that */
	const char *pkcs11_pin_file; /* NULL: no login */
};

/* Puts the secret into `out`, which is empty with a maximum of at least SECRET_MAX bytes; wiped by
 * the caller with secret_wipe().  Blocks: a token may be slow.  ERR_SECRET with a line in the log
 * that names the place. */
enum err secret_read(const struct secret_source *from, struct buf *out) MUST_CHECK;
void secret_wipe(struct buf *b); /* and frees its memory */

/* The path of a systemd credential; NULL: there are none, or out of memory.  Freed by the caller.
 */
char *secret_credential_path(const char *name) MUST_CHECK;

/* NULL: usable; else what is wrong with the URI. */
const char *secret_uri_fault(const char *uri);

/* The same on a thread of its own; the source must stay valid until fn, and the secret is valid
 * during the call only.  fn is called later exactly once unless cancelled.  NULL: out of memory,
 * nobody is called. */
typedef void secret_fn(void *arg, enum err err, struct str secret);
struct secret_errand;
struct secret_errand *secret_start(
    struct loop *loop, const struct secret_source *from, secret_fn *fn, void *arg) MUST_CHECK;
void secret_cancel(struct secret_errand *e); /* waits for it; NULL is allowed */

#endif
