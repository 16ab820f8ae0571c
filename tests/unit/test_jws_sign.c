/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that are made: ES256 as raw r||s, RS256 (RFC 7515 Appendix A.2 and A.3 in method). */
#include <criterion/criterion.h>
#include <openssl/rsa.h>

#include "lib/base/base64.h"
#include "lib/jose/jws.h"
#include "lib/jose/jws_sign.h"
#include "tests/unit/pki.h"

#define PAYLOAD STR("{\"iss\":\"x\",\"iat\":1}")

static struct arena arena;

static void
setup(void)
{
	arena_init(&arena, 1 << 20);
}

static void
teardown(void)
{
	arena_fini(&arena);
	arena_drop_cache();
}

TestSuite(jws_sign, .init = setup, .fini = teardown);

/* Whether OpenSSL takes the signature, as it comes, for what precedes it. */
static bool
verifies(struct str token, EVP_PKEY *key)
{
	struct jws_parts parts;
	unsigned char sig[1024];
	size_t n;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good;

	cr_assert(jws_split(token, &parts));
	cr_assert(base64url_decode(parts.sig, sig, sizeof(sig), &n));
	good = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	       EVP_DigestVerify(ctx, sig, n, (const unsigned char *)token.p,
		   (size_t)(parts.sig.p - token.p) - 1) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

Test(jws_sign, rs256_is_pkcs1_over_header_and_payload)
{
	EVP_PKEY *key = EVP_RSA_gen(2048), *other = EVP_RSA_gen(2048);
	struct str token = jws_sign_rs256(&arena, STR("{\"alg\":\"RS256\"}"), PAYLOAD, key);
	struct jws j;

	cr_assert_gt(token.n, 0);
	cr_assert_eq(jws_parse(&arena, token, &j), OK);
	cr_assert(str_eq(j.header, STR("{\"alg\":\"RS256\"}")));
	cr_assert(str_eq(j.payload, PAYLOAD));
	cr_assert(verifies(token, key));
	cr_assert_not(verifies(token, other));
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}

Test(jws_sign, rs256_wants_a_long_private_rsa_key)
{
	EVP_PKEY *ec = pki_key(PKI_P256), *shorter = EVP_RSA_gen(1024), *rsa = EVP_RSA_gen(2048);
	unsigned char *der = NULL;
	const unsigned char *p;
	int n = i2d_PUBKEY(rsa, &der);
	EVP_PKEY *public = (p = der, d2i_PUBKEY(NULL, &p, n));

	cr_assert_not_null(public);
	cr_assert_null(jws_sign_rs256(&arena, STR("{}"), PAYLOAD, ec).p);
	cr_assert_null(jws_sign_rs256(&arena, STR("{}"), PAYLOAD, shorter).p);
	cr_assert_null(jws_sign_rs256(&arena, STR("{}"), PAYLOAD, public).p);
	cr_assert_null(jws_sign_es256(&arena, STR("{}"), PAYLOAD, rsa).p);
	OPENSSL_free(der);
	EVP_PKEY_free(public);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(shorter);
	EVP_PKEY_free(ec);
}

Test(jws_sign, es256_is_raw)
{
	EVP_PKEY *key = pki_key(PKI_P256);
	struct jws j;
	struct str token;

	for (size_t i = 0; i < 200; i++) { /* also where r or s is short */
		token = jws_sign_es256(&arena, STR("{\"alg\":\"ES256\"}"), PAYLOAD, key);
		cr_assert_eq(jws_parse(&arena, token, &j), OK);
		cr_assert_eq(j.sig_len, 64);
		cr_assert_eq(jws_verify(&j, key), OK);
	}
	EVP_PKEY_free(key);
}

Test(jws_sign, no_memory_no_token)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	struct arena small;

	arena_init(&small, 64);
	cr_assert_null(jws_sign_rs256(&small, STR("{}"), PAYLOAD, key).p);
	arena_fini(&small);
	EVP_PKEY_free(key);
}
