/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certs_cert - a PASSporT certificate as it comes: PEM text, read and written anew.
 *
 * Writing it anew leaves behind whatever else was in the text, such as a private key.  Pure.
 */
#ifndef SCHLEUSE_REGSVC_CERTS_CERT_H
#define SCHLEUSE_REGSVC_CERTS_CERT_H

#include <openssl/x509.h>

#include "regsvc/certs_set.h"

#define CERTS_PEM_MAX (32 << 10) /* bytes of a text */

struct certs_cert {
	char fingerprint[CERTS_FINGERPRINT + 1]; /* of the first one, which signs */
	STACK_OF(X509) *chain;                   /* it, then its issuers if they came along */
	char *pem;                               /* of the chain */
	int64_t not_before, not_after;           /* wall-clock seconds */
	bool es256;                              /* its key is one for ES256: P-256 */
};

/* ERR_TOO_LARGE, ERR_X5C_SYNTAX (also: more than X5C_MAX), ERR_MEMORY: *out is empty. */
enum err certs_cert_read(struct str pem, struct certs_cert *out) MUST_CHECK;
void certs_cert_fini(struct certs_cert *c); /* an empty one is allowed */

#endif
