/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption of pushes: the examples of RFC 8188 and RFC 8291, and what devices make of ours. */
#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <sodium.h>

#include "tests/unit/eceopen.h"

static struct buf out;

static void
begin(void)
{
	buf_init(&out, ECE_BODY_MAX);
}

static void
end(void)
{
	buf_fini(&out);
}

TestSuite(push_ece, .init = begin, .fini = end);

static size_t
bytes(const char *text, void *to, size_t cap)
{
	size_t n;

	cr_assert_eq(sodium_base642bin(to, cap, text, strlen(text), NULL, &n, NULL,
			 sodium_base64_VARIANT_URLSAFE_NO_PADDING),
	    0);
	return n;
}

static void
is_out(const char *text)
{
	char got[6000];

	sodium_bin2base64(got, sizeof(got), (const unsigned char *)buf_str(&out).p, buf_len(&out),
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	cr_assert_str_eq(got, text);
}

Test(push_ece, makes_the_record_of_rfc_8188)
{
	uint8_t salt[ECE_SALT];
	char key[16];

	bytes("I1BsxtFttlv3u_Oo94xnmw", salt, sizeof(salt));
	bytes("yqdlZ-tYemfogSmv7Ws5PQ", key, sizeof(key));
	cr_assert(ece_record(str_of(key, 16), salt, STR_NONE, STR("I am the walrus"), 15, &out));
	is_out("I1BsxtFttlv3u_Oo94xnmwAAEAAA-NAVub2qFgBEuQKRapoZu-IxkIva3MEB1PD-ly8Thjg");
}

#define UA_PUBLIC \
	"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
#define UA_AUTH "BTBZMqHH6r4Tts7J_aSIgg"

static EVP_PKEY *
private_key(const char *scalar, const char *point)
{
	uint8_t d[32], q[ECE_POINT];
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;
	BIGNUM *number;

	bytes(scalar, d, sizeof(d));
	bytes(point, q, sizeof(q));
	number = BN_bin2bn(d, sizeof(d), NULL);
	OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
	OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, q, sizeof(q));
	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, number);
	params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_fromdata_init(ctx);
	cr_assert_eq(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(ctx);
	BN_free(number);
	return key;
}

Test(push_ece, makes_the_message_of_rfc_8291)
{
	EVP_PKEY *sender = private_key("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw",
	    "BP4z9KsN6nGRTbVYI_"
	    "c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8");
	const struct str text = STR("When I grow up, I want to be a watermelon");
	struct ece_keys keys;
	uint8_t salt[ECE_SALT];

	bytes("DGv6ra1nlYgDCS1FRnbzlw", salt, sizeof(salt));
	cr_assert(ece_keys_read(&keys, STR(UA_PUBLIC), STR(UA_AUTH)));
	cr_assert(ece_seal_with(&keys, sender, salt, text, text.n, &out));
	cr_assert_eq(buf_len(&out), 144);
	is_out("DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYL"
	       "ocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyou"
	       "BWLVWGNWQexSgSxsj_Qulcy4a-fN");
	EVP_PKEY_free(sender);
}

Test(push_ece, is_read_by_the_device_alone_whatever_the_padding)
{
	static const size_t padded[] = { 5, 6, 1024, ECE_TEXT_MAX };
	struct ece_device device, other;
	char text[ECE_TEXT_MAX + 1];

	ece_device_make(&device);
	ece_device_make(&other);
	for (size_t i = 0; i < sizeof(padded) / sizeof(*padded); i++) {
		buf_consume(&out, buf_len(&out));
		cr_assert(ece_seal(&device.keys, STR("hello"), padded[i], &out));
		cr_assert_eq(buf_len(&out), padded[i] + 103);
		cr_assert(ece_open(&device, buf_str(&out), text));
		cr_assert_str_eq(text, "hello");
		cr_assert(!ece_open(&other, buf_str(&out), text));
	}
	cr_assert_eq(buf_len(&out), ECE_BODY_MAX);
	ece_device_end(&device);
	ece_device_end(&other);
}

Test(push_ece, draws_key_and_salt_for_each_message)
{
	struct ece_device device;
	struct str first, second;
	static char kept[ECE_BODY_MAX];

	ece_device_make(&device);
	cr_assert(ece_seal(&device.keys, STR("hello"), 5, &out));
	first = str_of(kept, buf_len(&out));
	str_put(kept, buf_str(&out));
	buf_consume(&out, buf_len(&out));
	cr_assert(ece_seal(&device.keys, STR("hello"), 5, &out));
	second = buf_str(&out);
	cr_assert_neq(memcmp(first.p, second.p, ECE_SALT), 0);
	cr_assert_neq(memcmp(first.p + 21, second.p + 21, ECE_POINT), 0);
	cr_assert_eq(memcmp(first.p + 16, second.p + 16, 5), 0, "size of records, length of key");
	ece_device_end(&device);
}

Test(push_ece, seals_nothing_longer_than_push_services_take)
{
	static const char text[ECE_TEXT_MAX + 1];
	struct ece_device device;

	ece_device_make(&device);
	cr_assert(!ece_seal(&device.keys, str_of(text, sizeof(text)), sizeof(text), &out));
	cr_assert(!ece_seal(&device.keys, STR("hello"), 4, &out));
	ece_device_end(&device);
}

static bool
reads(const char *p256dh, const char *auth)
{
	struct ece_keys keys;

	return ece_keys_read(&keys, str_z(p256dh), str_z(auth));
}

Test(push_ece, reads_keys_in_each_form_of_base64)
{
	cr_assert(reads(UA_PUBLIC, UA_AUTH));
	cr_assert(reads(UA_PUBLIC "=", UA_AUTH "=="));
	cr_assert(
	    reads("BCVxsr7N/eNgVRqvHtD0zTZsEc6+VV+JvLexhqUzORcxaOzi6+AYWXvTBHm4bjyPjs7Vd8pZGH6SRpk"
		  "NtoIAiw4=",
		"BTBZMqHH6r4Tts7J/aSIgg=="));
	cr_assert(!reads(UA_PUBLIC "==", UA_AUTH));
	cr_assert(!reads(UA_PUBLIC, UA_AUTH "="));
}

Test(push_ece, takes_no_other_keys)
{
	cr_assert(!reads("", UA_AUTH));
	cr_assert(!reads(UA_PUBLIC, ""));
	cr_assert(!reads(UA_PUBLIC, "BTBZMqHH6r4Tts7J_aSI"), "15 bytes");
	cr_assert(!reads(UA_PUBLIC, "BTBZMqHH6r4Tts7J_aSIggA"), "17 bytes");
	cr_assert(!reads("A" UA_PUBLIC, UA_AUTH));
	cr_assert(
	    !reads("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SR"
		   "pkNtoIAiw8",
		UA_AUTH),
	    "not on the curve");
	cr_assert(!reads("AiVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcx", UA_AUTH), "compressed");
	cr_assert(
	    !reads("BiVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SR"
		   "pkNtoIAiw4",
		UA_AUTH),
	    "hybrid form");
	cr_assert(
	    !reads("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		   "AAAAAAAAA",
		UA_AUTH),
	    "at infinity");
}
