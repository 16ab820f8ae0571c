/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CA: read from PEM and judged.  What is refused here is what clients would refuse, or what
 * would let whoever gets at the key do more than the tunnels need.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/net/minter_int.h"

#define CHAIN_MAX 10
#define WARN_DAYS 30
#define RSA_BITS_MIN 2048
#define EC_BITS_MIN 256
#define MAKE_ANOTHER "make another one with schleuse-proxy --make-ca"

static void
ca_free(struct snapshot *s)
{
	struct minter_ca *ca = (struct minter_ca *)s;

	X509_free(ca->cert);
	EVP_PKEY_free(ca->key);
	NAME_CONSTRAINTS_free(ca->names);
	sk_X509_pop_free(ca->chain, X509_free);
	free(ca);
}

/* A key with a passphrase must not make the daemon ask on a terminal. */
static int
no_passphrase(char *out, int size, int writing, void *arg)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static bool
read_certificates(struct minter_ca *ca, struct str pem)
{
	BIO *bio = BIO_new_mem_buf(pem.n > 0 ? pem.p : "", (int)pem.n);
	X509 *x;

	ca->cert = bio != NULL ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
	ca->chain = sk_X509_new_null();
	if (ca->cert != NULL && ca->chain != NULL && !X509_self_signed(ca->cert, 0) &&
	    X509_up_ref(ca->cert) == 1)
		sk_X509_push(ca->chain, ca->cert);
	while (ca->cert != NULL && sk_X509_num(ca->chain) > 0 &&
	       sk_X509_num(ca->chain) < CHAIN_MAX &&
	       (x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL)
		if (X509_self_signed(x, 0) == 1 || sk_X509_push(ca->chain, x) <= 0)
			X509_free(x);
	BIO_free(bio);
	ERR_clear_error(); /* the end of the file is an error to PEM_read */
	return ca->cert != NULL && ca->chain != NULL;
}

static bool
read_key(struct minter_ca *ca, struct str pem)
{
	BIO *bio = BIO_new_mem_buf(pem.n > 0 ? pem.p : "", (int)pem.n);

	ca->key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
	BIO_free(bio);
	ERR_clear_error();
	return ca->key != NULL;
}

static const char *
judge_key(const struct minter_ca *ca)
{
	bool rsa = EVP_PKEY_get_base_id(ca->key) == EVP_PKEY_RSA;

	if (X509_check_private_key(ca->cert, ca->key) != 1)
		return "the key is not the one of the certificate; name the two that were made "
		       "together";
	if ((!rsa && EVP_PKEY_get_base_id(ca->key) != EVP_PKEY_EC) ||
	    EVP_PKEY_get_bits(ca->key) < (rsa ? RSA_BITS_MIN : EC_BITS_MIN))
		return "the key must be EC of 256 bit or RSA of 2048 bit or more; " MAKE_ANOTHER;
	return NULL;
}

static const char *
judge_usage(X509 *x)
{
	uint32_t usage = X509_get_key_usage(x), extended = X509_get_extended_key_usage(x);

	if (X509_get_version(x) != X509_VERSION_3 ||
	    (X509_get_extension_flags(x) & (EXFLAG_CA | EXFLAG_INVALID)) != EXFLAG_CA)
		return "the certificate is not one of a CA (basicConstraints); " MAKE_ANOTHER;
	if (X509_get_pathlen(x) != 0)
		return "the CA could issue for further CAs, pathlen must be 0; " MAKE_ANOTHER;
	if (usage == UINT32_MAX || (usage & KU_KEY_CERT_SIGN) == 0)
		return "the CA may not sign certificates (keyUsage); " MAKE_ANOTHER;
	if ((extended & XKU_SSL_SERVER) == 0) /* all bits are set where there is none */
		return "the CA may not issue for TLS servers (extendedKeyUsage); " MAKE_ANOTHER;
	if (X509_get0_subject_key_id(x) == NULL)
		return "the CA has no subjectKeyIdentifier; " MAKE_ANOTHER;
	return NULL;
}

static bool
plain(const STACK_OF(GENERAL_SUBTREE) *all)
{
	for (int i = 0; i < sk_GENERAL_SUBTREE_num(all); i++) {
		const GENERAL_SUBTREE *t = sk_GENERAL_SUBTREE_value(all, i);

		if (t->maximum != NULL || (t->minimum != NULL && ASN1_INTEGER_get(t->minimum) != 0))
			return false;
	}
	return true;
}

static const char *
judge_names(struct minter_ca *ca)
{
	int critical = 0;

	ca->names = X509_get_ext_d2i(ca->cert, NID_name_constraints, &critical, NULL);
	if (ca->names == NULL || critical != 1)
		return "the CA has no critical name constraints, so it could issue for "
		       "anybody; " MAKE_ANOTHER;
	if (!plain(ca->names->permittedSubtrees) || !plain(ca->names->excludedSubtrees))
		return "the CA's name constraints have a minimum or maximum, which clients "
		       "refuse; " MAKE_ANOTHER;
	return NULL;
}

static int64_t
seconds_of(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static const char *
judge_time(struct minter_ca *ca, char *why, size_t why_size)
{
	int64_t now = clock_wall_s();

	ca->not_after = seconds_of(X509_get0_notAfter(ca->cert));
	if (now >= ca->not_after)
		return "the CA has expired; " MAKE_ANOTHER " and let the homeserver trust it";
	if (now < seconds_of(X509_get0_notBefore(ca->cert)))
		return "the CA is not valid yet; look at the clock";
	if (ca->not_after - now < (int64_t)WARN_DAYS * MINTER_DAY)
		snprintf(why, why_size,
		    "the CA ends in %lld days; " MAKE_ANOTHER " and let the homeserver trust both",
		    (long long)((ca->not_after - now) / MINTER_DAY));
	return NULL;
}

static const char *
judge(struct minter_ca *ca, char *why, size_t why_size)
{
	const char *fault = judge_key(ca);

	if (fault == NULL)
		fault = judge_usage(ca->cert);
	if (fault == NULL)
		fault = judge_names(ca);
	if (fault == NULL)
		fault = judge_time(ca, why, why_size);
	return fault;
}

struct minter_ca *
minter_ca_load(struct str certificate_pem, struct str key_pem, char *why, size_t why_size)
{
	struct minter_ca *ca = calloc(1, sizeof(*ca));
	const char *fault = "out of memory";

	snprintf(why, why_size, "%s", "");
	if (ca != NULL) {
		snapshot_init(&ca->snap, ca_free);
		if (!read_certificates(ca, certificate_pem))
			fault = "there is no PEM certificate; name the ca.pem that "
				"schleuse-proxy --make-ca has made";
		else if (!read_key(ca, key_pem))
			fault = "there is no PEM private key without passphrase; name the ca.key "
				"that schleuse-proxy --make-ca has made";
		else
			fault = judge(ca, why, why_size);
	}
	ERR_clear_error();
	if (fault == NULL)
		return ca;
	snprintf(why, why_size, "%s", fault);
	snapshot_drop((struct snapshot *)ca);
	return NULL;
}

int64_t
minter_ca_not_after(const struct minter_ca *ca)
{
	return ca->not_after;
}
