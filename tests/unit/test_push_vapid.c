/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "lib/base/arena.h"
#include "lib/jose/jws.h"
#include "pushgw/providers/vapid.h"
#include "tests/unit/pki.h"

#define NOW 1800000000
#define ORIGIN STR("https://push.example:8443")

static EVP_PKEY *key;
static struct vapid *vapid;
static struct arena arena;

static void
begin(void)
{
	key = pki_key(PKI_P256);
	vapid = vapid_new(key, "mailto:push@example.org");
	cr_assert_not_null(vapid);
	arena_init(&arena, 1 << 20);
}

static void
end(void)
{
	vapid_free(vapid);
	EVP_PKEY_free(key);
	arena_fini(&arena);
}

TestSuite(push_vapid, .init = begin, .fini = end);

/* A copy, as the original lasts until the next call only. */
static const char *
field(struct str origin, int64_t now)
{
	const char *f = vapid_field(vapid, origin, now);

	cr_assert_not_null(f);
	return arena_z(&arena, str_z(f));
}

static void
is_token(const char *text, const char *claims, const char *k)
{
	struct str scheme = STR("Authorization: vapid t="), token, rest;
	struct jws j;

	cr_assert(str_has_prefix(str_z(text), scheme), "%s", text);
	cr_assert(str_cut(str_from(str_z(text), scheme.n), ',', &token, &rest));
	cr_assert(str_has_prefix(rest, STR(" k=")));
	if (k != NULL)
		cr_assert(str_eq(str_from(rest, 3), str_z(k)));
	cr_assert_eq(rest.n - 3, 87);
	cr_assert_eq(jws_parse(&arena, token, &j), OK);
	cr_assert(str_eq(j.header, STR("{\"typ\":\"JWT\",\"alg\":\"ES256\"}")));
	cr_assert(str_eq(j.payload, str_z(claims)), STR_FMT, STR_ARG(j.payload));
	cr_assert_eq(jws_verify(&j, key), OK);
}

Test(push_vapid, signs_for_the_origin_with_our_contact)
{
	is_token(field(ORIGIN, NOW),
	    "{\"aud\":\"https://push.example:8443\",\"exp\":1800043200,"
	    "\"sub\":\"mailto:push@example.org\"}",
	    NULL);
}

Test(push_vapid, uses_a_token_again_for_half_of_its_life)
{
	const char *first = field(ORIGIN, NOW);

	cr_assert_str_eq(field(ORIGIN, NOW + VAPID_LIFE_S / 2 - 1), first);
	cr_assert_str_neq(field(ORIGIN, NOW + VAPID_LIFE_S / 2), first);
}

Test(push_vapid, signs_anew_when_the_clock_was_put_back)
{
	const char *first = field(ORIGIN, NOW);
	const char *second = field(ORIGIN, NOW - 86400);

	cr_assert_str_neq(second, first);
	is_token(second,
	    "{\"aud\":\"https://push.example:8443\",\"exp\":1799956800,"
	    "\"sub\":\"mailto:push@example.org\"}",
	    NULL);
}

Test(push_vapid, has_a_token_for_each_origin_and_keeps_those_used_last)
{
	const char *first = field(ORIGIN, NOW), *second = field(STR("https://b"), NOW);
	char origin[64];

	cr_assert_str_neq(first, second);
	for (int i = 0; i < VAPID_ORIGINS - 1; i++) {
		snprintf(origin, sizeof(origin), "https://%d", i);
		field(str_z(origin), NOW);
		cr_assert_str_eq(field(ORIGIN, NOW), first, "it is used all the time");
	}
	cr_assert_str_neq(field(STR("https://b"), NOW), second, "it was not");
}

Test(push_vapid, writes_the_public_key_in_full_whatever_the_form_of_the_file)
{
	const char *whole = field(ORIGIN, NOW);
	char *k = strstr(whole, ", k=") + 4;

	cr_assert_eq(EVP_PKEY_set_utf8_string_param(
			 key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "compressed"),
	    1);
	vapid_free(vapid);
	vapid = vapid_new(key, "https://example.org/");
	cr_assert_not_null(vapid);
	is_token(field(ORIGIN, NOW),
	    "{\"aud\":\"https://push.example:8443\",\"exp\":1800043200,\"sub\":\"https://"
	    "example.org/\"}",
	    k);
}

Test(push_vapid, needs_a_key_on_p_256)
{
	EVP_PKEY *other = pki_key(PKI_BRAINPOOL);

	cr_assert_null(vapid_new(other, "mailto:a@b"));
	EVP_PKEY_free(other);
	other = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	cr_assert_null(vapid_new(other, "mailto:a@b"));
	EVP_PKEY_free(other);
}
