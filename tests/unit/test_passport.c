/* SPDX-License-Identifier: Apache-2.0 */
/* FD-5.2.1.2-15/-16, FD-5.2.1.3-6/-7, O-5, O-6, T-2. */
#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "proxy/passport.h"
#include "tests/unit/pki.h"

#define URL "https://reg.example.org/passport.pem"
#define HEADER "{\"alg\":\"ES256\",\"typ\":\"passport\",\"x5u\":\"" URL "\"}"
#define HEADER_BY_KEY "{\"alg\":\"ES256\",\"typ\":\"passport\"}"
#define ORIG "\"orig\":{\"uri\":\"matrix:u/alice:tim.klinik.example.org\"}"
#define DEST "\"dest\":{\"uri\":[\"matrix:u/bob:tim.praxis.example.org\"]}"
#define IAT "\"iat\":1700000000"
#define PAYLOAD "{" DEST "," IAT "," ORIG "}"
#define DAY (24 * 3600)

static struct arena arena;
static EVP_PKEY *ca_key, *key, *other_key;
static X509 *ca;
static X509_STORE *anchors;
static struct passport_demands demands;

static void
setup(void)
{
	log_threshold = LOG_ERROR;
	arena_init(&arena, 1 << 20);
	ca_key = pki_key(PKI_P256);
	key = pki_key(PKI_P256);
	other_key = pki_key(PKI_P256);
	ca = pki_certificate(ca_key,
	    &(struct pki_certificate){ "ca", .is_ca = true, .from_days = -400, .to_days = 400 });
	anchors = pki_store(ca);
	demands = (struct passport_demands){
		.orig = STR("@alice:tim.klinik.example.org"),
		.dest = STR("@bob:tim.praxis.example.org"),
		.max_age_s = DAY,
		.max_future_s = 60,
	};
}

static void
teardown(void)
{
	X509_STORE_free(anchors);
	X509_free(ca);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other_key);
	arena_fini(&arena);
}

TestSuite(passport, .init = setup, .fini = teardown);

/* A certificate of the store, as a file. */
struct cert {
	EVP_PKEY *key;
	const char *x5u;
	struct pki_certificate want;
	bool untrusted;
};

static struct passport_trust *
trust(const struct cert *certs, size_t n)
{
	struct passport_certificate files[8] = { 0 };
	char paths[8][32];
	struct passport_trust *t;
	enum err why;

	for (size_t i = 0; i < n; i++) {
		struct pki_certificate want = certs[i].want;
		X509 *cert;

		if (!certs[i].untrusted) {
			want.issuer = ca;
			want.issuer_key = ca_key;
		}
		cert = pki_certificate(certs[i].key, &want);
		strcpy(paths[i], "passport.XXXXXX");
		close(mkstemp(paths[i]));
		pki_write_pem(paths[i], &cert, 1);
		X509_free(cert);
		files[i] = (struct passport_certificate){ paths[i], certs[i].x5u };
	}
	t = passport_trust_new(files, n, anchors, &why);
	cr_assert(t != NULL);
	for (size_t i = 0; i < n; i++)
		unlink(paths[i]);
	return t;
}

static void
drop(struct passport_trust *t)
{
	snapshot_drop((struct snapshot *)t);
}

/* Dates of the certificates are around now, so tokens are judged now and their iat is made to fit.
 */
static char *
token_with(EVP_PKEY *with, const char *header, const char *payload)
{
	const char *iat = strstr(payload, IAT);
	char *dated, *token;

	if (iat != NULL)
		cr_assert(asprintf(&dated, "%.*s\"iat\":%lld%s", (int)(iat - payload), payload,
			      (long long)clock_wall_s(), iat + strlen(IAT)) > 0);
	else
		dated = strdup(payload);
	token = pki_jws(with, header, str_z(dated));
	free(dated);
	return token;
}

static enum err
verify_with(
    const struct cert *certs, size_t n, EVP_PKEY *with, const char *header, const char *payload)
{
	struct passport_trust *t = trust(certs, n);
	char *token = token_with(with, header, payload);
	enum err err;

	if (demands.now == 0)
		demands.now = clock_wall_s();
	err = passport_verify(&arena, t, str_z(token), &demands);
	free(token);
	drop(t);
	return err;
}

static enum err
verify(const char *header, const char *payload)
{
	struct cert good = { key, URL };

	return verify_with(&good, 1, key, header, payload);
}

static enum err
verify_cert(struct cert cert)
{
	return verify_with(&cert, 1, key, HEADER, PAYLOAD);
}

static enum err
verify_payload(const char *payload)
{
	return verify(HEADER, payload);
}

Test(passport, accepts_a_good_token)
{
	cr_assert_eq(verify(HEADER, PAYLOAD), OK);
	cr_assert_eq(
	    verify(" {\"x5u\":\"" URL "\", \"alg\":\"ES256\", \"typ\":\"passport\", \"new\":1}",
		"{ " IAT ", " ORIG ", " DEST " , \"mky\":[] }"),
	    OK, "neither order nor unknown members matter");
}

Test(passport, accepts_nothing_else_than_a_small_compact_token)
{
	struct cert good = { key, URL };
	struct passport_trust *t = trust(&good, 1);
	char *token = token_with(key, HEADER, PAYLOAD), *changed, *large;

	demands.now = clock_wall_s();
	cr_assert_eq(passport_verify(&arena, t, str_z(token), &demands), OK);
	cr_assert_eq(passport_verify(&arena, t, STR(""), &demands), ERR_PASSPORT_SYNTAX);
	cr_assert_eq(passport_verify(&arena, t, STR("a.b.c"), &demands), ERR_PASSPORT_SYNTAX);
	cr_assert_eq(passport_verify(&arena, t, STR("..c2ln"), &demands), ERR_PASSPORT_SYNTAX,
	    "compact form");
	for (int i = 0; i < 3; i++) {
		cr_assert(asprintf(&changed, "%s%c", token, " .="[i]) > 0);
		cr_assert_eq(
		    passport_verify(&arena, t, str_z(changed), &demands), ERR_PASSPORT_SYNTAX);
		free(changed);
	}
	large = malloc(PASSPORT_MAX + 1);
	memset(large, 'A', PASSPORT_MAX + 1);
	cr_assert_eq(passport_verify(&arena, t, str_of(large, PASSPORT_MAX + 1), &demands),
	    ERR_PASSPORT_SYNTAX);
	free(large);
	free(token);
	drop(t);
}

Test(passport, demands_type_algorithm_and_no_extension)
{
#define H(rest) "{\"x5u\":\"" URL "\"," rest "}"
	cr_assert_eq(verify(H("\"alg\":\"ES256\",\"typ\":\"JWT\""), PAYLOAD), ERR_PASSPORT_TYPE);
	cr_assert_eq(
	    verify(H("\"alg\":\"ES256\",\"typ\":\"Passport\""), PAYLOAD), ERR_PASSPORT_TYPE);
	cr_assert_eq(verify(H("\"alg\":\"ES256\""), PAYLOAD), ERR_PASSPORT_TYPE);
	cr_assert_eq(verify(H("\"alg\":\"none\",\"typ\":\"passport\""), PAYLOAD), ERR_PASSPORT_ALG);
	cr_assert_eq(
	    verify(H("\"alg\":\"HS256\",\"typ\":\"passport\""), PAYLOAD), ERR_PASSPORT_ALG);
	cr_assert_eq(
	    verify(H("\"alg\":\"RS256\",\"typ\":\"passport\""), PAYLOAD), ERR_PASSPORT_ALG);
	cr_assert_eq(
	    verify(H("\"alg\":\"BP256R1\",\"typ\":\"passport\""), PAYLOAD), ERR_PASSPORT_ALG);
	cr_assert_eq(verify(H("\"typ\":\"passport\""), PAYLOAD), ERR_PASSPORT_ALG);
	cr_assert_eq(
	    verify(H("\"alg\":\"ES256\",\"typ\":\"passport\",\"ppt\":\"shaken\""), PAYLOAD),
	    ERR_PASSPORT_PPT);
	cr_assert_eq(verify(H("\"alg\":\"ES256\",\"typ\":\"passport\",\"ppt\":null"), PAYLOAD),
	    ERR_PASSPORT_PPT);
	cr_assert_eq(verify(H("\"alg\":\"ES256\",\"typ\":\"passport\",\"crit\":[]"), PAYLOAD),
	    ERR_PASSPORT_PPT);
	cr_assert_eq(verify(H("\"alg\":\"ES256\",\"alg\":\"ES256\",\"typ\":\"passport\""), PAYLOAD),
	    ERR_PASSPORT_SYNTAX);
#undef H
}

Test(passport, refuses_an_unsigned_token)
{
	struct cert good = { key, URL };
	struct passport_trust *t = trust(&good, 1);
	char *token = token_with(key, "{\"alg\":\"none\",\"typ\":\"passport\"}", PAYLOAD);

	demands.now = clock_wall_s();
	strrchr(token, '.')[1] = '\0';
	cr_assert_eq(passport_verify(&arena, t, str_z(token), &demands), ERR_PASSPORT_ALG);
	free(token);
	token = token_with(key, HEADER, PAYLOAD);
	strrchr(token, '.')[1] = '\0';
	cr_assert_eq(passport_verify(&arena, t, str_z(token), &demands), ERR_PASSPORT_SIGNATURE);
	free(token);
	drop(t);
}

Test(passport, refuses_a_changed_token)
{
	struct cert good = { key, URL };
	struct passport_trust *t = trust(&good, 1);
	char *token = token_with(key, HEADER, PAYLOAD);

	demands.now = clock_wall_s();
	for (size_t i = 0; token[i] != '\0'; i++) {
		char kept = token[i];

		token[i] = kept == 'A' ? 'B' : 'A';
		cr_assert_neq(passport_verify(&arena, t, str_z(token), &demands), OK, "at %zu", i);
		token[i] = kept;
	}
	free(token);
	drop(t);
}

Test(passport, refuses_certificates_that_are_not_in_order)
{
	cr_assert_eq(verify_cert((struct cert){ key, URL }), OK);
	cr_assert_eq(verify_cert((struct cert){ key, "https://reg.example.org/other.pem" }),
	    ERR_PASSPORT_CERTIFICATE);
	cr_assert_eq(verify_cert((struct cert){ other_key, URL }), ERR_PASSPORT_SIGNATURE);
	cr_assert_eq(
	    verify_cert((struct cert){ key, URL, { .key_usage = "" } }), ERR_PASSPORT_USAGE);
	cr_assert_eq(verify_cert((struct cert){ key, URL, { .key_usage = "keyAgreement" } }),
	    ERR_PASSPORT_USAGE);
	cr_assert_eq(verify_cert((struct cert){ key, URL, { .from_days = -9, .to_days = -1 } }),
	    ERR_PASSPORT_VALIDITY);
	cr_assert_eq(
	    verify_cert((struct cert){ key, URL, { .from_days = 1 } }), ERR_PASSPORT_VALIDITY);
	cr_assert_eq(verify_cert((struct cert){ key, URL, .untrusted = true }), ERR_PASSPORT_CHAIN);
	cr_assert_eq(verify_with(NULL, 0, key, HEADER, PAYLOAD), ERR_PASSPORT_CERTIFICATE);
	cr_assert_eq(verify_with(NULL, 0, key, HEADER_BY_KEY, PAYLOAD), ERR_PASSPORT_CERTIFICATE);
}

Test(passport, refuses_keys_of_other_curves)
{
	EVP_PKEY *brainpool = pki_key(PKI_BRAINPOOL), *rsa = EVP_RSA_gen(2048);

	cr_assert_eq(verify_cert((struct cert){ brainpool, URL }), ERR_PASSPORT_USAGE);
	cr_assert_eq(verify_cert((struct cert){ rsa, URL }), ERR_PASSPORT_USAGE);
	EVP_PKEY_free(brainpool);
	EVP_PKEY_free(rsa);
}

Test(passport, judges_dates_when_used_not_when_loaded)
{
	struct cert cert = { key, URL, { .from_days = -1, .to_days = 30 } };

	demands.iat_optional = true;
	demands.now = clock_wall_s() + 31 * DAY;
	cr_assert_eq(
	    verify_with(&cert, 1, key, HEADER, "{" ORIG "," DEST "}"), ERR_PASSPORT_VALIDITY);
	cert.want = (struct pki_certificate){ .from_days = 10 };
	demands.now = clock_wall_s() + 11 * DAY;
	cr_assert_eq(verify_with(&cert, 1, key, HEADER, "{" ORIG "," DEST "}"), OK);
	demands.now = clock_wall_s() - 300 * DAY;
	cr_assert_eq(
	    verify_with(&cert, 1, key, HEADER, "{" ORIG "," DEST "}"), ERR_PASSPORT_VALIDITY);
}

Test(passport, finds_the_certificate_by_url_or_key)
{
	struct cert by_key[] = { { other_key, NULL }, { key, NULL } };
	struct cert named_other[] = { { key, "https://reg.example.org/other.pem" } };
	struct cert shadowed[] = { { key, NULL }, { other_key, URL } };
	struct cert renewed[] = { { key, URL, { .from_days = -9, .to_days = -1 } }, { key, URL } };
	struct cert two[] = { { other_key, URL }, { key, URL } };

	cr_assert_eq(verify_with(by_key, 2, key, HEADER, PAYLOAD), OK);
	cr_assert_eq(verify_with(by_key, 2, key, HEADER_BY_KEY, PAYLOAD), OK);
	cr_assert_eq(verify_with(by_key, 1, key, HEADER, PAYLOAD), ERR_PASSPORT_CERTIFICATE);
	cr_assert_eq(verify_with(by_key, 1, key, HEADER_BY_KEY, PAYLOAD), ERR_PASSPORT_SIGNATURE);
	cr_assert_eq(verify_with(named_other, 1, key, HEADER_BY_KEY, PAYLOAD), OK);
	cr_assert_eq(verify_with(named_other, 1, key, HEADER, PAYLOAD), ERR_PASSPORT_CERTIFICATE);
	cr_assert_eq(verify_with(shadowed, 2, key, HEADER, PAYLOAD), ERR_PASSPORT_SIGNATURE,
	    "only the one named so");
	cr_assert_eq(verify_with(renewed, 2, key, HEADER, PAYLOAD), OK);
	cr_assert_eq(verify_with(two, 2, key, HEADER, PAYLOAD), OK);
}

Test(passport, gives_the_reason_of_the_certificate_that_signed)
{
	struct cert certs[] = { { other_key, URL },
		{ key, URL, { .from_days = -9, .to_days = -1 } } };
	struct cert by_key[] = { { other_key }, { key, NULL, { .key_usage = "" } } };

	cr_assert_eq(verify_with(certs, 2, key, HEADER, PAYLOAD), ERR_PASSPORT_VALIDITY);
	cr_assert_eq(verify_with(by_key, 2, key, HEADER, PAYLOAD), ERR_PASSPORT_USAGE);
	cr_assert_eq(verify_with(by_key, 2, key, HEADER_BY_KEY, PAYLOAD), ERR_PASSPORT_USAGE);
}

Test(passport, trusts_no_certificate_of_the_token)
{
	X509 *cert =
	    pki_certificate(key, &(struct pki_certificate){ .issuer = ca, .issuer_key = ca_key });
	struct cert store = { other_key, NULL };
	char *x5c = pki_base64(cert), *header;

	cr_assert(asprintf(&header, "{\"alg\":\"ES256\",\"typ\":\"passport\",\"x5c\":[\"%s\"]}",
		      x5c) > 0);
	cr_assert_eq(verify_with(&store, 1, key, header, PAYLOAD), ERR_PASSPORT_SIGNATURE);
	free(header);
	free(x5c);
	X509_free(cert);
}

Test(passport, demands_the_inviting_user)
{
#define P(orig) "{" DEST "," IAT "," orig "}"
	cr_assert_eq(
	    verify_payload(P("\"orig\":{\"uri\":\"matrix:u/mallory:tim.klinik.example.org\"}")),
	    ERR_PASSPORT_ORIG);
	cr_assert_eq(
	    verify_payload(P("\"orig\":{\"uri\":\"matrix:u/Alice:tim.klinik.example.org\"}")),
	    ERR_PASSPORT_ORIG);
	cr_assert_eq(verify_payload(P("\"orig\":{\"uri\":\"matrix:u/alice:example.org\"}")),
	    ERR_PASSPORT_ORIG);
	cr_assert_eq(
	    verify_payload(P("\"orig\":{\"uri\":\"matrix:r/alice:tim.klinik.example.org\"}")),
	    ERR_PASSPORT_ORIG);
	cr_assert_eq(verify_payload(P("\"orig\":{\"uri\":\"sip:alice@tim.klinik.example.org\"}")),
	    ERR_PASSPORT_ORIG);
	cr_assert_eq(verify_payload(P("\"orig\":{\"uri\":\"\"}")), ERR_PASSPORT_ORIG);
	cr_assert_eq(verify_payload(P("\"orig\":{\"tn\":\"12155551212\"}")), ERR_PASSPORT_ORIG);
	cr_assert_eq(
	    verify_payload(P("\"orig\":{\"uri\":\"matrix:u/al%69ce:TIM.klinik.example.org\"}")),
	    OK);
	cr_assert_eq(verify_payload(P("\"orig\":{\"uri\":\"@alice:tim.klinik.example.org\"}")), OK);
#undef P
}

Test(passport, demands_the_invited_user)
{
#define P(dest) "{" dest "," IAT "," ORIG "}"
	cr_assert_eq(
	    verify_payload(P("\"dest\":{\"uri\":[\"matrix:u/mallory:tim.praxis.example.org\"]}")),
	    ERR_PASSPORT_DEST);
	cr_assert_eq(
	    verify_payload(P("\"dest\":{\"uri\":[\"matrix:u/alice:tim.klinik.example.org\"]}")),
	    ERR_PASSPORT_DEST);
	cr_assert_eq(verify_payload(P("\"dest\":{\"uri\":[]}")), ERR_PASSPORT_DEST);
	cr_assert_eq(verify_payload(P("\"dest\":{\"tn\":[\"12155551212\"]}")), ERR_PASSPORT_DEST);
	cr_assert_eq(verify_payload(P("\"dest\":{\"uri\":[\"sip:x@y\",\"matrix:u/"
				      "bob:tim.PRAXIS.example.org\"],\"tn\":[]}")),
	    OK);
#undef P
}

Test(passport, refuses_claims_of_another_form)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{" DEST "," IAT "}",
		"{" ORIG "," IAT "}",
		"{" DEST "," IAT ",\"orig\":{}}",
		"{" DEST "," IAT ",\"orig\":\"@alice:tim.klinik.example.org\"}",
		"{" DEST "," IAT ",\"orig\":{\"uri\":[\"matrix:u/alice:tim.klinik.example.org\"]}}",
		"{" DEST "," IAT
		",\"orig\":{\"uri\":\"matrix:u/alice:tim.klinik.example.org\",\"tn\":\"1\"}}",
		"{" DEST "," IAT ",\"orig\":{\"tn\":1}}",
		"{" DEST "," IAT "," ORIG "," ORIG "}",
		"{" DEST "," DEST "," IAT "," ORIG "}",
		"{" ORIG "," IAT ",\"dest\":{}}",
		"{" ORIG "," IAT ",\"dest\":[\"matrix:u/bob:tim.praxis.example.org\"]}",
		"{" ORIG "," IAT ",\"dest\":{\"uri\":\"matrix:u/bob:tim.praxis.example.org\"}}",
		"{" ORIG "," IAT
		",\"dest\":{\"uri\":{\"0\":\"matrix:u/bob:tim.praxis.example.org\"}}}",
		"{" ORIG "," IAT ",\"dest\":{\"uri\":[1,\"matrix:u/bob:tim.praxis.example.org\"]}}",
		"{" ORIG "," IAT
		",\"dest\":{\"uri\":[\"matrix:u/bob:tim.praxis.example.org\",null]}}",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(verify_payload(bad[i]), ERR_PASSPORT_SYNTAX, "%s", bad[i]);
}

static enum err
verify_iat(int64_t iat)
{
	char payload[512];

	snprintf(payload, sizeof(payload), "{" DEST ",\"iat\":%lld," ORIG "}", (long long)iat);
	return verify_payload(payload);
}

Test(passport, demands_a_recent_time_of_issue)
{
	int64_t now = demands.now = clock_wall_s();

	cr_assert_eq(verify_payload("{" DEST "," ORIG "}"), ERR_PASSPORT_IAT);
	cr_assert_eq(
	    verify_payload("{" DEST ",\"iat\":\"1443208345\"," ORIG "}"), ERR_PASSPORT_IAT);
	cr_assert_eq(verify_payload("{" DEST ",\"iat\":null," ORIG "}"), ERR_PASSPORT_IAT);
	cr_assert_eq(verify_iat(now + 60), OK);
	cr_assert_eq(verify_iat(now + 61), ERR_PASSPORT_FUTURE);
	cr_assert_eq(verify_iat(now - DAY), OK);
	cr_assert_eq(verify_iat(now - DAY - 1), ERR_PASSPORT_OLD);
	cr_assert_eq(verify_iat(0), ERR_PASSPORT_OLD);
	cr_assert_eq(verify_iat(-1), ERR_PASSPORT_OLD);
	cr_assert_eq(verify_payload("{" DEST ",\"iat\":1e300," ORIG "}"), ERR_PASSPORT_FUTURE);
	demands.max_age_s = 0;
	cr_assert_eq(verify_iat(0), OK, "no limit of age");
}

Test(passport, accepts_a_token_without_time_only_if_configured)
{
	demands.iat_optional = true;
	cr_assert_eq(verify_payload("{" DEST "," ORIG "}"), OK);
	cr_assert_eq(
	    verify_payload("{" DEST ",\"iat\":\"1443208345\"," ORIG "}"), ERR_PASSPORT_IAT);
	cr_assert_eq(verify_payload("{" DEST ",\"iat\":1," ORIG "}"), ERR_PASSPORT_OLD);
}

Test(passport, accepts_reals_as_time)
{
	char payload[512];

	snprintf(payload, sizeof(payload), "{" DEST ",\"iat\":%lld.75," ORIG "}",
	    (long long)clock_wall_s());
	cr_assert_eq(verify_payload(payload), OK);
}

Test(passport, reports_the_first_reason_in_order)
{
	struct cert bad = { other_key, URL, { .key_usage = "", .from_days = -9, .to_days = -1 },
		.untrusted = true };

	cr_assert_eq(verify_with(&bad, 1, key, "{\"alg\":\"RS256\",\"typ\":\"x\",\"ppt\":1}", "{}"),
	    ERR_PASSPORT_SYNTAX);
	cr_assert_eq(
	    verify_with(&bad, 1, key, "{\"alg\":\"RS256\",\"typ\":\"x\",\"ppt\":1}", PAYLOAD),
	    ERR_PASSPORT_TYPE);
	cr_assert_eq(verify_with(&bad, 1, key, "{\"alg\":\"RS256\",\"typ\":\"passport\",\"ppt\":1}",
			 PAYLOAD),
	    ERR_PASSPORT_ALG);
	cr_assert_eq(verify_with(&bad, 1, key, HEADER, PAYLOAD), ERR_PASSPORT_USAGE);
	bad.want.key_usage = NULL;
	cr_assert_eq(verify_with(&bad, 1, key, HEADER, PAYLOAD), ERR_PASSPORT_VALIDITY);
	bad.want = (struct pki_certificate){ 0 };
	cr_assert_eq(verify_with(&bad, 1, key, HEADER, PAYLOAD), ERR_PASSPORT_CHAIN);
	bad.untrusted = false;
	cr_assert_eq(verify_with(&bad, 1, key, HEADER, PAYLOAD), ERR_PASSPORT_SIGNATURE);
	bad.key = key;
	demands.orig = demands.dest = STR("@x:y");
	cr_assert_eq(verify_with(&bad, 1, key, HEADER, "{" ORIG "," DEST "}"), ERR_PASSPORT_ORIG);
	demands.orig = STR("@alice:tim.klinik.example.org");
	cr_assert_eq(verify_with(&bad, 1, key, HEADER, "{" ORIG "," DEST "}"), ERR_PASSPORT_DEST);
	demands.dest = STR("@bob:tim.praxis.example.org");
	cr_assert_eq(verify_with(&bad, 1, key, HEADER, "{" ORIG "," DEST "}"), ERR_PASSPORT_IAT);
}

/* A fixed token with a fixed key; only the certificate around the key is new. */
Test(passport, accepts_the_fixed_vector)
{
	static const char token[] =
	    "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9yZWcuZXhhbXBsZS5vcmcvcG"
	    "Fzc3Bv"
	    "cnQucGVtIn0."
	    "eyJkZXN0Ijp7InVyaSI6WyJtYXRyaXg6dS9ib2I6dGltLnByYXhpcy5leGFtcGxlLm9yZyJdfSwiaWF0"
	    "IjoxNzAwMDAwMDAwLCJvcmlnIjp7InVyaSI6Im1hdHJpeDp1L2FsaWNlOnRpbS5rbGluaWsuZXhhbXBsZS5vcm"
	    "cifX0"
	    ".M5N6lo_qLN-ihXAmK-7SItcDf_"
	    "bJDX05Fn1HrQ0XghGUI4SKRaSC2d9LZMVDmg5iUS2ogQFXMK4ni8lZ1Oip4g";
	static const char pem[] =
	    "-----BEGIN PUBLIC KEY-----\n"
	    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEr+4kE7DebrmX1+aVX7Osg9EuQM5\n"
	    "nkrvdyVthRNmCmoMKyj4tiH4fvIbyp8aR89FumjwDev/E2yx1ZZgoePJVw==\n"
	    "-----END PUBLIC KEY-----\n";
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *fixed = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	struct cert cert = { fixed, URL };
	struct passport_trust *t;

	cr_assert(fixed != NULL);
	t = trust(&cert, 1);
	demands.now = clock_wall_s();
	demands.max_age_s = 0;
	cr_assert_eq(passport_verify(&arena, t, str_z(token), &demands), OK);
	demands.max_age_s = DAY;
	cr_assert_eq(passport_verify(&arena, t, str_z(token), &demands), ERR_PASSPORT_OLD);
	drop(t);
	EVP_PKEY_free(fixed);
	BIO_free(bio);
}

Test(passport, uses_intermediates_of_the_file)
{
	EVP_PKEY *sub_key = pki_key(PKI_P256);
	X509 *chain[2];
	char path[] = "passport.XXXXXX";
	struct passport_certificate file = { path, NULL };
	struct passport_trust *t;
	char *token = token_with(key, HEADER, PAYLOAD);
	enum err why;

	chain[1] = pki_certificate(sub_key,
	    &(struct pki_certificate){ "sub", .is_ca = true, .issuer = ca, .issuer_key = ca_key });
	chain[0] = pki_certificate(
	    key, &(struct pki_certificate){ "signer", .issuer = chain[1], .issuer_key = sub_key });
	close(mkstemp(path));
	demands.now = clock_wall_s();
	for (size_t n = 1; n <= 2; n++) {
		pki_write_pem(path, chain, n);
		t = passport_trust_new(&file, 1, anchors, &why);
		cr_assert(t != NULL);
		cr_assert_eq(passport_verify(&arena, t, str_z(token), &demands),
		    n == 2 ? OK : ERR_PASSPORT_CHAIN);
		drop(t);
	}
	t = passport_trust_new(&file, 1, NULL, &why);
	cr_assert_eq(passport_verify(&arena, t, str_z(token), &demands), ERR_PASSPORT_CHAIN,
	    "no anchors at all");
	drop(t);
	unlink(path);
	X509_free(chain[0]);
	X509_free(chain[1]);
	EVP_PKEY_free(sub_key);
	free(token);
}

Test(passport, reports_files_that_cannot_be_read)
{
	char path[] = "passport.XXXXXX";
	struct passport_certificate file = { path, URL };
	enum err why = OK;

	close(mkstemp(path));
	cr_assert(passport_trust_new(&file, 1, anchors, &why) == NULL);
	cr_assert_eq(why, ERR_X5C_SYNTAX);
	unlink(path);
	cr_assert(passport_trust_new(&file, 1, anchors, &why) == NULL);
	cr_assert_eq(why, ERR_FILE);
	cr_assert_eq(errno, ENOENT);
}

Test(passport, reports_an_exhausted_arena)
{
	struct cert good = { key, URL };
	struct passport_trust *t = trust(&good, 1);
	char *token = token_with(key, HEADER, PAYLOAD);
	struct arena small;

	arena_init(&small, 64);
	demands.now = clock_wall_s();
	cr_assert_eq(passport_verify(&small, t, str_z(token), &demands), ERR_MEMORY);
	arena_fini(&small);
	free(token);
	drop(t);
}
