/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ocsp - asking whether a certificate is revoked, and judging the answer (RFC 6960, RFC 5019).
 *
 * Pure: no I/O, no clock of its own; OpenSSL's error queue is left empty.  Fits any pair of
 * certificate and issuer: our own certificates, whose responses are stapled, and those of signers.
 */
#ifndef SCHLEUSE_NET_OCSP_H
#define SCHLEUSE_NET_OCSP_H

#include <openssl/x509.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

#define OCSP_SKEW_S 300 /* by which clocks may differ */

/* The first http or https URL of an OCSP responder in the certificate (authority information
 * access); freed with free().  NULL: there is none. */
char *ocsp_responder(X509 *cert) MUST_CHECK;

/* Appends a DER request for one certificate.  Without nonce (n == 0) responders can answer from
 * stock. */
bool ocsp_request(X509 *cert, X509 *issuer, struct str nonce, struct buf *out) MUST_CHECK;

struct ocsp_span {
	int64_t from, to; /* thisUpdate, nextUpdate: wall-clock seconds */
};

struct ocsp_demands {
	struct str
	    nonce; /* that was sent (RFC 9654).  A response may do without; another is refused */
	int64_t max_age; /* seconds for which a response without nextUpdate counts; 0: not at all */
};

/* Judges a DER response about cert at the wall-clock second `at`.  OK: the issuer says "good", and
 * span tells how long that holds.  ERR_OCSP_SYNTAX: not a successful response; ERR_OCSP_SIGNATURE:
 * not signed by the issuer or by a responder with the usage OCSPSigning that the issuer itself has
 * certified (whatever its keyUsage); ERR_OCSP_NONCE: an answer to another question;
 * ERR_OCSP_SUBJECT: about other certificates; ERR_OCSP_DATES: not current, or without nextUpdate;
 * ERR_OCSP_REVOKED; ERR_OCSP_UNKNOWN: the responder does not know the certificate; ERR_MEMORY. */
enum err ocsp_judge(struct str der, X509 *cert, X509 *issuer, int64_t at,
    const struct ocsp_demands *d, struct ocsp_span *span) MUST_CHECK;

#endif
