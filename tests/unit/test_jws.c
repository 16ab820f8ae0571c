/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "lib/jose/claims.h"
#include "lib/jose/jws.h"
#include "tests/unit/pki.h"

#define PEM(base64) "-----BEGIN PUBLIC KEY-----\n" base64 "\n-----END PUBLIC KEY-----\n"

/* A list token and a PASSporT with keys of their own, and RFC 8225: the example of Appendix A does
 * not verify with the key printed there, the one of section 7.1 does (erratum 5985 is about its
 * "iat"). */
static const char list_token[] =
    "eyJhbGciOiJCUDI1NlIxIiwidHlwIjoiSldUIn0."
    "eyJ2ZXJzaW9uIjo3LCJkb21haW5MaXN0IjpbeyJkb21haW4iOiJ0aW0u"
    "cHJheGlzLmV4YW1wbGUub3JnIiwidGVsZW1hdGlrSUQiOiIxLUVYQU1QTEUtMDAwMSIsImlzSW5zdXJhbmNlIjpmYWxzZX"
    "1dfQ"
    ".pdkCThyVqM-x5gRdJCZt2YgPnCl4VMiSJ1RbeQNoxzcEUSqCu0d2W6-1LFDb3DwrclDMjtUFkhUERvQsSOPYzg";
static const char list_key[] =
    PEM("MFowFAYHKoZIzj0CAQYJKyQDAwIIAQEHA0IABFDDVqgdGFxL+aArTHS4ecvk7VB/\n"
	"NmjLIy96Yic9db/nHGRe14V2RVKkNQ8TaDnQiMkHiIpjRZzasHXrfghjJsw=");
static const char passport_token[] =
    "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9yZWcuZXhhbXBsZS5vcmcvcGFzc3Bvcn"
    "Qu"
    "cGVtIn0."
    "eyJkZXN0Ijp7InVyaSI6WyJtYXRyaXg6dS9ib2I6dGltLnByYXhpcy5leGFtcGxlLm9yZyJdfSwiaWF0IjoxNzAw"
    "MDAwMDAwLCJvcmlnIjp7InVyaSI6Im1hdHJpeDp1L2FsaWNlOnRpbS5rbGluaWsuZXhhbXBsZS5vcmcifX0"
    ".M5N6lo_qLN-ihXAmK-7SItcDf_bJDX05Fn1HrQ0XghGUI4SKRaSC2d9LZMVDmg5iUS2ogQFXMK4ni8lZ1Oip4g";
static const char passport_key[] =
    PEM("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEr+4kE7DebrmX1+aVX7Osg9EuQM5\n"
	"nkrvdyVthRNmCmoMKyj4tiH4fvIbyp8aR89FumjwDev/E2yx1ZZgoePJVw==");
#define RFC_HEADER \
	"eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmV4YW1wbGUub3JnL3Bh" \
	"c3Nwb3J0" \
	"LmNlciJ9"
static const char rfc_token[] = RFC_HEADER
    ".eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6IjE0NDMyMDgzNDUiLCJvcmlnIjp7I"
    "nRu"
    "IjoiMTIxNTU1NTEyMTIifX0"
    ".rq3pjT1hoRwakEGjHCnWSwUnshd0-zJ6F1VOgFWSjHBr8Qjpjlk-cpFYpFYsojNCpTzO3QfPOlckGaS6hEck7w";
static const char rfc_appendix[] = RFC_HEADER
    ".eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6MTQ3MTM3NTQxOCwib3JpZyI6eyJ0b"
    "iI6"
    "IjEyMTU1NTUxMjEyIn19"
    ".VLBCIVDCaeK6M4hLJb6SHQvacAQVvoiiEOWQ_iUkqk79UD81fHQ0E1b3_GluIkba7UWYRM47ZbNFdOJquE35cw";
static const char rfc_key[] =
    PEM("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8HNbQd/TmvCKwPKHkMF9fScavGeH\n"
	"78YTU8qLS8I5HLHSSmlATLcslQMhNC/OhlWBYC626nIlo7XeebYS7Sb37g==");

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
}

TestSuite(jws, .init = setup, .fini = teardown);

static EVP_PKEY *
public_key(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);

	BIO_free(bio);
	cr_assert(key != NULL);
	return key;
}

static enum err
verify(const char *token, const char *pem)
{
	EVP_PKEY *key = public_key(pem);
	struct jws j;
	enum err err = jws_parse(&arena, str_z(token), &j);

	if (err == OK)
		err = jws_verify(&j, key);
	EVP_PKEY_free(key);
	return err;
}

static enum err
parse(const char *header, struct jws *out)
{
	EVP_PKEY *key = pki_key(PKI_P256);
	char *token = pki_jws(key, header, STR("{}"));
	struct str kept = arena_dup(&arena, str_z(token));
	enum err err = jws_parse(&arena, kept, out);

	free(token);
	EVP_PKEY_free(key);
	return err;
}

Test(jws, verifies_es256_and_bp256r1)
{
	cr_assert_eq(verify(list_token, list_key), OK);
	cr_assert_eq(verify(passport_token, passport_key), OK);
	cr_assert_eq(verify(rfc_token, rfc_key), OK);
	cr_assert_eq(verify(rfc_appendix, rfc_key), ERR_JWS_SIGNATURE);
}

Test(jws, refuses_a_key_of_another_curve)
{
	cr_assert_eq(verify(list_token, passport_key), ERR_X5C_CURVE);
	cr_assert_eq(verify(passport_token, list_key), ERR_X5C_CURVE);
	cr_assert_eq(verify(passport_token, rfc_key), ERR_JWS_SIGNATURE);
}

Test(jws, refuses_when_any_character_is_changed)
{
	for (size_t i = 0; i < sizeof(passport_token) - 1; i++) {
		char changed[sizeof(passport_token)];

		memcpy(changed, passport_token, sizeof(changed));
		changed[i] = changed[i] == 'A' ? 'B' : 'A';
		cr_assert_neq(verify(changed, passport_key), OK, "at %zu", i);
	}
}

Test(jws, refuses_numbers_outside_the_group)
{
	EVP_PKEY *key = public_key(passport_key);
	struct jws j;

	cr_assert_eq(jws_parse(&arena, str_z(passport_token), &j), OK);
	memset(j.sig, 0, sizeof(j.sig));
	cr_assert_eq(jws_verify(&j, key), ERR_JWS_SIGNATURE);
	memset(j.sig, 0xff, sizeof(j.sig));
	cr_assert_eq(jws_verify(&j, key), ERR_JWS_SIGNATURE);
	j.sig_len = 63;
	cr_assert_eq(jws_verify(&j, key), ERR_JWS_SIGNATURE);
	EVP_PKEY_free(key);
}

Test(jws, needs_exactly_three_parts)
{
	struct jws j;

	cr_assert_eq(jws_parse(&arena, STR(""), &j), ERR_JWS_SYNTAX);
	cr_assert_eq(jws_parse(&arena, STR("e30"), &j), ERR_JWS_SYNTAX);
	cr_assert_eq(jws_parse(&arena, STR("e30.e30"), &j), ERR_JWS_SYNTAX);
	cr_assert_eq(jws_parse(&arena, STR("e30.e30."), &j), OK, "unsigned: alg none looks so");
	cr_assert_eq(j.sig_len, 0);
	cr_assert_eq(j.alg, JWS_OTHER);
	cr_assert_eq(jws_parse(&arena, STR("e30.e30.e30.e30"), &j), ERR_JWS_SYNTAX);
	cr_assert_eq(jws_parse(&arena, STR("e30.e30.e30="), &j), ERR_JWS_SYNTAX);
	cr_assert_eq(jws_parse(&arena, STR(" e30.e30.e30"), &j), ERR_JWS_SYNTAX);
	cr_assert_eq(jws_parse(&arena, STR("..e30"), &j), ERR_JWS_SYNTAX);
	cr_assert_eq(jws_parse(&arena, STR("{\"payload\":\"e30\"}"), &j), ERR_JWS_SYNTAX);
}

Test(jws, reads_the_header_members)
{
	struct jws j;

	cr_assert_eq(parse("{\"alg\":\"ES256\",\"typ\":\"pass\\u0070ort\",\"x5u\":\"https:\\/\\/"
			   "a\",\"ppt\":\"div\","
			   "\"crit\":[],\"x5c\":[ \"AA==\" ]}",
			 &j),
	    OK);
	cr_assert_eq(j.alg, JWS_ES256);
	cr_assert(str_eq(j.typ, STR("passport")));
	cr_assert(str_eq(j.x5u, STR("https://a")));
	cr_assert(str_eq(j.ppt, STR("div")));
	cr_assert(j.has_ppt && j.has_crit);
	cr_assert(str_eq(j.x5c, STR("[\"AA==\"]")));
	cr_assert(str_eq(j.payload, STR("{}")));

	cr_assert_eq(parse("{\"alg\":\"es256\",\"ppt\":null}", &j), OK);
	cr_assert_eq(j.alg, JWS_OTHER, "names are case-sensitive");
	cr_assert(j.has_ppt);
	cr_assert_not(j.has_crit);
	cr_assert_eq(j.x5c.n, 0);
}

Test(jws, refuses_headers_that_can_be_read_in_two_ways)
{
	static const char *const bad[] = {
		"[]",
		"null",
		"{",
		"{}x",
		"{\"alg\":\"ES256\",\"alg\":\"none\"}",
		"{\"alg\":\"none\",\"\\u0061lg\":\"ES256\"}",
		"{\"alg\":256}",
		"{\"alg\":null}",
		"{\"alg\":\"ES256\",\"typ\":[]}",
		"{\"alg\":\"ES256\",\"x5u\":{}}",
		"{\"alg\":\"ES256\\u0000\"}",
		"{\"alg\":\"\xff\"}",
		"{'alg':'ES256'}",
		"{\"alg\":\"ES256\",}",
	};
	struct jws j;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(parse(bad[i], &j), ERR_JWS_SYNTAX, "%s", bad[i]);
}

Test(jws, bounds_the_header)
{
	char *header = malloc(CLAIMS_MAX + 64);
	struct jws j;

	memset(header, ' ', CLAIMS_MAX + 64);
	header[0] = '{';
	header[CLAIMS_MAX] = '}';
	header[CLAIMS_MAX + 1] = '\0';
	cr_assert_eq(parse(header, &j), ERR_JWS_SYNTAX);
	header[CLAIMS_MAX - 1] = '}';
	header[CLAIMS_MAX] = '\0';
	cr_assert_eq(parse(header, &j), OK);
	free(header);
}

Test(jws, reports_an_exhausted_arena)
{
	struct arena small;
	struct jws j;

	arena_init(&small, 64);
	cr_assert_eq(jws_parse(&small, str_z(passport_token), &j), ERR_MEMORY);
	arena_fini(&small);
}
