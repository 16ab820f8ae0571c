/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens, and forged ones: nobody but us makes one (CP-1.2.3-O8). */
#include <criterion/criterion.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <stdlib.h>

#include "lib/store/store_file.h"
#include "regsvc/accesstoken.h"
#include "tests/unit/lab.h"
#include "tests/unit/pki.h"

#define NOW 1700000000
#define SUBSCRIPTION "919108f7-52d1-4320-9bac-f847db4148a8"

static const struct accesstoken_rules rules = { "https://reg.test", "https://reg.test", 600 };
static struct arena arena;
static struct loop *loop;
static struct store *store;
static struct tokenkeys *keys;
static struct token_conf conf;
static char folder[] = "/tmp/accesstoken-XXXXXX";
static char *names[2];
static bool forged;

static void
setup(void)
{
	const struct store_config sc = { .value_max = 65536, .keys_max = 100 };

	cr_assert_geq(sodium_init(), 0);
	arena_init(&arena, 1 << 20);
	loop = loop_new(NULL);
	cr_assert_not_null(mkdtemp(folder));
	store = store_file_open(loop, &sc, folder);
	cr_assert_not_null(store);
	conf.pkeys[0] = pki_key(PKI_P256);
	conf.pkeys[1] = pki_key(PKI_P256);
	conf.keys = (struct conf_list){ names, 2 };
	keys = tokenkeys_new(loop, store, &conf);
	cr_assert_not_null(keys);
}

static void
teardown(void)
{
	tokenkeys_free(keys);
	store_free(store);
	EVP_PKEY_free(conf.pkeys[0]);
	EVP_PKEY_free(conf.pkeys[1]);
	loop_free(loop);
	arena_fini(&arena);
}

static struct str
make(void)
{
	struct client c = { .id = "p", .subscription = SUBSCRIPTION };
	struct str t = accesstoken_make(
	    &arena, &rules, tokenkeys_signer(keys), &c, SCOPE_LIST | SCOPE_AUDIT, NOW);

	cr_assert_gt(t.n, 0);
	return t;
}

static enum err
read_at(struct str token, int64_t now)
{
	struct accesstoken t;

	return accesstoken_read(&arena, &rules, keys, token, now, &t, &forged);
}

static enum err
read_forged(EVP_PKEY *key, const char *alg, const char *typ, const char *payload)
{
	char header[256], *token;
	enum err err;

	snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"%s\",\"kid\":\"%s\"}", alg, typ,
	    tokenkeys_signer(keys)->kid);
	token = pki_jws(key, header, str_z(payload));
	err = read_at(str_z(token), NOW);
	free(token);
	return err;
}

#define PAYLOAD(iss, aud, iat, exp) \
	"{\"iss\":\"" iss "\",\"aud\":\"" aud "\",\"sub\":\"p\",\"iat\":" #iat ",\"exp\":" #exp \
	",\"subscription_id\":\"" SUBSCRIPTION "\",\"scope\":\"list\"}"
#define GOOD PAYLOAD("https://reg.test", "https://reg.test", 1700000000, 1700000600)

TestSuite(accesstoken, .init = setup, .fini = teardown);

Test(accesstoken, is_read_as_it_was_made)
{
	struct accesstoken t;

	cr_assert_eq(accesstoken_read(&arena, &rules, keys, make(), NOW, &t, &forged), OK);
	cr_assert(str_eq(t.client, STR("p")));
	cr_assert(str_eq(t.subscription, STR(SUBSCRIPTION)));
	cr_assert_eq(t.scopes, (unsigned)(SCOPE_LIST | SCOPE_AUDIT));
	cr_assert_eq(
	    read_forged(conf.pkeys[0], "ES256", "at+jwt", GOOD), OK, "the test forges well");
}

Test(accesstoken, ends_with_its_time)
{
	struct str t = make();

	cr_assert_eq(read_at(t, NOW + 599), OK);
	cr_assert_eq(read_at(t, NOW + 600), ERR_AUTH_TOKEN);
	cr_assert_not(forged, "an old token is no attack");
	cr_assert_eq(read_at(t, NOW - JWT_SKEW_S), OK);
	cr_assert_eq(read_at(t, NOW - JWT_SKEW_S - 1), ERR_AUTH_TOKEN);
}

Test(accesstoken, of_any_key_of_ours_counts)
{
	static char *swapped_names[2];
	struct token_conf swapped = { .keys = { swapped_names, 2 },
		.pkeys = { conf.pkeys[1], conf.pkeys[0] } };
	struct token_conf last = { .keys = { swapped_names, 1 }, .pkeys = { conf.pkeys[1] } };
	struct str t = make();

	tokenkeys_adopt(keys, store, &swapped);
	cr_assert_eq(read_at(t, NOW), OK);
	tokenkeys_adopt(keys, store, &last);
	cr_assert_eq(read_at(t, NOW), ERR_AUTH_TOKEN);
}

Test(accesstoken, of_another_key_or_algorithm_is_forged)
{
	EVP_PKEY *other = pki_key(PKI_P256), *brainpool = pki_key(PKI_BRAINPOOL);

	cr_assert_eq(read_forged(other, "ES256", "at+jwt", GOOD), ERR_AUTH_TOKEN);
	cr_assert(forged);
	cr_assert_eq(read_forged(conf.pkeys[1], "ES256", "at+jwt", GOOD), ERR_AUTH_TOKEN,
	    "the kid of another key");
	cr_assert_eq(read_forged(conf.pkeys[0], "none", "at+jwt", GOOD), ERR_AUTH_TOKEN);
	cr_assert_eq(read_forged(conf.pkeys[0], "HS256", "at+jwt", GOOD), ERR_AUTH_TOKEN);
	cr_assert_eq(read_forged(brainpool, "BP256R1", "at+jwt", GOOD), ERR_AUTH_TOKEN);
	cr_assert_eq(read_forged(conf.pkeys[0], "ES256", "passport", GOOD), ERR_AUTH_TOKEN,
	    "a JWS for something else");
	EVP_PKEY_free(other);
	EVP_PKEY_free(brainpool);
}

/* base64url of n bytes at the end of `out`. */
static void
append(char *out, size_t size, const void *p, size_t n)
{
	size_t at = strlen(out);

	sodium_bin2base64(out + at, size - at, p, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

Test(accesstoken, signed_by_hmac_with_the_public_key_is_forged)
{
	char token[4096] = "", header[256];
	unsigned char mac[EVP_MAX_MD_SIZE], *pem = NULL;
	unsigned mac_n = 0;
	BIO *bio = BIO_new(BIO_s_mem());
	long pem_n;

	cr_assert_eq(PEM_write_bio_PUBKEY(bio, conf.pkeys[0]), 1);
	pem_n = BIO_get_mem_data(bio, (char **)&pem);
	snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}",
	    tokenkeys_signer(keys)->kid);
	append(token, sizeof(token), header, strlen(header));
	strcat(token, ".");
	append(token, sizeof(token), GOOD, strlen(GOOD));
	HMAC(EVP_sha256(), pem, (int)pem_n, (unsigned char *)token, strlen(token), mac, &mac_n);
	strcat(token, ".");
	append(token, sizeof(token), mac, mac_n);
	cr_assert_eq(read_at(str_z(token), NOW), ERR_AUTH_TOKEN);
	cr_assert(forged);
	BIO_free(bio);
}

Test(accesstoken, without_signature_is_forged)
{
	char token[4096] = "";
	const char *header = "{\"alg\":\"none\",\"typ\":\"at+jwt\"}";

	append(token, sizeof(token), header, strlen(header));
	strcat(token, ".");
	append(token, sizeof(token), GOOD, strlen(GOOD));
	strcat(token, ".");
	cr_assert_eq(read_at(str_z(token), NOW), ERR_AUTH_TOKEN);
	cr_assert(forged);
}

Test(accesstoken, of_another_service_or_too_long_a_life_does_not_count)
{
	static const char *const bad[] = {
		PAYLOAD("https://other.test", "https://reg.test", 1700000000, 1700000600),
		PAYLOAD("https://reg.test", "https://other.test", 1700000000, 1700000600),
		PAYLOAD("https://reg.test", "https://reg.test", 1700000000, 1700000000),
		PAYLOAD("https://reg.test", "https://reg.test", 1700000000, 1700003601),
		PAYLOAD("https://reg.test", "https://reg.test", 1700000061, 1700000600),
		PAYLOAD("https://reg.test", "https://reg.test", "1700000000", 1700000600),
		"{}",
		"[]",
		"",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(read_forged(conf.pkeys[0], "ES256", "at+jwt", bad[i]), ERR_AUTH_TOKEN,
		    "%s", bad[i]);
}

Test(accesstoken, a_key_of_our_own_is_made_once_and_found_again)
{
	const struct token_conf none = { 0 };
	struct tokenkeys *one = tokenkeys_new(loop, store, &none), *two;
	char kid[JWT_KID + 1];

	cr_assert_not_null(one);
	UNTIL(loop, tokenkeys_signer(one) != NULL);
	strcpy(kid, tokenkeys_signer(one)->kid);
	two = tokenkeys_new(loop, store, &none);
	cr_assert_not_null(two);
	UNTIL(loop, tokenkeys_signer(two) != NULL);
	cr_assert_str_eq(tokenkeys_signer(two)->kid, kid);
	tokenkeys_free(two);
	tokenkeys_free(one);
}
