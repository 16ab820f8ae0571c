/* SPDX-License-Identifier: Apache-2.0 */
/* Key answers (Matrix server-server API, "Retrieving server keys"; FD-5.2.1.2-10). */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/base64.h"
#include "lib/matrix/canonical.h"
#include "lib/matrix/serverkeys.h"

#define NAME "origin.hs.example.com"
#define NOW INT64_C(1700000000000)
#define WEEK (INT64_C(7) * 24 * 3600 * 1000)
#define SEED_A "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1"
#define SEED_B "QJvXAPj0D9MUb1exkD8pIWmCvT1xajlsB8jRYz/G5HE"
#define KEY_A "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI"
#define KEY_B "2UwTWD4+tgTgENV7znGGNqhAOGY+BW1mRAnC6W6FBQg"
#define SIG_A \
	"S7Rmi5H/VWnbpcZR0I4hDZk10UrZF4kI4Hbn5ojp+BgVuImUT8Np5Dq4qilB3qF6m3Xi6qpoQCYNnlud5gCNBw"
#define SIG_NOTARY \
	"z8z4I7HoxqK/FKQhzsw8xCWtFgHjVHK8ebPI1/wNIK3Q89qkxoL+2Gi2ooQbO1OpGO2RDy6vnH/aCMSrcqtsBg"

#define OLD \
	"\"old_verify_keys\":{\"ed25519:0\":{\"expired_ts\":1532645052628,\"key\":\"" KEY_B "\"}}" \
	","
#define MEMBERS \
	"\"server_name\":\"" NAME "\",\"valid_until_ts\":4102444800000," \
	"\"verify_keys\":{\"ed25519:1\":{\"key\":\"" KEY_A "\"}}"
#define SIGNED_BY(sig) "\"signatures\":{\"" NAME "\":{\"ed25519:1\":\"" sig "\"}}"
#define ANSWER "{" OLD MEMBERS "," SIGNED_BY(SIG_A) "}"

static enum err
parse(struct str json)
{
	struct serverkeys *k = NULL;
	enum err err = serverkeys_parse(json, STR(NAME), NOW, &k);

	if (err == OK)
		snapshot_drop(&k->fact.snap);
	return err;
}

#define FAILS(json, want) cr_assert_eq(parse(STR(json)), want, "%s", err_name(parse(STR(json))))

/* Signs `members` (canonical, without braces) with a seed and appends the signatures as given. */
static struct str
sign(char *out, size_t room, const char *members, const char *name, const char *key_id,
    const char *seed_text)
{
	unsigned char seed[32], public_key[32], secret[64], sig[64];
	char b64[128];
	int n = snprintf(out, room, "{%s}", members);

	cr_assert(base64_exact(str_z(seed_text), seed, 32));
	crypto_sign_ed25519_seed_keypair(public_key, secret, seed);
	crypto_sign_ed25519_detached(sig, NULL, (unsigned char *)out, (size_t)n, secret);
	sodium_bin2base64(b64, sizeof(b64), sig, 64, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	n = snprintf(
	    out, room, "{%s,\"signatures\":{\"%s\":{\"%s\":\"%s\"}}}", members, name, key_id, b64);
	cr_assert_lt((size_t)n, room);
	return str_of(out, (size_t)n);
}

Test(serverkeys, reads_a_signed_answer)
{
	struct serverkeys *k = NULL;
	unsigned char key[32];

	cr_assert(base64_exact(STR(KEY_A), key, 32));
	cr_assert_eq(serverkeys_parse(STR(ANSWER), STR(NAME), NOW, &k), OK);
	cr_assert_eq(k->fact.err, OK);
	cr_assert_eq(k->count, 1);
	cr_assert_eq(memcmp(serverkeys_find(k, STR("ed25519:1"), NOW), key, 32), 0);
	cr_assert_null(serverkeys_find(k, STR("ed25519:2"), NOW));
	cr_assert_null(serverkeys_find(k, STR("ed25519:0"), NOW), "old keys sign no requests");
	cr_assert_null(serverkeys_find(k, STR(""), NOW));
	snapshot_drop(&k->fact.snap);
}

Test(serverkeys, caps_the_validity_at_seven_days)
{
	struct serverkeys *k = NULL;
	char text[1024];

	cr_assert_eq(serverkeys_parse(STR(ANSWER), STR(NAME), NOW, &k), OK);
	cr_assert_eq(serverkeys_valid_until_ms(k), NOW + WEEK);
	cr_assert_not_null(serverkeys_find(k, STR("ed25519:1"), NOW + WEEK - 1));
	cr_assert_null(serverkeys_find(k, STR("ed25519:1"), NOW + WEEK));
	snapshot_drop(&k->fact.snap);
	cr_assert_eq(
	    serverkeys_parse(sign(text, sizeof(text),
				 "\"server_name\":\"" NAME "\",\"valid_until_ts\":1700000000001,"
				 "\"verify_keys\":{\"ed25519:1\":{\"key\":\"" KEY_A "\"}}",
				 NAME, "ed25519:1", SEED_A),
		STR(NAME), NOW, &k),
	    OK);
	cr_assert_eq(serverkeys_valid_until_ms(k), NOW + 1);
	snapshot_drop(&k->fact.snap);
}

Test(serverkeys, does_not_care_how_the_text_is_laid_out)
{
	cr_assert_eq(parse(STR("{ " SIGNED_BY(SIG_A) ", " MEMBERS " , " OLD
						     " \"unsigned\" : { \"a\": 1 } }\n")),
	    OK);
	cr_assert_eq(parse(STR("{" OLD "\"\\u0073erver_name\":\"origin.hs\\u002eexample.com\","
			       "\"valid_until_ts\":4102444800000,"
			       "\"verify_keys\":{\"ed25519:1\":{\"key\":\"" KEY_A
			       "\"}}," SIGNED_BY(SIG_A) "}")),
	    OK);
}

Test(serverkeys, compares_names_in_normal_form)
{
	struct serverkeys *k = NULL;

	cr_assert_eq(serverkeys_parse(STR(ANSWER), STR("Origin.HS.example.com"), NOW, &k), OK);
	snapshot_drop(&k->fact.snap);
	cr_assert_eq(
	    serverkeys_parse(STR(ANSWER), STR("other.example.com"), NOW, &k), ERR_KEYS_NAME);
	cr_assert_eq(serverkeys_parse(STR(ANSWER), STR(NAME ":8448"), NOW, &k), ERR_KEYS_NAME);
	cr_assert_eq(serverkeys_parse(STR(ANSWER), STR(""), NOW, &k), ERR_KEYS_NAME);
}

Test(serverkeys, refuses_what_has_expired)
{
	struct serverkeys *k = NULL;

	cr_assert_eq(serverkeys_parse(STR(ANSWER), STR(NAME), INT64_C(4102444799999), &k), OK);
	snapshot_drop(&k->fact.snap);
	cr_assert_eq(
	    serverkeys_parse(STR(ANSWER), STR(NAME), INT64_C(4102444800000), &k), ERR_KEYS_EXPIRED);
}

Test(serverkeys, refuses_answers_changed_after_signing)
{
	/* the time, an old key's time, a key added, a member added */
	FAILS("{" OLD "\"server_name\":\"" NAME
	      "\",\"valid_until_ts\":4102444800001,\"verify_keys\":{\"ed25519:1\":{\"key\":\"" KEY_A
	      "\"}}," SIGNED_BY(SIG_A) "}",
	    ERR_KEYS_SIGNATURE);
	FAILS("{" MEMBERS "," SIGNED_BY(SIG_A) "}", ERR_KEYS_SIGNATURE);
	FAILS("{" OLD "\"server_name\":\"" NAME
	      "\",\"valid_until_ts\":4102444800000,\"verify_keys\":{\"ed25519:1\":{\"key\":\"" KEY_A
	      "\"},\"ed25519:2\":{\"key\":\"" KEY_B "\"}}," SIGNED_BY(SIG_A) "}",
	    ERR_KEYS_SIGNATURE);
	FAILS("{" OLD MEMBERS ",\"x\":1," SIGNED_BY(SIG_A) "}", ERR_KEYS_SIGNATURE);
	/* the key exchanged for another */
	FAILS("{" OLD "\"server_name\":\"" NAME
	      "\",\"valid_until_ts\":4102444800000,\"verify_keys\":{\"ed25519:1\":{\"key\":\"" KEY_B
	      "\"}}," SIGNED_BY(SIG_A) "}",
	    ERR_KEYS_SIGNATURE);
	FAILS("{" OLD MEMBERS "," SIGNED_BY(SIG_NOTARY) "}", ERR_KEYS_SIGNATURE);
}

Test(serverkeys, needs_a_signature_by_a_listed_key)
{
	FAILS("{" OLD MEMBERS ",\"signatures\":{}}", ERR_KEYS_SIGNATURE);
	FAILS("{" OLD MEMBERS "}", ERR_KEYS_SIGNATURE);
	FAILS("{" OLD MEMBERS ",\"signatures\":[]}", ERR_KEYS_SIGNATURE);
	FAILS("{" OLD MEMBERS ",\"signatures\":{\"" NAME "\":\"x\"}}", ERR_KEYS_SIGNATURE);
	FAILS("{" OLD MEMBERS ",\"signatures\":{\"" NAME "\":{\"ed25519:1\":7}}}",
	    ERR_KEYS_SIGNATURE);
	FAILS("{" OLD MEMBERS ",\"signatures\":{\"" NAME "\":{\"ed25519:1\":\"\"}}}",
	    ERR_KEYS_SIGNATURE);
	FAILS("{" OLD MEMBERS ",\"signatures\":{\"" NAME "\":{\"ed25519:2\":\"" SIG_A "\"}}}",
	    ERR_KEYS_SIGNATURE);
	FAILS("{" OLD MEMBERS ",\"signatures\":{\"other\":{\"ed25519:1\":\"" SIG_A "\"}}}",
	    ERR_KEYS_SIGNATURE);
	FAILS("{\"server_name\":\"" NAME
	      "\",\"valid_until_ts\":4102444800000,\"verify_keys\":{}," SIGNED_BY(SIG_A) "}",
	    ERR_KEYS_SIGNATURE);
}

Test(serverkeys, wants_every_signature_by_a_listed_key_to_verify)
{
	static const char members[] =
	    "\"server_name\":\"" NAME "\",\"valid_until_ts\":4102444800000,\"verify_keys\":"
	    "{\"ed25519:1\":{\"key\":\"" KEY_A "\"},\"ed25519:b\":{\"key\":\"" KEY_B
	    "\"},\"rsa:1\":{\"key\":\"?\"},\"x\":0}";
	struct serverkeys *k = NULL;
	char text[2048], worse[4096], *at;
	struct str json = sign(text, sizeof(text), members, NAME, "ed25519:1", SEED_A);

	cr_assert_eq(serverkeys_parse(json, STR(NAME), NOW, &k), OK,
	    "a listed key need not sign; algorithms may be unknown");
	cr_assert_eq(k->count, 2);
	cr_assert_not_null(serverkeys_find(k, STR("ed25519:b"), NOW));
	snapshot_drop(&k->fact.snap);
	at = strstr(text, "\"ed25519:1\":\"");
	snprintf(
	    worse, sizeof(worse), "%.*s\"ed25519:b\":\"%s\",%s", (int)(at - text), text, SIG_A, at);
	cr_assert_eq(parse(str_z(worse)), ERR_KEYS_SIGNATURE);
	snprintf(worse, sizeof(worse), "%.*s\"ed25519:unlisted\":\"%s\",%s", (int)(at - text), text,
	    SIG_A, at);
	cr_assert_eq(parse(str_z(worse)), OK);
}

Test(serverkeys, refuses_other_shapes)
{
	FAILS("", ERR_KEYS_SHAPE);
	FAILS("[]", ERR_KEYS_SHAPE);
	FAILS("\"x\"", ERR_KEYS_SHAPE);
	FAILS("{}", ERR_KEYS_SHAPE);
	FAILS("{" OLD MEMBERS, ERR_KEYS_SHAPE);
	FAILS("{" OLD OLD MEMBERS "}", ERR_KEYS_SHAPE);
	FAILS("{\"server_name\":1,\"valid_until_ts\":4102444800000,\"verify_keys\":{}}",
	    ERR_KEYS_SHAPE);
	FAILS("{\"server_name\":\"" NAME
	      "\",\"valid_until_ts\":\"4102444800000\",\"verify_keys\":{}}",
	    ERR_KEYS_SHAPE);
	FAILS("{\"server_name\":\"" NAME "\",\"valid_until_ts\":41e11,\"verify_keys\":{}}",
	    ERR_KEYS_SHAPE);
	FAILS("{\"server_name\":\"" NAME "\",\"valid_until_ts\":4102444800000}", ERR_KEYS_SHAPE);
	FAILS("{\"server_name\":\"" NAME "\",\"valid_until_ts\":4102444800000,\"verify_keys\":[]}",
	    ERR_KEYS_SHAPE);
	FAILS("{\"server_name\":\"" NAME
	      "\",\"valid_until_ts\":4102444800000,\"verify_keys\":{\"ed25519:1\":\"x\"}}",
	    ERR_KEYS_SHAPE);
	FAILS("{\"server_name\":\"" NAME
	      "\",\"valid_until_ts\":4102444800000,\"verify_keys\":{\"ed25519:1\":{}}}",
	    ERR_KEYS_SHAPE);
	FAILS("{\"server_name\":\"" NAME "\",\"valid_until_ts\":4102444800000,\"verify_keys\":{"
	      "\"ed25519:1\":{\"key\":\"XGX0\"}}}",
	    ERR_KEYS_SHAPE);
	FAILS("{\"server_name\":\"" NAME
	      "\",\"valid_until_ts\":4102444800000,\"verify_keys\":{\"ed25519:1\":{\"key\":\"" KEY_A
	      "A\"}}}",
	    ERR_KEYS_SHAPE);
}

static struct str
many_keys(char *out, size_t room, int count)
{
	static char members[8192];
	int n = snprintf(members, sizeof(members),
	    "\"server_name\":\"" NAME "\",\"valid_until_ts\":4102444800000,\"verify_keys\":{");

	for (int i = 1; i <= count; i++)
		n += snprintf(members + n, sizeof(members) - (size_t)n,
		    "%s\"ed25519:%02d\":{\"key\":\"" KEY_A "\"}", i > 1 ? "," : "", i);
	snprintf(members + n, sizeof(members) - (size_t)n, "}");
	return sign(out, room, members, NAME, "ed25519:01", SEED_A);
}

Test(serverkeys, bounds_the_number_of_keys)
{
	static char text[8192];

	cr_assert_eq(parse(many_keys(text, sizeof(text), SERVERKEYS_MAX)), OK);
	cr_assert_eq(parse(many_keys(text, sizeof(text), SERVERKEYS_MAX + 1)), ERR_KEYS_SHAPE);
}

static enum err
from_notary(const char *objects, int64_t now, int64_t *valid_until)
{
	struct serverkeys *k = NULL;
	static char text[8192];
	enum err err;

	snprintf(text, sizeof(text), "{\"server_keys\":[%s]}", objects);
	err = serverkeys_from_notary(str_z(text), STR(NAME), now, &k);
	if (err == OK) {
		cr_assert_not_null(serverkeys_find(k, STR("ed25519:1"), now));
		*valid_until = serverkeys_valid_until_ms(k);
		snapshot_drop(&k->fact.snap);
	}
	return err;
}

#define BY_NOTARY \
	"{" OLD MEMBERS \
	",\"signatures\":{\"notary.example.com\":{\"ed25519:a_Obwu\":\"" SIG_NOTARY "\"},\"" NAME \
	"\":{\"ed25519:1\":\"" SIG_A "\"}}}"
#define NOTARY_ONLY \
	"{" OLD MEMBERS \
	",\"signatures\":{\"notary.example.com\":{\"ed25519:a_Obwu\":\"" SIG_NOTARY "\"}}}"
#define OTHER \
	"{\"server_name\":\"other.example\",\"valid_until_ts\":4102444800000,\"verify_keys\":{}," \
	"\"signatures\":{}}"

Test(serverkeys, picks_the_server_out_of_a_notarys_answer)
{
	int64_t valid_until = 0;

	cr_assert_eq(from_notary(OTHER ",7,{}," BY_NOTARY "," OTHER, NOW, &valid_until), OK);
	cr_assert_eq(valid_until, NOW + WEEK);
	cr_assert_eq(from_notary("", NOW, &valid_until), ERR_NOT_FOUND);
	cr_assert_eq(from_notary(OTHER, NOW, &valid_until), ERR_NOT_FOUND);
}

Test(serverkeys, trusts_no_notary_without_the_servers_own_signature)
{
	int64_t valid_until = 0;

	cr_assert_eq(from_notary(NOTARY_ONLY, NOW, &valid_until), ERR_KEYS_SIGNATURE);
	cr_assert_eq(from_notary(NOTARY_ONLY "," BY_NOTARY, NOW, &valid_until), OK);
	cr_assert_eq(from_notary(BY_NOTARY "," NOTARY_ONLY, NOW, &valid_until), OK);
	cr_assert_eq(
	    from_notary(BY_NOTARY, INT64_C(4102444800000), &valid_until), ERR_KEYS_EXPIRED);
}

Test(serverkeys, takes_the_notarys_answer_that_is_valid_longest)
{
	static char text[4096], shorter[1024];
	int64_t valid_until = 0;

	sign(shorter, sizeof(shorter),
	    "\"server_name\":\"" NAME
	    "\",\"valid_until_ts\":1700000005000,\"verify_keys\":{\"ed25519:1\":"
	    "{\"key\":\"" KEY_A "\"}}",
	    NAME, "ed25519:1", SEED_A);
	snprintf(text, sizeof(text), "%s,%s,%s", shorter, BY_NOTARY, shorter);
	cr_assert_eq(from_notary(text, NOW, &valid_until), OK);
	cr_assert_eq(valid_until, NOW + WEEK);
	cr_assert_eq(from_notary(shorter, NOW, &valid_until), OK);
	cr_assert_eq(valid_until, NOW + 5000);
}

Test(serverkeys, refuses_notary_answers_of_other_shapes)
{
	static const char *const bad[] = { "", "[]", "{}", "{\"server_keys\":{}}",
		"{\"server_keys\":1}", "{\"server_keys\":[}" };
	struct serverkeys *k;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(serverkeys_from_notary(str_z(bad[i]), STR(NAME), NOW, &k),
		    ERR_KEYS_SHAPE, "%s", bad[i]);
}

Test(serverkeys, uses_the_key_that_belongs_to_the_seed)
{
	struct serverkeys *k = NULL;
	char text[1024];
	struct str json = sign(text, sizeof(text),
	    "\"server_name\":\"" NAME "\",\"valid_until_ts\":4102444800000,\"verify_keys\":"
	    "{\"ed25519:a_Obwu\":{\"key\":\"" KEY_B "=\"}}",
	    NAME, "ed25519:a_Obwu", SEED_B);

	cr_assert_eq(
	    serverkeys_parse(json, STR(NAME), NOW, &k), OK, "padded base64 is read as well");
	cr_assert_not_null(serverkeys_find(k, STR("ed25519:a_Obwu"), NOW));
	snapshot_drop(&k->fact.snap);
}
