/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/jose/x5c.h"
#include "tests/unit/pki.h"

#define ROLE "1.2.276.0.76.4.171"
#define DAY (24 * 3600)

static struct arena arena;
static EVP_PKEY *root_key, *ca_key, *key;
static X509 *root, *ca;

static void
setup(void)
{
	arena_init(&arena, 1 << 20);
	root_key = pki_key(PKI_P256);
	ca_key = pki_key(PKI_P256);
	key = pki_key(PKI_BRAINPOOL);
	root = pki_certificate(root_key, &(struct pki_certificate){ "root", .is_ca = true });
	ca = pki_certificate(ca_key, &(struct pki_certificate){ "ca", .is_ca = true, .issuer = root,
					 .issuer_key = root_key });
}

static void
teardown(void)
{
	X509_free(root);
	X509_free(ca);
	EVP_PKEY_free(root_key);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
	arena_fini(&arena);
}

TestSuite(x5c, .init = setup, .fini = teardown);

static X509 *
signer(struct pki_certificate want)
{
	if (want.issuer == NULL) {
		want.issuer = ca;
		want.issuer_key = ca_key;
	}
	return pki_certificate(key, &want);
}

/* Takes the signer; the others of the chain are helpers. */
static enum err
judge(X509 *cert, X509 *helper, X509 *anchor, struct x5c_demands demands)
{
	STACK_OF(X509) *certs = sk_X509_new_null();
	enum err err;

	cr_assert(sk_X509_push(certs, cert) > 0);
	if (helper != NULL)
		cr_assert(sk_X509_push(certs, helper) > 0);
	demands.anchors = pki_store(anchor);
	if (demands.at == 0)
		demands.at = clock_wall_s();
	err = x5c_judge(certs, &demands);
	X509_STORE_free(demands.anchors);
	sk_X509_free(certs);
	X509_free(cert);
	return err;
}

Test(x5c, accepts_a_chain_to_an_anchor)
{
	cr_assert_eq(
	    judge(signer((struct pki_certificate){ 0 }), ca, root, (struct x5c_demands){ 0 }), OK);
}

Test(x5c, accepts_a_pinned_intermediate_or_signer)
{
	X509 *cert = signer((struct pki_certificate){ 0 });

	cr_assert_eq(
	    judge(signer((struct pki_certificate){ 0 }), NULL, ca, (struct x5c_demands){ 0 }), OK);
	X509_up_ref(cert);
	cr_assert_eq(judge(cert, NULL, cert, (struct x5c_demands){ 0 }), OK);
	X509_free(cert);
}

Test(x5c, refuses_what_leads_to_no_anchor)
{
	EVP_PKEY *stranger_key = pki_key(PKI_P256);
	X509 *stranger =
	    pki_certificate(stranger_key, &(struct pki_certificate){ "root", .is_ca = true });
	X509 *no_ca = pki_certificate(
	    stranger_key, &(struct pki_certificate){ "no ca", .issuer = ca, .issuer_key = ca_key });
	struct x5c_demands any = { 0 };

	cr_assert_eq(judge(signer((struct pki_certificate){ 0 }), NULL, root, any), ERR_X5C_CHAIN);
	cr_assert_eq(
	    judge(signer((struct pki_certificate){ 0 }), ca, stranger, any), ERR_X5C_CHAIN);
	cr_assert_eq(judge(signer((struct pki_certificate){ 0 }), ca, NULL, any), ERR_X5C_CHAIN);
	cr_assert_eq(
	    judge(signer((struct pki_certificate){ .issuer = no_ca, .issuer_key = stranger_key }),
		no_ca, ca, any),
	    ERR_X5C_CHAIN, "issued by a certificate that may not issue");
	cr_assert_eq(
	    judge(signer((struct pki_certificate){ .issuer = ca, .issuer_key = stranger_key }), ca,
		root, any),
	    ERR_X5C_CHAIN, "issuer's name with another key");
	X509_free(stranger);
	X509_free(no_ca);
	EVP_PKEY_free(stranger_key);
}

Test(x5c, judges_dates_at_the_time_asked_for)
{
	struct x5c_demands later = { .at = clock_wall_s() + 31 * DAY };
	struct x5c_demands before = { .at = clock_wall_s() - 2 * DAY };
	struct x5c_demands now = { 0 };

	cr_assert_eq(
	    judge(signer((struct pki_certificate){ 0 }), ca, root, later), ERR_X5C_VALIDITY);
	cr_assert_eq(
	    judge(signer((struct pki_certificate){ 0 }), ca, root, before), ERR_X5C_VALIDITY);
	cr_assert_eq(judge(signer((struct pki_certificate){ .to_days = 90 }), ca, root, later),
	    ERR_X5C_VALIDITY, "its issuer has expired");
	cr_assert_eq(judge(signer((struct pki_certificate){ .from_days = -9, .to_days = -1 }), ca,
			 root, now),
	    ERR_X5C_VALIDITY);
	cr_assert_eq(judge(signer((struct pki_certificate){ .from_days = 1 }), ca, root, now),
	    ERR_X5C_VALIDITY);
}

Test(x5c, tells_when_the_whole_chain_is_valid)
{
	X509 *cert = signer((struct pki_certificate){ .from_days = -2, .to_days = 90 });
	STACK_OF(X509) *certs = sk_X509_new_null();
	X509_STORE *store = pki_store(ca);
	int64_t now = clock_wall_s();
	struct x5c_span span;

	cr_assert(sk_X509_push(certs, cert) > 0);
	cr_assert_eq(x5c_chain(certs, store, now, &span), OK);
	cr_assert(span.from <= now - DAY && span.from > now - DAY - 600, "the issuer's begin");
	cr_assert(span.to <= now + 30 * DAY && span.to > now + 30 * DAY - 600, "the issuer's end");
	X509_STORE_free(store);
	sk_X509_pop_free(certs, X509_free);
}

Test(x5c, demands_the_digital_signature_usage)
{
	struct x5c_demands now = { 0 };

	cr_assert_eq(judge(signer((struct pki_certificate){ .key_usage = "" }), ca, root, now),
	    ERR_X5C_USAGE);
	cr_assert_eq(judge(signer((struct pki_certificate){ .key_usage = "keyEncipherment" }), ca,
			 root, now),
	    ERR_X5C_USAGE);
	cr_assert_eq(judge(signer((struct pki_certificate){
			       .key_usage = "nonRepudiation,digitalSignature" }),
			 ca, root, now),
	    OK);
}

Test(x5c, demands_role_and_name_when_configured)
{
	struct x5c_demands role = { .role = ROLE }, name = { .common_name = "list" };
	struct x5c_demands broken = { .role = "not an oid" };

	cr_assert_eq(judge(signer((struct pki_certificate){ .role = ROLE }), ca, root, role), OK);
	cr_assert_eq(judge(signer((struct pki_certificate){ .role = ROLE ".1" }), ca, root, role),
	    ERR_X5C_ROLE);
	cr_assert_eq(judge(signer((struct pki_certificate){ 0 }), ca, root, role), ERR_X5C_ROLE);
	cr_assert_eq(judge(signer((struct pki_certificate){ .role = ROLE }), ca, root, broken),
	    ERR_X5C_ROLE);
	cr_assert_eq(judge(signer((struct pki_certificate){ "list" }), ca, root, name), OK);
	cr_assert_eq(
	    judge(signer((struct pki_certificate){ "List" }), ca, root, name), ERR_X5C_ROLE);
	cr_assert_eq(
	    judge(signer((struct pki_certificate){ "list2" }), ca, root, name), ERR_X5C_ROLE);
}

static enum err
parse(const char *json)
{
	STACK_OF(X509) *certs;
	enum err err = x5c_parse(&arena, str_z(json), &certs);

	cr_assert((err == OK) == (certs != NULL));
	sk_X509_pop_free(certs, X509_free);
	return err;
}

Test(x5c, parses_one_to_eight_certificates)
{
	char *one = pki_base64(ca), *json = NULL;

	for (int n = 0; n <= X5C_MAX + 1; n++) {
		char *longer;

		cr_assert(
		    asprintf(&longer, "%s%s\"%s\"", n > 0 ? json : "", n > 0 ? "," : "", one) > 0);
		free(json);
		json = longer;
		cr_assert(asprintf(&longer, "[%s]", json) > 0);
		cr_assert_eq(parse(longer), n < X5C_MAX ? OK : ERR_X5C_SYNTAX, "%d", n + 1);
		free(longer);
	}
	free(json);
	free(one);
}

Test(x5c, skips_line_feeds_in_a_certificate)
{
	char *one = pki_base64(ca), *json;

	cr_assert(asprintf(&json, "[\"%.64s\\n%s\\r\\n\"]", one, one + 64) > 0);
	cr_assert_eq(parse(json), OK);
	free(json);
	cr_assert(asprintf(&json, "[\"%.64s %s\"]", one, one + 64) > 0);
	cr_assert_eq(parse(json), ERR_X5C_SYNTAX);
	free(json);
	free(one);
}

Test(x5c, refuses_what_is_no_certificate)
{
	cr_assert_eq(parse(""), ERR_X5C_SYNTAX);
	cr_assert_eq(parse("[]"), ERR_X5C_SYNTAX);
	cr_assert_eq(parse("{}"), ERR_X5C_SYNTAX);
	cr_assert_eq(parse("[1]"), ERR_X5C_SYNTAX);
	cr_assert_eq(parse("[\"\"]"), ERR_X5C_SYNTAX);
	cr_assert_eq(parse("[\"AAAA\"]"), ERR_X5C_SYNTAX);
	cr_assert_eq(parse("[\"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEr+4kE7DebrmX1+"
			   "aVX7Osg9EuQM5nkrvdyVthRNmCmoM"
			   "Kyj4tiH4fvIbyp8aR89FumjwDev/E2yx1ZZgoePJVw==\"]"),
	    ERR_X5C_SYNTAX, "a bare public key, as was seen in 2023");
}

Test(x5c, refuses_bytes_behind_a_certificate)
{
	unsigned char *der = NULL;
	int n = i2d_X509(ca, &der);
	char *json, text[8192];

	der = OPENSSL_realloc(der, (size_t)n + 1);
	der[n] = 0;
	EVP_EncodeBlock((unsigned char *)text, der, n + 1);
	cr_assert(asprintf(&json, "[\"%s\"]", text) > 0);
	cr_assert_eq(parse(json), ERR_X5C_SYNTAX);
	free(json);
	OPENSSL_free(der);
}

Test(x5c, reads_anchors_from_pem_files)
{
	char path[] = "/tmp/x5c-XXXXXX";
	const char *files[] = { path, path };
	X509 *both[] = { root, ca };
	X509_STORE *store;
	enum err why;

	close(mkstemp(path));
	pki_write_pem(path, both, 2);
	store = x5c_anchors(files, 2, &why); /* the same certificate twice does no harm */
	cr_assert(store != NULL);
	cr_assert_eq(sk_X509_OBJECT_num(X509_STORE_get0_objects(store)), 2);
	X509_STORE_free(store);
	cr_assert_eq(truncate(path, 300), 0);
	cr_assert(x5c_anchors(files, 1, &why) == NULL);
	cr_assert_eq(why, ERR_X5C_SYNTAX);
	cr_assert_eq(truncate(path, 0), 0);
	cr_assert(x5c_anchors(files, 1, &why) == NULL);
	cr_assert_eq(why, ERR_X5C_SYNTAX);
	unlink(path);
	cr_assert(x5c_anchors(files, 1, &why) == NULL);
	cr_assert_eq(why, ERR_FILE);
	cr_assert_eq(errno, ENOENT);
}
