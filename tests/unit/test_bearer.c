/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of token endpoints as they were seen, and as they must not be. */
#include <criterion/criterion.h>

#include "lib/jose/bearer.h"

static struct bearer token;

static enum err
read_token(const char *json)
{
	return bearer_read(&token, str_z(json), 1000, 30000, 60000);
}

static void
drop(void)
{
	bearer_drop(&token);
}

TestSuite(bearer, .fini = drop);

Test(bearer, every_form_of_the_answer)
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
	cr_assert(bearer_good(&token, token.until - 1));
	cr_assert(!bearer_good(&token, token.until));
}

Test(bearer, what_is_none_changes_nothing)
{
	static const char *const bad[] = { "", "{}", "[]", "{\"access_token\":\"\"}",
		"{\"access_token\":5}", "{\"access_token\":\"a b\"}",
		"{\"access_token\":\"a\\r\\nb: c\"}", "{\"access_token\":null}",
		"{\"access_token\":\"t\",\"token_type\":\"mac\"}", "{\"access_token\":\"t\"",
		"{\"access_token\":\"t\"}x" };

	cr_assert_eq(read_token("{\"access_token\":\"held\"}"), OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(read_token(bad[i]), ERR_HTTP_ANSWER, "%s", bad[i]);
	cr_assert_str_eq(token.text, "held");
}

Test(bearer, a_field_of_it)
{
	char *field = bearer_field("a.b-c");

	cr_assert_str_eq(field, "Authorization: Bearer a.b-c");
	bearer_wipe(field);
	bearer_wipe(NULL);
}
