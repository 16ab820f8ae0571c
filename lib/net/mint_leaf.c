/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One certificate: RFC 5280, with an empty subject and a critical subjectAltName, so that names
 * longer than a commonName's 64 bytes need no other treatment.
 */
#include <openssl/bn.h>

#include "lib/net/minter_int.h"

#define SERIAL_BITS 128

bool
minter_extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *e;
	X509V3_CTX ctx;
	bool ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = e != NULL && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

bool
minter_stamp(X509 *x, int64_t from, int64_t until)
{
	BIGNUM *n = BN_new();
	bool ok = n != NULL && BN_rand(n, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
		  BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL &&
		  ASN1_TIME_set(X509_getm_notBefore(x), (time_t)from) != NULL &&
		  ASN1_TIME_set(X509_getm_notAfter(x), (time_t)until) != NULL;

	BN_free(n);
	return ok;
}

X509 *
mint_model(const struct minter_ca *ca, EVP_PKEY *key)
{
	X509 *x = X509_new();

	if (x != NULL && X509_set_version(x, X509_VERSION_3) == 1 &&
	    X509_set_issuer_name(x, X509_get_subject_name(ca->cert)) == 1 &&
	    X509_set_pubkey(x, key) == 1 &&
	    minter_extend(x, ca->cert, NID_key_usage, "critical,digitalSignature") &&
	    minter_extend(x, ca->cert, NID_ext_key_usage, "serverAuth") &&
	    minter_extend(x, ca->cert, NID_subject_key_identifier, "hash") &&
	    minter_extend(x, ca->cert, NID_authority_key_identifier, "keyid:always"))
		return x;
	X509_free(x);
	return NULL;
}

static GENERAL_NAME *
name_of(const struct minter_host *host)
{
	ASN1_STRING *value =
	    host->ip_size > 0 ? ASN1_OCTET_STRING_new() : (ASN1_STRING *)ASN1_IA5STRING_new();
	GENERAL_NAME *name = GENERAL_NAME_new();

	if (name == NULL || value == NULL ||
	    ASN1_STRING_set(value, host->ip_size > 0 ? (const void *)host->ip : host->text,
		host->ip_size > 0 ? (int)host->ip_size : -1) != 1) {
		GENERAL_NAME_free(name);
		ASN1_STRING_free(value);
		return NULL;
	}
	GENERAL_NAME_set0_value(name, host->ip_size > 0 ? GEN_IPADD : GEN_DNS, value);
	return name;
}

static bool
add_host(X509 *x, const struct minter_host *host)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *name = name_of(host);
	bool ok = false;

	if (names != NULL && name != NULL && sk_GENERAL_NAME_push(names, name) > 0)
		ok = X509_add1_ext_i2d(x, NID_subject_alt_name, names, 1, X509V3_ADD_DEFAULT) == 1;
	else
		GENERAL_NAME_free(name);
	GENERAL_NAMES_free(names);
	return ok;
}

static bool
copy_model(X509 *x, X509 *model)
{
	if (X509_set_version(x, X509_VERSION_3) != 1 ||
	    X509_set_issuer_name(x, X509_get_issuer_name(model)) != 1 ||
	    X509_set_pubkey(x, X509_get0_pubkey(model)) != 1)
		return false;
	for (int i = 0; i < X509_get_ext_count(model); i++)
		if (X509_add_ext(x, X509_get_ext(model, i), -1) != 1)
			return false;
	return true;
}

X509 *
mint_leaf(const struct minter_ca *ca, X509 *model, const struct minter_host *host, int64_t from,
    int64_t until)
{
	X509 *x = X509_new();

	if (x != NULL && copy_model(x, model) && minter_stamp(x, from, until) &&
	    add_host(x, host) && X509_sign(x, ca->key, EVP_sha256()) > 0)
		return x;
	X509_free(x);
	return NULL;
}
