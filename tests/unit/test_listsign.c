/* SPDX-License-Identifier: Apache-2.0 */
/* What we sign verifies like any list. */
#include <criterion/criterion.h>
#include <openssl/pem.h>

#include "lib/jose/jws.h"
#include "lib/jose/x5c.h"
#include "regsvc/listsign.h"
#include "tests/unit/pki.h"

static BIO *certificate, *private_key;
static X509 *cert;

static struct str
text_of(BIO *b)
{
	char *p;
	long n = BIO_get_mem_data(b, &p);

	return str_of(p, (size_t)n);
}

static void
make(const char *curve)
{
	const struct pki_certificate want = { 0 };
	EVP_PKEY *key = pki_key(curve);

	cert = pki_certificate(key, &want);
	certificate = BIO_new(BIO_s_mem());
	private_key = BIO_new(BIO_s_mem());
	cr_assert(PEM_write_bio_X509(certificate, cert));
	cr_assert(PEM_write_bio_PrivateKey(private_key, key, NULL, NULL, 0, NULL, NULL));
	EVP_PKEY_free(key);
}

static void
teardown(void)
{
	X509_free(cert);
	BIO_free(certificate);
	BIO_free(private_key);
	arena_drop_cache();
	buf_drop_cache();
}

TestSuite(listsign, .fini = teardown);

Test(listsign, verifies_with_its_certificate)
{
	struct arena a;
	struct buf out;
	struct jws j;
	STACK_OF(X509) *certs;

	make(PKI_P256);
	arena_init(&a, 1 << 20);
	buf_init(&out, 1 << 20);
	cr_assert_eq(listsign_make(STR("{\"version\":7,\"domainList\":[]}"), text_of(certificate),
			 text_of(private_key), &out),
	    OK);
	cr_assert_eq(jws_parse(&a, buf_str(&out), &j), OK);
	cr_assert(
	    j.alg == JWS_ES256 && str_eq(j.payload, STR("{\"version\":7,\"domainList\":[]}")));
	cr_assert_eq(x5c_parse(&a, j.x5c, &certs), OK);
	cr_assert(sk_X509_num(certs) == 1 && X509_cmp(sk_X509_value(certs, 0), cert) == 0);
	cr_assert_eq(jws_verify(&j, X509_get0_pubkey(cert)), OK);
	sk_X509_pop_free(certs, X509_free);
	buf_fini(&out);
	arena_fini(&a);
}

Test(listsign, needs_a_certificate_a_key_of_its_curve_and_room)
{
	struct buf out;

	make(PKI_BRAINPOOL);
	buf_init(&out, 1 << 20);
	cr_assert_eq(listsign_make(STR("{}"), text_of(certificate), text_of(private_key), &out),
	    ERR_X5C_CURVE);
	cr_assert_eq(
	    listsign_make(STR("{}"), text_of(certificate), STR("none"), &out), ERR_X5C_SYNTAX);
	buf_fini(&out);
	teardown();
	make(PKI_P256);
	buf_init(&out, 1 << 20);
	cr_assert_eq(
	    listsign_make(STR("{}"), STR("none"), text_of(private_key), &out), ERR_X5C_SYNTAX);
	buf_fini(&out);
	buf_init(&out, 64);
	cr_assert_neq(
	    listsign_make(STR("{}"), text_of(certificate), text_of(private_key), &out), OK);
	buf_fini(&out);
}
