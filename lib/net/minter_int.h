/* SPDX-License-Identifier: Apache-2.0 */
/*
 * minter_int - what the files of minter share: hosts, the CA's struct, leaves.
 */
#ifndef SCHLEUSE_NET_MINTER_INT_H
#define SCHLEUSE_NET_MINTER_INT_H

#include <openssl/x509v3.h>

#include "lib/net/minter.h"

#define MINTER_NAME_MAX 253
#define MINTER_DAY 86400

/* What a certificate is for. */
struct minter_host {
	char text[MINTER_NAME_MAX + 1]; /* lower case; of an address its usual form, no brackets */
	unsigned char ip[16];
	size_t ip_size; /* 0: a DNS name */
};

/* A name as SNI has it (RFC 6066): letters, digits, hyphens; no address, no dot at the end. */
bool minter_host_name(struct str name, struct minter_host *out) MUST_CHECK;
/* A name, which may end in a dot, or an address without brackets. */
bool minter_host_any(struct str host, struct minter_host *out) MUST_CHECK;

struct minter_ca {
	struct snapshot snap;
	X509 *cert;
	EVP_PKEY *key;
	NAME_CONSTRAINTS *names;
	STACK_OF(X509) *chain; /* shown with each leaf: none if the CA is a root */
	int64_t not_after;
};

/* Whether clients that know the CA's name constraints (RFC 5280, 4.2.1.10) take a certificate for
 * this host from it. */
bool minter_names_allow(const NAME_CONSTRAINTS *names, const struct minter_host *host);
/* Whether `name` is `base` or below it; both lower case. */
bool minter_name_within(struct str name, struct str base);

/* Adds an extension as openssl.cnf writes it; false: out of memory. */
bool minter_extend(X509 *x, X509 *issuer, int nid, const char *value) MUST_CHECK;
/* A serial number of 128 random bits, the times; false: out of memory. */
bool minter_stamp(X509 *x, int64_t from, int64_t until) MUST_CHECK;

/* What all certificates of one mint have in common; the key is referred to. */
X509 *mint_model(const struct minter_ca *ca, EVP_PKEY *key) MUST_CHECK;
/* NULL: out of memory. */
X509 *mint_leaf(const struct minter_ca *ca, X509 *model, const struct minter_host *host,
    int64_t from, int64_t until) MUST_CHECK;

#endif
