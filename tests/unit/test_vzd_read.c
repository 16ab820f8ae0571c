/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the VZD as they were seen, and as they must not be. */
#include <criterion/criterion.h>

#include "regsvc/vzd_read.h"
#include "regsvc/vzd_tokens.h"

static struct vzd_access token;

static enum err
read_token(const char *json)
{
	return vzd_access_read(&token, str_z(json), 1000, 30000, 60000);
}

static void
drop(void)
{
	vzd_access_drop(&token);
}

TestSuite(vzd_tokens, .fini = drop);

Test(vzd_tokens, every_form_of_the_answer)
{
	static const struct {
		const char *json;
		clock_ms until;
	} good[] = {
		{ "{\"access_token\":\"t\",\"expires_in\":300,\"token_type\":\"Bearer\"}", 271000 },
		{ "{\"jwt\":\"t\",\"token_type\":\"bearer\",\"x\":{\"access_token\":1}}", 31000 },
		{ " {\"expires_in\":\"300\",\"access_token\":\"t\"}\n", 271000 },
		{ "{\"expires_in\":300.5,\"access_token\":\"t\"}", 271000 },
		{ "{\"expires_in\":4,\"access_token\":\"\\u0074\"}", 3000 },
		{ "{\"expires_in\":99999999,\"access_token\":\"t\"}", 604771000 },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_assert_eq(read_token(good[i].json), OK, "%s", good[i].json);
		cr_assert_str_eq(token.text, "t");
		cr_assert_eq(token.until, good[i].until, "%s: %llu", good[i].json,
		    (unsigned long long)token.until);
	}
	cr_assert(vzd_access_good(&token, token.until - 1));
	cr_assert(!vzd_access_good(&token, token.until));
}

Test(vzd_tokens, what_is_none_changes_nothing)
{
	static const char *const bad[] = { "", "{}", "[]", "{\"access_token\":\"\"}",
		"{\"access_token\":5}", "{\"access_token\":\"a b\"}",
		"{\"access_token\":\"a\\r\\nb: c\"}", "{\"access_token\":null}",
		"{\"access_token\":\"t\",\"token_type\":\"mac\"}", "{\"access_token\":\"t\"",
		"{\"access_token\":\"t\"}x" };

	cr_assert_eq(read_token("{\"access_token\":\"held\"}"), OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(read_token(bad[i]), ERR_VZD_ANSWER, "%s", bad[i]);
	cr_assert_str_eq(token.text, "held");
}

static bool
certificates(const char *json, struct str pem[2], size_t *n)
{
	static char buf[512];

	return vzd_read_certificates(str_z(json), buf, pem, 2, n);
}

Test(vzd_read, certificates)
{
	struct str pem[2];
	size_t n;

	cr_assert(
	    certificates("{\"passportSigningCertificates\":[\"a\\n\",\"b\"],\"x\":[1]}", pem, &n));
	cr_assert(n == 2 && str_eq(pem[0], STR("a\n")) && str_eq(pem[1], STR("b")));
	cr_assert(certificates("{\"passportSigningCertificate\":\"a\"}", pem, &n) && n == 1);
	cr_assert(certificates("{\"passportSigningCertificates\":[]}", pem, &n) && n == 0);
	cr_assert(!certificates("{\"passportSigningCertificates\":[\"a\",\"b\",\"c\"]}", pem, &n));
	cr_assert(!certificates("{\"passportSigningCertificates\":[1]}", pem, &n));
	cr_assert(!certificates("{\"other\":[]}", pem, &n));
	cr_assert(!certificates("[]", pem, &n));
	cr_assert(!certificates("{\"passportSigningCertificate\":\"a\"", pem, &n));
}

Test(vzd_read, places)
{
	enum vzd_place p;

	cr_assert(vzd_read_place(STR("\"org\""), &p) && p == VZD_ORG);
	cr_assert(vzd_read_place(STR(" orgPract\r\n"), &p) && p == VZD_ORG_PRACT);
	cr_assert(vzd_read_place(STR("pract"), &p) && p == VZD_PRACT);
	cr_assert(vzd_read_place(STR("none"), &p) && p == VZD_NONE);
	cr_assert(!vzd_read_place(STR(""), &p));
	cr_assert(!vzd_read_place(STR("\""), &p));
	cr_assert(!vzd_read_place(STR("Org"), &p));
	cr_assert(!vzd_read_place(STR("{\"org\":1}"), &p));
}
