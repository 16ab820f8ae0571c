/* SPDX-License-Identifier: Apache-2.0 */
/* Device tokens in the path, and provider tokens: their form, their life, who shares them. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/base/buf.h"
#include "lib/jose/claims.h"
#include "lib/jose/jws.h"
#include "pushgw/providers/apns_pushkey.h"
#include "pushgw/providers/apns_token.h"
#include "tests/unit/pki.h"

#define MINUTE 60000
#define NOW 1000000
#define WALL 1700000000

static EVP_PKEY *key;
static struct apns_key *k;
static struct apns_moment at;
static char text[2048];

static void
setup(void)
{
	key = pki_key(PKI_P256);
	k = apns_key_join("TEAM123456", "KEY1234567", key);
	cr_assert_not_null(k);
	at = (struct apns_moment){ NOW, WALL };
}

static void
teardown(void)
{
	apns_key_leave(k);
	EVP_PKEY_free(key);
	arena_drop_cache();
	buf_drop_cache();
}

TestSuite(push_apns_token, .init = setup, .fini = teardown);

static void
pass(clock_ms ms)
{
	at.now += ms;
	at.wall_s += (int64_t)ms / 1000;
}

/* The generation of the token at hand, which is copied to `text`. */
static unsigned
get(void)
{
	struct apns_provider_token t;

	cr_assert(apns_token_get(k, &at, &t));
	snprintf(text, sizeof(text), "%s", t.text);
	return t.generation;
}

static void
assert_text(const struct claims *o, const char *name, const char *want)
{
	struct str s;

	cr_assert(claims_text(claims_get(o, name), &s), "%s", name);
	cr_assert(str_eq(s, str_z(want)), "%s", name);
}

Test(push_apns_token, is_what_apple_wants)
{
	struct claims *header, *payload;
	struct arena a;
	struct jws j;
	double iat;

	get();
	arena_init(&a, 1 << 16);
	cr_assert_eq(jws_parse(&a, str_z(text), &j), OK);
	cr_assert_eq(j.sig_len, 64, "r||s and not DER");
	cr_assert_eq(jws_verify(&j, key), OK);
	header = claims_read_object(j.header);
	payload = claims_read_object(j.payload);
	cr_assert_eq(claims_members(header), 2);
	assert_text(header, "alg", "ES256");
	assert_text(header, "kid", "KEY1234567");
	cr_assert_eq(claims_members(payload), 2);
	assert_text(payload, "iss", "TEAM123456");
	cr_assert(claims_number(claims_get(payload, "iat"), &iat));
	cr_assert_eq((int64_t)iat, WALL);
	claims_free(header);
	claims_free(payload);
	arena_fini(&a);
}

Test(push_apns_token, counts_for_45_minutes)
{
	unsigned first = get();
	char before[sizeof(text)];

	memcpy(before, text, sizeof(text));
	pass(45 * MINUTE - 1000);
	cr_assert_eq(get(), first);
	cr_assert_str_eq(text, before);
	pass(1000);
	cr_assert_neq(get(), first);
	cr_assert_str_neq(text, before);
}

Test(push_apns_token, is_never_renewed_within_20_minutes)
{
	unsigned first = get();

	pass(5 * MINUTE);
	cr_assert_eq(apns_token_expired(k, first, at.now), 15 * MINUTE);
	cr_assert_eq(get(), first);
	pass(15 * MINUTE - 1);
	cr_assert_eq(apns_token_expired(k, first, at.now), 1);
	cr_assert_eq(get(), first);
	pass(1);
	cr_assert_eq(apns_token_expired(k, first, at.now), 0);
	cr_assert_neq(get(), first);
	/* of the old one, which others had sent too */
	cr_assert_eq(apns_token_expired(k, first, at.now), 0);
	cr_assert_eq(get(), first + 1);
}

Test(push_apns_token, a_wrong_clock_was_put_right)
{
	unsigned first = get();

	at.wall_s -= 86400;
	pass(20 * MINUTE - 1000);
	cr_assert_eq(get(), first);
	pass(1000);
	cr_assert_eq(get(), first + 1);
	/* and while the machine slept, only the wall clock went on */
	pass(20 * MINUTE);
	cr_assert_eq(get(), first + 1);
	at.wall_s += 45 * 60;
	cr_assert_eq(get(), first + 2);
}

Test(push_apns_token, is_shared_by_team_and_key)
{
	EVP_PKEY *other = pki_key(PKI_P256);
	struct apns_key *same = apns_key_join("TEAM123456", "KEY1234567", key),
			*team = apns_key_join("TEAM999999", "KEY1234567", key),
			*id = apns_key_join("TEAM123456", "KEY9999999", key),
			*renewed = apns_key_join("TEAM123456", "KEY1234567", other);

	cr_assert_eq(same, k);
	cr_assert_neq(team, k);
	cr_assert_neq(id, k);
	cr_assert_neq(renewed, k, "another key behind the same name");
	get();
	apns_key_leave(k); /* a reload: the new one has joined before */
	k = same;
	cr_assert_eq(get(), 1);
	apns_key_leave(team);
	apns_key_leave(id);
	apns_key_leave(renewed);
	EVP_PKEY_free(other);
	apns_key_leave(NULL);
}

Test(push_apns_token, needs_an_ec_key)
{
	EVP_PKEY *brainpool = pki_key(PKI_BRAINPOOL);
	struct apns_key *wrong = apns_key_join("T", "K", brainpool);
	struct apns_provider_token t;

	cr_assert_not(apns_token_get(wrong, &at, &t));
	apns_key_leave(wrong);
	EVP_PKEY_free(brainpool);
}

/* --- pushkeys --- */

#define HEX64 "00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00FF"
#define HEX64_LOWER "00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff"
#define BASE64_32 "AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8="

Test(push_apns_pushkey, forms)
{
	static const struct {
		const char *pushkey;
		enum apns_token form;
		const char *hex; /* NULL: none */
	} cases[] = {
		{ HEX64, APNS_TOKEN_AUTO, HEX64_LOWER },
		{ HEX64, APNS_TOKEN_HEX, HEX64_LOWER },
		{ BASE64_32, APNS_TOKEN_AUTO, HEX64_LOWER },
		{ BASE64_32, APNS_TOKEN_BASE64, HEX64_LOWER },
		{ "AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8", APNS_TOKEN_AUTO, HEX64_LOWER },
		{ "AP8A_wD_AP8A_wD_AP8A_wD_AP8A_wD_AP8A_wD_AP8", APNS_TOKEN_AUTO, HEX64_LOWER },
		{ BASE64_32, APNS_TOKEN_HEX, NULL },
		{ "abcd", APNS_TOKEN_AUTO, "abcd" },
		{ "abcd", APNS_TOKEN_BASE64, "69b71d" },
		{ "abc", APNS_TOKEN_HEX, NULL },
		{ "", APNS_TOKEN_AUTO, NULL },
		{ "", APNS_TOKEN_HEX, NULL },
		{ "", APNS_TOKEN_BASE64, NULL },
		{ "../../x", APNS_TOKEN_AUTO, NULL },
		{ "ab/../cd?", APNS_TOKEN_AUTO, NULL },
		{ "ab\r\ncd==", APNS_TOKEN_AUTO, NULL },
		{ "a b=", APNS_TOKEN_AUTO, NULL },
		{ "0x12", APNS_TOKEN_HEX, NULL },
	};
	char out[APNS_PATH_TOKEN_MAX + 1];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bool good = apns_pushkey_hex(str_z(cases[i].pushkey), cases[i].form, out);

		cr_assert_eq(good, cases[i].hex != NULL, "%s", cases[i].pushkey);
		if (good)
			cr_assert_str_eq(out, cases[i].hex, "%s", cases[i].pushkey);
	}
}

Test(push_apns_pushkey, only_hexadecimal_digits_whatever_comes)
{
	char pushkey[3], out[APNS_PATH_TOKEN_MAX + 1];

	for (unsigned a = 0; a < 65536; a++) {
		pushkey[0] = (char)(a >> 8);
		pushkey[1] = (char)a;
		for (enum apns_token form = APNS_TOKEN_AUTO; form <= APNS_TOKEN_BASE64; form++)
			if (apns_pushkey_hex(str_of(pushkey, 2), form, out))
				cr_assert_eq(strspn(out, "0123456789abcdef"), strlen(out));
	}
}

Test(push_apns_pushkey, length)
{
	char pushkey[APNS_PATH_TOKEN_MAX + 4], out[APNS_PATH_TOKEN_MAX + 1];

	memset(pushkey, 'a', sizeof(pushkey));
	cr_assert(apns_pushkey_hex(str_of(pushkey, APNS_PATH_TOKEN_MAX), APNS_TOKEN_HEX, out));
	cr_assert_eq(strlen(out), APNS_PATH_TOKEN_MAX);
	cr_assert_not(
	    apns_pushkey_hex(str_of(pushkey, APNS_PATH_TOKEN_MAX + 2), APNS_TOKEN_HEX, out));
	cr_assert(apns_pushkey_hex(str_of(pushkey, 132), APNS_TOKEN_BASE64, out));
	cr_assert_not(apns_pushkey_hex(str_of(pushkey, 136), APNS_TOKEN_BASE64, out));
}
