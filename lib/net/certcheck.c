/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/certcheck.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define DAY 86400

struct judge {
	const struct certcheck *c;
	certcheck_say *say;
	void *arg;
	bool good;
};

static void __attribute__((format(printf, 5, 6)))
find(struct judge *j, bool fatal, enum certcheck_part part, size_t host, const char *fmt, ...)
{
	char text[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (fatal)
		j->good = false;
	j->say(j->arg, fatal, part, host, text);
}

#define REFUSE(j, part, ...) find(j, true, part, 0, __VA_ARGS__)
#define WARN(j, part, ...) find(j, false, part, 0, __VA_ARGS__)

static BIO *
bio_of(struct str s)
{
	return BIO_new_mem_buf(s.n > 0 ? s.p : "", (int)s.n);
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

static STACK_OF(X509) *
read_chain(struct judge *j)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	BIO *bio = bio_of(j->c->chain_pem);
	X509 *x;

	while (chain != NULL && bio != NULL &&
	       (x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
		if (sk_X509_num(chain) < CERTCHECK_CHAIN_MAX && sk_X509_push(chain, x) > 0)
			continue;
		X509_free(x);
		REFUSE(j, CERTCHECK_CHAIN,
		    "%s holds more than %d certificates; leave only the server's and its "
		    "issuers",
		    j->c->chain_file, CERTCHECK_CHAIN_MAX);
		break;
	}
	if (chain == NULL || bio == NULL)
		REFUSE(j, CERTCHECK_CHAIN, "%s: out of memory", j->c->chain_file);
	else if (j->good && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		REFUSE(j, CERTCHECK_CHAIN, "%s: certificate %d is damaged; install it again",
		    j->c->chain_file, sk_X509_num(chain) + 1);
	else if (sk_X509_num(chain) == 0)
		REFUSE(j, CERTCHECK_CHAIN,
		    "%s holds no PEM certificate; put the server's certificate and then its "
		    "issuers in it",
		    j->c->chain_file);
	BIO_free(bio);
	return chain;
}

static void
check_key_fits(struct judge *j, X509 *leaf)
{
	BIO *bio = bio_of(j->c->key_pem);
	EVP_PKEY *key =
	    bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

	if (key == NULL)
		REFUSE(j, CERTCHECK_KEY,
		    "%s holds no PEM private key without passphrase; install the certificate's key",
		    j->c->key_file);
	else if (X509_check_private_key(leaf, key) != 1)
		REFUSE(j, CERTCHECK_KEY,
		    "%s is not the key of the certificate in %s; install the two that belong "
		    "together",
		    j->c->key_file, j->c->chain_file);
	EVP_PKEY_free(key);
	BIO_free(bio);
}

static void
check_strength(struct judge *j, X509 *x, int number)
{
	EVP_PKEY *key = X509_get0_pubkey(x);
	int bits = key != NULL ? EVP_PKEY_get_bits(key) : 0;
	int type = key != NULL ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE;
	bool rsa = type == EVP_PKEY_RSA || type == EVP_PKEY_RSA_PSS;

	if (!rsa && type != EVP_PKEY_EC)
		REFUSE(j, CERTCHECK_CHAIN,
		    "%s: certificate %d has neither an RSA nor an EC key; get one that has",
		    j->c->chain_file, number);
	else if (bits < (rsa ? 2048 : 256))
		REFUSE(j, CERTCHECK_CHAIN,
		    "%s: certificate %d has a key of %d bit; RSA needs 2048, EC 256",
		    j->c->chain_file, number, bits);
}

static bool
self_signed(X509 *x)
{
	EVP_PKEY *key = X509_get0_pubkey(x);

	return X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) == 0 &&
	       key != NULL && X509_verify(x, key) == 1;
}

/* A root's own signature protects nothing and may be old. */
static void
check_signature(struct judge *j, X509 *x, int number)
{
	int digest = NID_undef;

	if (number > 1 && self_signed(x))
		return;
	if (X509_get_signature_info(x, &digest, NULL, NULL, NULL) != 1 || digest == NID_sha1 ||
	    digest == NID_md5 || digest == NID_md5_sha1 || digest == NID_md4 || digest == NID_md2 ||
	    digest == NID_undef)
		REFUSE(j, CERTCHECK_CHAIN,
		    "%s: certificate %d is signed with %s; it must be SHA-256 or better, get a "
		    "new one",
		    j->c->chain_file, number,
		    digest == NID_undef ? "an unknown digest" : OBJ_nid2sn(digest));
}

static int64_t
seconds_of(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static char *
date_of(int64_t s, char out[32])
{
	time_t t = (time_t)s;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		out[0] = '\0';
	return out;
}

static void
check_validity(struct judge *j, X509 *x, int number)
{
	int64_t from = seconds_of(X509_get0_notBefore(x)), to = seconds_of(X509_get0_notAfter(x));
	char date[32];

	if (j->c->now < from)
		REFUSE(j, CERTCHECK_CHAIN,
		    "%s: certificate %d is valid only from %s; check the clock or wait",
		    j->c->chain_file, number, date_of(from, date));
	else if (j->c->now >= to && j->c->late)
		WARN(j, CERTCHECK_CHAIN, "%s: certificate %d ended on %s; install a new one",
		    j->c->chain_file, number, date_of(to, date));
	else if (j->c->now >= to)
		REFUSE(j, CERTCHECK_CHAIN, "%s: certificate %d ended on %s; install a new one",
		    j->c->chain_file, number, date_of(to, date));
	else if (to - j->c->now < (int64_t)CERTCHECK_WARN_DAYS * DAY)
		WARN(j, CERTCHECK_CHAIN, "%s: certificate %d ends on %s, in %lld days; renew it",
		    j->c->chain_file, number, date_of(to, date),
		    (long long)((to - j->c->now) / DAY));
	if (number == 1 && to - from > (int64_t)CERTCHECK_LIFETIME_DAYS * DAY)
		WARN(j, CERTCHECK_CHAIN,
		    "%s: the certificate is valid for %lld days; at most twelve months are allowed",
		    j->c->chain_file, (long long)((to - from) / DAY));
}

static void
check_self_signed(struct judge *j, X509 *leaf)
{
	if (!self_signed(leaf))
		return;
	if (j->c->test_mode)
		WARN(j, CERTCHECK_CHAIN,
		    "%s: the certificate is self-signed; accepted in test mode only",
		    j->c->chain_file);
	else
		REFUSE(j, CERTCHECK_CHAIN,
		    "%s: the certificate is self-signed; get one from a certificate authority",
		    j->c->chain_file);
}

static void
check_order(struct judge *j, STACK_OF(X509) *chain)
{
	for (int i = 0; i + 1 < sk_X509_num(chain); i++)
		if (X509_check_issued(sk_X509_value(chain, i + 1), sk_X509_value(chain, i)) !=
		    X509_V_OK)
			WARN(j, CERTCHECK_CHAIN,
			    "%s: certificate %d did not issue certificate %d; clients may not find "
			    "the chain, put the certificates in order",
			    j->c->chain_file, i + 2, i + 1);
}

static void
check_hosts(struct judge *j, X509 *leaf)
{
	unsigned char ip[16];

	for (size_t i = 0; i < j->c->n_hosts; i++) {
		const char *host = j->c->hosts[i];
		bool literal =
		    inet_pton(AF_INET, host, ip) == 1 || inet_pton(AF_INET6, host, ip) == 1;
		int covered = literal ? X509_check_ip_asc(leaf, host, 0)
				      : X509_check_host(leaf, host, 0,
					    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL);

		if (covered != 1)
			find(j, true, CERTCHECK_HOST, i,
			    "%s does not cover %s; get a certificate with this name among "
			    "its subjectAltNames",
			    j->c->chain_file, host);
	}
}

static void
check_leaf(struct judge *j, X509 *leaf)
{
	if (X509_get_version(leaf) != X509_VERSION_3)
		REFUSE(j, CERTCHECK_CHAIN,
		    "%s: the certificate is X.509 version %ld; version 3 is needed",
		    j->c->chain_file, X509_get_version(leaf) + 1);
	check_self_signed(j, leaf);
	check_key_fits(j, leaf);
	check_hosts(j, leaf);
}

/* Every certificate is looked at, whatever the others are like. */
static void
check_chain(struct judge *j, STACK_OF(X509) *chain, int64_t *not_after)
{
	X509 *leaf = sk_X509_value(chain, 0);

	for (int i = 0; i < sk_X509_num(chain); i++) {
		check_strength(j, sk_X509_value(chain, i), i + 1);
		check_signature(j, sk_X509_value(chain, i), i + 1);
		check_validity(j, sk_X509_value(chain, i), i + 1);
	}
	*not_after = seconds_of(X509_get0_notAfter(leaf));
	check_leaf(j, leaf);
	check_order(j, chain);
}

bool
certcheck_judge(const struct certcheck *c, certcheck_say *say, void *arg, int64_t *not_after)
{
	struct judge j = { .c = c, .say = say, .arg = arg, .good = true };
	STACK_OF(X509) *chain;

	*not_after = 0;
	ERR_clear_error();
	chain = read_chain(&j);
	if (j.good)
		check_chain(&j, chain, not_after);
	sk_X509_pop_free(chain, X509_free);
	ERR_clear_error();
	return j.good;
}
