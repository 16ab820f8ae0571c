/* SPDX-License-Identifier: Apache-2.0 */
/* FD-5.2.1.2-8/-10 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/matrix/canonical.h"
#include "lib/matrix/serverkeys.h"
#include "tests/unit/judge.h"

#define KEYS 4

static struct {
	unsigned char public_key[32], secret[64];
	char text[64];
} keys[KEYS];
static struct serverkeys *published;

/* Keys 1 and 2 are published and sign the answer, key 0 is an old one. */
static void
setup(void)
{
	char text[2048], sig[2][128];
	int n;

	for (int i = 0; i < KEYS; i++) {
		crypto_sign_ed25519_keypair(keys[i].public_key, keys[i].secret);
		sodium_bin2base64(keys[i].text, sizeof(keys[i].text), keys[i].public_key, 32,
		    sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	}
	n = snprintf(text, sizeof(text),
	    "{\"old_verify_keys\":{\"ed25519:0\":{\"expired_ts\":1,\"key\":\"%s\"}},\"server_name\":\"" THEM
	    "\",\"valid_until_ts\":%lld,\"verify_keys\":{\"ed25519:1\":{\"key\":\"%s\"},\"ed25519:2\":{\"key\":\"%s\"}}}",
	    keys[0].text, (long long)NOW_MS + 3600000, keys[1].text, keys[2].text);
	for (int i = 0; i < 2; i++) {
		unsigned char raw[64];

		crypto_sign_ed25519_detached(raw, NULL, (unsigned char *)text, (size_t)n, keys[i + 1].secret);
		sodium_bin2base64(sig[i], sizeof(sig[i]), raw, 64, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	}
	snprintf(text + n - 1, sizeof(text) - (size_t)n,
	    ",\"signatures\":{\"" THEM "\":{\"ed25519:1\":\"%s\",\"ed25519:2\":\"%s\"}}}", sig[0], sig[1]);
	cr_assert_eq(serverkeys_parse(str_z(text), STR(THEM), NOW_MS, &published), OK);
}

static void
teardown(void)
{
	snapshot_drop(&published->fact.snap);
}

TestSuite(rule_signature, .init = setup, .fini = teardown);

/* What the case says was signed: "method target body", or "=". */
static struct str
signed_bytes(struct request *r, const char *what, const char *ends)
{
	struct str method, target, content, origin = r->j.origin, destination = r->j.signed_for;

	if (strcmp(ends, "=") != 0)
		str_cut(str_z(ends), ' ', &origin, &destination);
	if (strcmp(what, "=") == 0)
		return xmatrix_signed_bytes(&r->arena, r->head.method_text, r->head.target, origin, destination,
		    r->j.content);
	str_cut(str_z(what), ' ', &method, &content);
	str_cut(content, ' ', &target, &content);
	return xmatrix_signed_bytes(&r->arena, method, target, origin, destination, content);
}

/* "1:1 2:!" */
static void
sign(struct request *r, const char *how, struct str bytes)
{
	static const char ids[][11] = { "ed25519:0", "ed25519:1", "ed25519:2", "ed25519:3", "ed25519:9" };

	r->j.auth = arena_alloc(&r->arena, XMATRIX_MAX_HEADERS * sizeof(*r->j.auth));
	for (; how[0] != '\0'; how += how[3] == ' ' ? 4 : 3) {
		struct xmatrix *x = &r->j.auth[r->j.n_auth++];

		x->key_id = str_z(ids[how[0] == '9' ? 4 : how[0] - '0']);
		if (how[2] != '!')
			crypto_sign_ed25519_detached(
			    x->sig, NULL, (const unsigned char *)bytes.p, bytes.n, keys[how[2] - '0'].secret);
	}
}

static const char *
verdict(const char *const *field)
{
	struct request r;
	enum err err = request_init(&r, field[1], field[2], "", field[3]);

	cr_assert_eq(err, OK);
	r.j.outbound = strcmp(field[6], "out") == 0;
	if (r.j.outbound) {
		r.j.origin = STR(US);
		r.j.destination = STR(THEM);
		r.j.signed_for = STR("THEM.example");
	}
	sign(&r, field[0], signed_bytes(&r, field[4], field[5]));
	r.j.keys = published;
	err = rule_signature(&r.j);
	cr_assert(err == ERR_XMATRIX_KEY || err == ERR_OUT_KEY || !rule_keys_unknown(&r.j));
	request_fini(&r);
	return err_name(err);
}

Test(rule_signature, judges_every_case)
{
	judge_cases("signature", verdict);
}

Test(rule_signature, asks_again_only_if_no_key_is_known)
{
	struct request r;

	cr_assert_eq(request_init(&r, "GET", "/_matrix/federation/v1/event/e", "", ""), OK);
	r.j.keys = published;
	sign(&r, "3:3 9:1", STR("x"));
	cr_assert(rule_keys_unknown(&r.j));
	r.j.n_auth = 0;
	sign(&r, "3:3 1:1", STR("x"));
	cr_assert_not(rule_keys_unknown(&r.j));
	request_fini(&r);
}

Test(rule_signature, keys_end_with_their_validity)
{
	struct request r;

	cr_assert_eq(request_init(&r, "GET", "/_matrix/federation/v1/event/e", "", ""), OK);
	r.j.keys = published;
	sign(&r, "1:1", signed_bytes(&r, "=", "="));
	cr_assert_eq(rule_signature(&r.j), OK);
	r.j.now_ms = NOW_MS + 3600001;
	cr_assert(rule_keys_unknown(&r.j));
	cr_assert_eq(rule_signature(&r.j), ERR_XMATRIX_KEY);
	request_fini(&r);
}
