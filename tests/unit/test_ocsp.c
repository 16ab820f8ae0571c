/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <openssl/ocsp.h>

#include "lib/base/clock.h"
#include "lib/net/ocsp.h"
#include "tests/unit/pki.h"

#define HOUR 3600

static EVP_PKEY *ca_key, *key, *responder_key;
static X509 *ca, *cert, *other, *responder;
static struct pki_ocsp want;
static struct ocsp_demands demands;
static struct ocsp_span span;

static void
setup(void)
{
	const struct pki_certificate authority = { .common_name = "CA", .is_ca = true };
	struct pki_certificate below = { .common_name = "leaf" };

	ca_key = pki_key(PKI_BRAINPOOL);
	key = pki_key(PKI_BRAINPOOL);
	responder_key = pki_key(PKI_BRAINPOOL);
	ca = pki_certificate(ca_key, &authority);
	below.issuer = ca;
	below.issuer_key = ca_key;
	cert = pki_certificate(key, &below);
	other = pki_certificate(key, &below);
	want = (struct pki_ocsp){
		.cert = cert, .issuer = ca, .signer_key = ca_key, .from_s = -60, .to_s = HOUR
	};
}

static void
teardown(void)
{
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
	EVP_PKEY_free(responder_key);
	X509_free(ca);
	X509_free(cert);
	X509_free(other);
	X509_free(responder);
}

TestSuite(ocsp, .init = setup, .fini = teardown);

static enum err
judge(void)
{
	struct str der = pki_ocsp(&want);
	enum err err = ocsp_judge(der, cert, ca, clock_wall_s(), &demands, &span);

	OPENSSL_free((void *)(uintptr_t)der.p);
	return err;
}

/* The answers come from a responder of its own. */
static void
delegate(const char *usage, const char *extended, X509 *issuer, EVP_PKEY *issuer_key)
{
	const struct pki_certificate r = { .common_name = "responder",
		.key_usage = usage,
		.extended = extended,
		.issuer = issuer,
		.issuer_key = issuer_key };

	X509_free(responder);
	responder = pki_certificate(responder_key, &r);
	want.signer = responder;
	want.signer_key = responder_key;
}

Test(ocsp, states_are_told_apart)
{
	cr_assert_eq(judge(), OK);
	want.status = V_OCSP_CERTSTATUS_REVOKED;
	cr_assert_eq(judge(), ERR_OCSP_REVOKED);
	want.status = V_OCSP_CERTSTATUS_UNKNOWN;
	cr_assert_eq(judge(), ERR_OCSP_UNKNOWN);
	cr_assert_eq(
	    ocsp_judge(STR("x"), cert, ca, clock_wall_s(), &demands, &span), ERR_OCSP_SYNTAX);
	cr_assert_eq(
	    ocsp_judge(STR_NONE, cert, ca, clock_wall_s(), &demands, &span), ERR_OCSP_SYNTAX);
}

Test(ocsp, an_answer_is_about_the_certificate)
{
	want.cert = other;
	cr_assert_eq(judge(), ERR_OCSP_SUBJECT);
}

Test(ocsp, a_responder_of_the_issuer_may_have_non_repudiation_only)
{
	delegate("critical,nonRepudiation", "OCSPSigning", ca, ca_key);
	cr_assert_eq(judge(), OK);
}

Test(ocsp, a_responder_needs_the_extended_usage_and_the_issuer)
{
	EVP_PKEY *foreign_key = pki_key(PKI_BRAINPOOL);
	const struct pki_certificate authority = { .common_name = "CA", .is_ca = true };
	X509 *foreign = pki_certificate(foreign_key, &authority);

	delegate("critical,nonRepudiation", NULL, ca, ca_key);
	cr_assert_eq(judge(), ERR_OCSP_SIGNATURE);
	delegate("critical,nonRepudiation", "serverAuth", ca, ca_key);
	cr_assert_eq(judge(), ERR_OCSP_SIGNATURE);
	delegate("critical,nonRepudiation", "OCSPSigning", foreign, foreign_key);
	cr_assert_eq(judge(), ERR_OCSP_SIGNATURE);
	want.signer = NULL; /* under the issuer's name with another key */
	want.issuer = foreign;
	want.signer_key = foreign_key;
	cr_assert_eq(judge(), ERR_OCSP_SIGNATURE);
	X509_free(foreign);
	EVP_PKEY_free(foreign_key);
}

Test(ocsp, another_nonce_is_refused_and_none_accepted)
{
	demands.nonce = STR("0123456789abcdef0123456789abcdef");
	cr_assert_eq(judge(), OK);
	want.nonce = demands.nonce;
	cr_assert_eq(judge(), OK);
	want.nonce = STR("1123456789abcdef0123456789abcdef");
	cr_assert_eq(judge(), ERR_OCSP_NONCE);
	want.nonce = STR("0123456789abcdef");
	cr_assert_eq(judge(), ERR_OCSP_NONCE);
	demands.nonce = STR_NONE; /* nothing was asked for */
	cr_assert_eq(judge(), OK);
}

Test(ocsp, a_request_carries_the_nonce)
{
	struct str nonce = STR("0123456789abcdef0123456789abcdef");
	struct buf with, without;

	buf_init(&with, 4096);
	buf_init(&without, 4096);
	cr_assert(ocsp_request(cert, ca, nonce, &with));
	cr_assert(ocsp_request(cert, ca, STR_NONE, &without));
	cr_assert_not_null(memmem(buf_str(&with).p, buf_len(&with), nonce.p, nonce.n));
	cr_assert_gt(buf_len(&with), buf_len(&without) + nonce.n);
	buf_fini(&with);
	buf_fini(&without);
}

Test(ocsp, dates)
{
	want.from_s = HOUR;
	want.to_s = 2 * HOUR;
	cr_assert_eq(judge(), ERR_OCSP_DATES, "from the future");
	want.from_s = -2 * HOUR;
	want.to_s = -HOUR;
	cr_assert_eq(judge(), ERR_OCSP_DATES, "over");
	want.from_s = OCSP_SKEW_S / 2;
	want.to_s = HOUR;
	cr_assert_eq(judge(), OK, "clocks differ");
}

Test(ocsp, without_next_update_an_answer_ages)
{
	want.to_s = 0;
	cr_assert_eq(judge(), ERR_OCSP_DATES);
	demands.max_age = HOUR;
	cr_assert_eq(judge(), OK);
	cr_assert_leq(span.to, clock_wall_s() + HOUR + OCSP_SKEW_S);
	want.from_s = -HOUR - OCSP_SKEW_S - 10;
	cr_assert_eq(judge(), ERR_OCSP_DATES);
	want.to_s = 60; /* where there is one it counts */
	cr_assert_eq(judge(), OK);
}
