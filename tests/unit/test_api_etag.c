/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "regsvc/api_etag.h"

static bool
matches(const char *a, const char *b)
{
	struct h1_field fields[] = {
		{ .name = STR("Accept"), .value = STR("\"e1\"") },
		{ .name = STR("if-None-match"), .value = str_z(a) },
		{ .name = STR("If-None-Match"), .value = str_z(b) },
	};
	const struct h1_head req = { .fields = fields, .n_fields = b != NULL ? 3 : 2 };

	return etag_matches(&req, STR("\"e1\""));
}

/* RFC 9110 13.1.2 */
Test(api_etag, one_several_and_any_tag_match)
{
	cr_assert(matches("\"e1\"", NULL));
	cr_assert(matches("W/\"e1\"", NULL));
	cr_assert(matches("*", NULL));
	cr_assert(matches("\"e0\", \"e1\"", NULL));
	cr_assert(matches("\"e0\" ,,W/\"e1\"\t", NULL));
	cr_assert(matches("\"a,b\",\"e1\"", NULL));
	cr_assert(matches("\"e0\"", "\"e1\""));
}

Test(api_etag, others_do_not)
{
	cr_assert_not(matches("\"e0\"", NULL));
	cr_assert_not(matches("\"E1\"", NULL));
	cr_assert_not(matches("", NULL));
	cr_assert_not(matches("\"\"", NULL));
	cr_assert_not(matches("\"e1 \"", NULL));
}

Test(api_etag, what_is_malformed_matches_nothing)
{
	cr_assert_not(matches("e1", NULL));
	cr_assert_not(matches("\"e1", NULL));
	cr_assert_not(matches("w/\"e1\"", NULL));
	cr_assert_not(matches("x \"e1\"", NULL));
	cr_assert_not(matches("\"e0\" \"e1\"", NULL));
	cr_assert_not(matches("*, \"e1\"", NULL));
	cr_assert_not(matches("\"e1\"x", NULL));
}

Test(api_etag, without_the_field_nothing_matches)
{
	const struct h1_head req = { .n_fields = 0 };

	cr_assert_not(etag_matches(&req, STR("\"e1\"")));
}

Test(api_etag, the_text_between_the_quotes)
{
	cr_assert(str_eq(etag_opaque(STR("\"e1\"")), STR("e1")));
	cr_assert(str_eq(etag_opaque(STR("W/\"e1\"")), STR("e1")));
	cr_assert(str_eq(etag_opaque(STR("e1")), STR("e1")));
	cr_assert(str_eq(etag_opaque(STR("\"")), STR("\"")));
	cr_assert(str_eq(etag_opaque(STR("W/")), STR_NONE));
}
