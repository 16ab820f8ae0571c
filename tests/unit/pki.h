/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pki - keys, certificates and tokens made while a test runs, so that nothing in the repository
 * expires.
 *
 * Shared by unit tests and fuzz targets.  Failing to make one aborts.  Everything returned is freed
 * by the caller.
 */
#ifndef SCHLEUSE_TESTS_PKI_H
#define SCHLEUSE_TESTS_PKI_H

#include <openssl/x509.h>

#include "lib/base/str.h"

#define PKI_P256 "prime256v1"
#define PKI_BRAINPOOL "brainpoolP256r1"

EVP_PKEY *pki_key(const char *curve);

struct pki_certificate {
	const char *common_name; /* default "test" */
	const char
	    *key_usage;   /* as in openssl.cnf; default "critical,digitalSignature", "" : none */
	const char *role; /* OID of an admission, or NULL */
	const char *extended; /* extended key usage, or NULL */
	const char *names;    /* as in openssl.cnf, "DNS:a.test"; or NULL */
	bool is_ca;
	int from_days, to_days; /* relative to now; default -1 and 30 */
	X509 *issuer;           /* NULL: self-signed */
	EVP_PKEY *issuer_key;
};
X509 *pki_certificate(EVP_PKEY *key, const struct pki_certificate *want);

struct pki_ocsp {
	X509 *cert, *issuer; /* about whom */
	X509 *signer;        /* NULL: the issuer; another one is sent along */
	EVP_PKEY *signer_key;
	int status;       /* V_OCSP_CERTSTATUS_GOOD, ... */
	long from_s;      /* thisUpdate from now */
	long to_s;        /* nextUpdate from now; 0: none */
	struct str nonce; /* n == 0: none */
};
/* A successful response in DER; freed with OPENSSL_free(). */
struct str pki_ocsp(const struct pki_ocsp *want);

X509_STORE *pki_store(X509 *anchor); /* NULL: an empty one */
char *pki_base64(X509 *cert);        /* DER, as in x5c */
void pki_write_pem(const char *path, X509 *const *certs, size_t n);

/* base64url(header) "." base64url(payload) "." base64url(r||s), signed with SHA-256. */
char *pki_jws(EVP_PKEY *key, const char *header, struct str payload);
/* The header of a federation list with one certificate or two (intermediate may be NULL). */
char *pki_list_header(const char *alg, X509 *signer, X509 *intermediate);

#endif
