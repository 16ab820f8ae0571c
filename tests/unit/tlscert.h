/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tlscert - TLS server certificates and keys as PEM text, made while a test runs.
 *
 * Failing to make one ends the test.  The texts are freed with free().
 */
#ifndef SCHLEUSE_TESTS_TLSCERT_H
#define SCHLEUSE_TESTS_TLSCERT_H

#include <openssl/ssl.h>
#include <stdbool.h>

struct tlscert {
	const char *names;      /* subjectAltName as in openssl.cnf; default "DNS:a.example.org" */
	const char *digest;     /* default "SHA256" */
	int rsa_bits;           /* default: an EC key */
	const char *curve;      /* default P-256 */
	int version;            /* as shown: 1 or 3 (default) */
	int from_days, to_days; /* relative to now; default -1 and 90 */
	bool self_signed;       /* else issued by a CA that is second in the chain */
};

void tlscert_make(const struct tlscert *want, char **chain_pem, char **key_pem);
/* The server's side of a handshake, with such a certificate; no ALPN. */
SSL *tlscert_accept(void);
void tlscert_write(const char *folder, const char *file, const char *text, unsigned mode);

#endif
