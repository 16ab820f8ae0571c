/* SPDX-License-Identifier: Apache-2.0 */
/*
 * X-Matrix request authentication (Matrix server-server API; FD-5.2.1.2-10).  Signature vectors:
 * those published in gomatrixserverlib, the others computed with the Python library signedjson.
 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>

#include "lib/base/base64.h"
#include "lib/matrix/canonical.h"
#include "lib/matrix/xmatrix.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define SIG "7vt4vP/w8zYB3Zg77nuTPwie3TxEy2OHZQMsSa4nsXZzL4/qw+DguXbyMy3BF77XvSJmBt+Gw+fU6T4HId7fBg"
#define KEY_A "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI"
#define KEY_B "2UwTWD4+tgTgENV7znGGNqhAOGY+BW1mRAnC6W6FBQg"
#define ORIGIN "origin.hs.example.com"
#define DESTINATION "destination.hs.example.com"

static struct arena arena;

static void
set_up(void)
{
	arena_init(&arena, 1 << 20);
}

static void
tear_down(void)
{
	arena_fini(&arena);
}

TestSuite(xmatrix, .init = set_up, .fini = tear_down);

Test(xmatrix, recognises_the_scheme_in_any_case)
{
	cr_assert(xmatrix_is(STR("X-Matrix origin=a")));
	cr_assert(xmatrix_is(STR("x-matrix origin=a")));
	cr_assert(xmatrix_is(STR("X-MATRIX\torigin=a")));
	cr_assert(xmatrix_is(STR("X-Matrix")));
	cr_assert_not(xmatrix_is(STR("X-Matrixorigin=a")));
	cr_assert_not(xmatrix_is(STR("X-Matri")));
	cr_assert_not(xmatrix_is(STR("Bearer X-Matrix")));
	cr_assert_not(xmatrix_is(STR("")));
	cr_assert_not(xmatrix_is(STR("X-Matrix2 origin=a")));
}

Test(xmatrix, accepts_every_legal_spelling)
{
	static const char *const good[] = {
		"X-Matrix origin=\"foo\",key=\"ed25519:1\",sig=\"" SIG "\",destination=\"bar\"",
		"X-Matrix origin=foo,key=\"ed25519:1\",sig=\"" SIG "\",destination=\"bar\"",
		"X-Matrix origin=foo,key=ed25519:1,sig=" SIG ",destination=bar",
		"X-Matrix destination=bar,sig=" SIG ",key=ed25519:1,origin=foo",
		"x-matrix origin=foo,key=\"ed25519:1\",sig=\"" SIG "\",destination=\"bar\"",
		"X-Matrix  ORIGIN=foo,KEY=\"ed25\\519:1\",SIG=\"" SIG "\",destination=\"bar\"",
		"X-Matrix origin=foo,key=\"ed25519:1\",sig=\"" SIG
		"\",destination=\"bar\",extra_field=ignored",
		"X-Matrix extra=\"with \\\"quotes\\\"\",origin=foo,key=\"ed25519:1\",sig=\"" SIG
		"\",destination=bar",
		"X-Matrix origin=foo , key=\"ed25519:1\"\t,\tsig=\"" SIG
		"\" ,destination=\"bar\"  ",
		"X-Matrix origin=foo,key=\"ed25519:1\",sig=\"" SIG "\",destination\t=\t\"bar\"",
		"X-Matrix origin = foo,key= \"ed25519:1\",sig =\"" SIG "\",destination=bar",
		"X-Matrix ,,origin=foo,\t,key=\"ed25519:1\", ,sig=\"" SIG "\",destination=\"bar\",",
		"X-Matrix origin=foo,key=\"ed25519:1\",sig=\"" SIG "==\",destination=\"bar\"",
		"X-Matrix origin=foo,key=ed25519:1,sig=" SIG "==,destination=bar",
		"X-Matrix origin=\"f\\oo\",key=\"ed25519:1\",sig=\"" SIG "\",destination=\"\\bar\"",
		"X-Matrix origin=foo,key=\"ed25519:1\",sig=\"" SIG "\",destination=bar,signature=x",
	};

	for (size_t i = 0; i < COUNT(good); i++) {
		struct xmatrix x;
		unsigned char sig[64];

		cr_assert_eq(xmatrix_parse(&arena, str_z(good[i]), &x), OK, "%s", good[i]);
		cr_assert(str_eq(x.origin, STR("foo")), "%s", good[i]);
		cr_assert(str_eq(x.destination, STR("bar")), "%s", good[i]);
		cr_assert(str_eq(x.key_id, STR("ed25519:1")), "%s", good[i]);
		cr_assert(base64_exact(STR(SIG), sig, 64));
		cr_assert_eq(memcmp(sig, x.sig, 64), 0, "%s", good[i]);
	}
}

Test(xmatrix, allows_the_destination_to_be_left_out)
{
	struct xmatrix x;

	cr_assert_eq(
	    xmatrix_parse(&arena, STR("X-Matrix origin=hs:8448,key=ed25519:a_1,sig=" SIG), &x), OK);
	cr_assert(str_eq(x.origin, STR("hs:8448")));
	cr_assert(str_eq(x.key_id, STR("ed25519:a_1")));
	cr_assert_eq(x.destination.n, 0);
}

Test(xmatrix, refuses_malformed_headers)
{
	static const char *const bad[] = {
		"",
		"X-Matrix",
		"X-Matrix ",
		"X-Matrix ,",
		"Bearer abc",
		"X-Matrixorigin=foo,key=ed25519:1,sig=" SIG,
		/* a parameter is missing or empty */
		"X-Matrix key=ed25519:1,sig=" SIG,
		"X-Matrix origin=foo,sig=" SIG,
		"X-Matrix origin=foo,key=ed25519:1",
		"X-Matrix origin=,key=ed25519:1,sig=" SIG,
		"X-Matrix origin=\"\",key=ed25519:1,sig=" SIG,
		"X-Matrix origin=foo,destination=\"\",key=ed25519:1,sig=" SIG,
		"X-Matrix origin=foo,key=\"\",sig=" SIG,
		"X-Matrix origin=foo,key=ed25519:1,sig=\"\"",
		"X-Matrix origin=foo,key=ed25519:1,signature=" SIG,
		/* given twice */
		"X-Matrix origin=foo,origin=foo,key=ed25519:1,sig=" SIG,
		"X-Matrix origin=foo,Origin=bar,key=ed25519:1,sig=" SIG,
		"X-Matrix origin=foo,key=ed25519:1,sig=" SIG ",sig=" SIG,
		"X-Matrix origin=foo,destination=a,destination=b,key=ed25519:1,sig=" SIG,
		"X-Matrix origin=foo,destination=\"\",destination=b,key=ed25519:1,sig=" SIG,
		/* syntax */
		"X-Matrix origin=foo key=ed25519:1,sig=" SIG,
		"X-Matrix origin,key=ed25519:1,sig=" SIG,
		"X-Matrix =foo,origin=foo,key=ed25519:1,sig=" SIG,
		"X-Matrix origin=foo;key=ed25519:1;sig=" SIG,
		"X-Matrix origin=\"foo,key=ed25519:1,sig=" SIG,
		"X-Matrix origin=\"foo\"x,key=ed25519:1,sig=" SIG,
		"X-Matrix origin=\"foo\\",
		"X-Matrix origin=\"foo\\\",key=ed25519:1,sig=" SIG,
		"X-Matrix \"origin\"=foo,key=ed25519:1,sig=" SIG,
		"X-Matrix origin=fo\"o\",key=ed25519:1,sig=" SIG,
		"X-Matrix origin='foo',key=ed25519:1,sig=" SIG,
		"X-Matrix origin=foo,key=ed25519:1,sig=" SIG ",x=\"a\x01\"",
		"X-Matrix origin=foo,key=ed25519:1,sig=" SIG ",x=\"a\x7f\"",
		"X-Matrix origin=foo,key=ed25519:1,sig=" SIG ",x=\"\\\x02\"",
		"X-Matrix origin=foo,key=ed25519:1,sig=" SIG ",x",
		"X-Matrix origin=foo,key=ed25519:1,sig=" SIG ",x=",
		"X-Matrix origin=f\\oo,key=ed25519:1,sig=" SIG,
		/* a comma between quotes hides a parameter from those who cut at commas */
		"X-Matrix origin=foo,key=ed25519:1,sig=" SIG ",x=\"a,origin=bar\"",
		"X-Matrix origin=foo,key=ed25519:1,sig=" SIG ",x=\"a\\,origin=bar\"",
		/* names */
		"X-Matrix origin=\"fo o\",key=ed25519:1,sig=" SIG,
		"X-Matrix origin=foo:,key=ed25519:1,sig=" SIG,
		"X-Matrix origin=foo:port,key=ed25519:1,sig=" SIG,
		"X-Matrix origin=foo_bar,key=ed25519:1,sig=" SIG,
		"X-Matrix origin=foo:123456,key=ed25519:1,sig=" SIG,
		"X-Matrix origin=foo/bar,key=ed25519:1,sig=" SIG,
		"X-Matrix origin=foo,destination=a..b,key=ed25519:1,sig=" SIG,
		"X-Matrix origin=\"f\\\"o\",key=ed25519:1,sig=" SIG,
		/* key */
		"X-Matrix origin=foo,key=ed25519,sig=" SIG,
		"X-Matrix origin=foo,key=ed25519:,sig=" SIG,
		"X-Matrix origin=foo,key=:1,sig=" SIG,
		"X-Matrix origin=foo,key=\"ed25519:a b\",sig=" SIG,
		"X-Matrix origin=foo,key=\"ed25519:\xc3\xbc\",sig=" SIG,
		/* signature */
		"X-Matrix origin=foo,key=ed25519:1,sig=sig",
		"X-Matrix origin=foo,key=ed25519:1,sig=" SIG "A",
		"X-Matrix origin=foo,key=ed25519:1,sig=" SIG "=",
		"X-Matrix origin=foo,key=ed25519:1,sig=" SIG "===",
		"X-Matrix "
		"origin=foo,key=ed25519:1,sig=\"7vt4vP_w8zYB3Zg77nuTPwie3TxEy2OHZQMsSa4nsXZzL4_qw-"
		"DguXbyMy3BF77XvSJmBt-Gw-fU6T4HId7fBg\"",
		"X-Matrix origin=foo,key=ed25519:1,sig=\" " SIG "\"",
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct xmatrix x;

		cr_assert_eq(
		    xmatrix_parse(&arena, str_z(bad[i]), &x), ERR_XMATRIX_SYNTAX, "%s", bad[i]);
	}
}

Test(xmatrix, refuses_other_algorithms_as_a_matter_of_keys)
{
	struct xmatrix x;

	cr_assert_eq(xmatrix_parse(&arena, STR("X-Matrix origin=foo,key=rsa:1,sig=" SIG), &x),
	    ERR_XMATRIX_KEY);
	cr_assert_eq(xmatrix_parse(&arena, STR("X-Matrix origin=foo,key=ED25519:1,sig=" SIG), &x),
	    ERR_XMATRIX_KEY);
}

struct request {
	const char *method, *uri, *origin, *destination, *body, *key, *sig;
};

static const struct request requests[] = {
	{ "GET", "/_matrix/federation/v1/query/directory?room_alias=%23test%3Alocalhost%3A44033",
	    "localhost:8800", "localhost:44033", "", KEY_B, SIG },
	{ "PUT", "/_matrix/federation/v1/send/1493385816575/", "localhost:8800", "localhost:44033",
	    "{\"edus\":[{\"content\":{\"device_id\":\"YHRUBZNPFS\",\"keys\":{\"device_id\":"
	    "\"YHRUBZNPFS\","
	    "\"device_keys\":{},\"user_id\":\"@ANON-22:localhost:8800\"},\"prev_id\":[],\"stream_"
	    "id\":30,"
	    "\"user_id\":\"@ANON-22:localhost:8800\"},\"edu_type\":\"m.device_list_update\"}],"
	    "\"origin\":"
	    "\"localhost:8800\",\"origin_server_ts\":1493385822396,\"pdu_failures\":[],\"pdus\":[]"
	    "}",
	    KEY_B,
	    "+hmW6UjEXx7vMt2+MXO/EImSfdEYdBsZEOmpiz3evYktAgGNpGuNMBYXIA969WGubmceREKA/"
	    "r1phasUFHBpDg" },
	{ "GET", "/_matrix/federation/v1/version", ORIGIN, DESTINATION, "", KEY_A,
	    "Mb8+"
	    "kifPyx8HNTRgyZl7sVpc0vYZlRn6znNGD0C4mQqUlUIMKKlIt2pu5xuljDwPrHIhLUPBwkVXZoBWdVu6Bg" },
	{ "GET", "/_matrix/federation/v1/event/%24abc%2Fdef?x=a%20b+c", ORIGIN, DESTINATION, "",
	    KEY_A,
	    "L3prQ3ZhiVs6NV2Oosa9m1a1YZQkRQwooGWoeZKEeZw2+"
	    "aKE24ba3hYqFv5WEdSm0rPcViNhRlZz0ZYBvSWzDQ" },
	{ "POST", "/target", ORIGIN, DESTINATION, "{}", KEY_A,
	    "0g4ASZCa2HlvRDkZnRrc6winZUBYoLrA7zjyuymY9La539P0X2QnLtDmIKWRRYcynZL+4ZNpUuWkngOy/"
	    "J+wCQ" },
	{ "PUT", "/_matrix/federation/v1/send/1", ORIGIN, DESTINATION,
	    "{\"origin\":\"origin.hs.example.com\",\"origin_server_ts\":1234567890,\"pdus\":[],"
	    "\"edus\":[]}",
	    KEY_A,
	    "kLiQPMP+fhQ7MABME1QtyI89Ztxq2pjzQu+0e+1KlZh5YWHOBMYyTHIW4bOaZfcie1Do/r9y/"
	    "ahn+pfuwyXIDA" },
	{ "PUT", "/_matrix/federation/v1/send/2", ORIGIN, DESTINATION,
	    "{\"pdus\":[{\"content\":{\"body\":\"Gr\\u00fc\\u00dfe \\ud83d\\ude00 \\u2028 \\\" "
	    "\\\\ / \\t\\u0001\\u007f\"}}],"
	    "\"\\u00e9\":1,\"z\":2,\"\\uffff\":3,\"\\ud800\\udc00\":4}",
	    KEY_A,
	    "niU3w6OeeDmPm6DLdUa/"
	    "zjjk81znH5lPhjFx7RGEx4LiX9itSdnvSMWiwNUg9+142x+CptVic7fxzOQ6ZxuYCw" },
	{ "PUT", "/x", "a.example", "b.example",
	    "{\"signatures\":{\"q\":1},\"unsigned\":{\"age\":5}}", KEY_A,
	    "yOmMj34cg2hz7yrSOTIx5d0Ye85LhnDSZm2+sUEUICvOlYQ5AjLj86nvaRH59Y0Q05N+"
	    "TF567yOzHmCFogu0Bw" },
};

static struct str
signed_bytes(const struct request *r)
{
	struct str content = STR_NONE, bytes;

	if (r->body[0] != '\0')
		cr_assert_eq(canonical_form(&arena, str_z(r->body), &content), OK);
	bytes = xmatrix_signed_bytes(&arena, str_z(r->method), str_z(r->uri), str_z(r->origin),
	    str_z(r->destination), content);
	cr_assert_gt(bytes.n, 0);
	return bytes;
}

static bool
verifies(const char *sig_text, struct str bytes, const char *key_text)
{
	unsigned char sig[64], key[32];

	cr_assert(base64_exact(str_z(sig_text), sig, 64));
	cr_assert(base64_exact(str_z(key_text), key, 32));
	return xmatrix_verify(sig, bytes, key);
}

Test(xmatrix, verifies_the_published_signatures)
{
	for (size_t i = 0; i < COUNT(requests); i++)
		cr_assert(verifies(requests[i].sig, signed_bytes(&requests[i]), requests[i].key),
		    "#%zu", i);
}

Test(xmatrix, a_change_of_any_part_breaks_the_signature)
{
	for (size_t i = 0; i < COUNT(requests); i++) {
		const struct request *r = &requests[i];
		struct request changed[] = {
			{ r->method, r->uri, r->origin, "other.example", r->body },
			{ r->method, r->uri, "other.example", r->destination, r->body },
			{ r->method, "/other", r->origin, r->destination, r->body },
			{ "HEAD", r->uri, r->origin, r->destination, r->body },
			{ r->method, r->uri, r->origin, r->destination, "{\"other\":1}" },
		};

		for (size_t k = 0; k < COUNT(changed); k++)
			cr_assert_not(
			    verifies(r->sig, signed_bytes(&changed[k]), r->key), "#%zu %zu", i, k);
		cr_assert_not(
		    verifies(r->sig, signed_bytes(r), r->key[0] == 'X' ? KEY_B : KEY_A), "#%zu", i);
	}
	/* A signature over an object without destination. */
	cr_assert_not(verifies("3Low5PfdQE7qvLxWtcV/SIWcelDu75MujtQrQzf+BoPNv6nnR/"
			       "Jtr9wFjst80NP6ppBY2tBxqGolM/GSO9O4Ag",
	    signed_bytes(&requests[2]), KEY_A));
}

Test(xmatrix, assembles_canonical_json)
{
	struct str bytes = signed_bytes(&requests[0]), out;
	unsigned char digest[32];
	char hex[65];

	cr_assert(str_eq(bytes, STR("{\"destination\":\"localhost:44033\",\"method\":\"GET\","
				    "\"origin\":\"localhost:8800\",\"uri\":"
				    "\"/_matrix/federation/v1/query/"
				    "directory?room_alias=%23test%3Alocalhost%3A44033\"}")));
	bytes = signed_bytes(&requests[6]);
	cr_assert_eq(bytes.n, 239);
	crypto_hash_sha256(digest, (const unsigned char *)bytes.p, bytes.n);
	sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
	cr_assert_str_eq(hex, "502dea1e52b2fce70d7c0212f2c2f7d34cc38c1e3d4027ef1e5c7518d8668815");
	for (size_t i = 0; i < COUNT(requests); i++) {
		bytes = signed_bytes(&requests[i]);
		cr_assert_eq(canonical_form(&arena, bytes, &out), OK);
		cr_assert_eq(out.p, bytes.p);
	}
	bytes = xmatrix_signed_bytes(
	    &arena, STR("GET"), STR("/\"\\\x01"), STR("a"), STR("b"), STR_NONE);
	cr_assert(str_eq(bytes, STR("{\"destination\":\"b\",\"method\":\"GET\",\"origin\":\"a\","
				    "\"uri\":\"/\\\"\\\\\\u0001\"}")));
}

Test(xmatrix, says_when_there_is_no_memory)
{
	struct arena small;
	struct xmatrix x;

	arena_init(&small, 8);
	cr_assert_eq(
	    xmatrix_signed_bytes(&small, STR("GET"), STR("/"), STR("a"), STR("b"), STR_NONE).n, 0);
	cr_assert_eq(
	    xmatrix_parse(&small, STR("X-Matrix origin=foo,key=\"ed25\\519:1\",sig=" SIG), &x),
	    ERR_MEMORY);
	arena_fini(&small);
}
