/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "regsvc/api_target.h"

static struct arena arena;
static struct target target;

static void
open_arena(void)
{
	arena_init(&arena, 65536);
}

static void
close_arena(void)
{
	arena_fini(&arena);
}

TestSuite(api_target, .init = open_arena, .fini = close_arena);

static enum err
parse(const char *text)
{
	return target_parse(&arena, str_z(text), &target);
}

static bool
segment_is(size_t i, const char *text)
{
	return i < target.n_segments && str_eq(target.segments[i], str_z(text));
}

static bool
param_is(const char *name, const char *text)
{
	struct str value;

	return target_param(&target, str_z(name), &value) && str_eq(value, str_z(text));
}

Test(api_target, segments_and_parameters_are_decoded_one_by_one)
{
	cr_assert_eq(parse("/v1/%41b/x.jws?a=1&b=https%3A%2F%2Fx%2Fy%3Fz%3D%261&c="), OK);
	cr_assert_eq(target.n_segments, 3);
	cr_assert(segment_is(0, "v1"));
	cr_assert(segment_is(1, "Ab"));
	cr_assert(segment_is(2, "x.jws"));
	cr_assert_eq(target.n_params, 3);
	cr_assert(param_is("a", "1"));
	cr_assert(param_is("b", "https://x/y?z=&1"));
	cr_assert(param_is("c", ""));
	cr_assert_not(param_is("d", ""));
}

Test(api_target, paths_that_could_be_read_in_two_ways_are_refused)
{
	static const char *const bad[] = { "/v1//x", "/v1/", "//", "/v1/./x", "/v1/../x",
		"/v1/%2e%2E/x", "/v1/%2e/x", "/v1/a%2fb", "/v1/a%5cb", "/v1/a\\b", "/v1/a%00b",
		"/v1/a%0ab", "/v1/a%7f", "/v1/%", "/v1/%4", "/v1/%4g", "/v1/a%20b" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(parse(bad[i]), ERR_PATH, "%s", bad[i]);
}

Test(api_target, what_is_no_path_here_is_not_recognized)
{
	cr_assert_eq(parse(""), ERR_UNRECOGNIZED);
	cr_assert_eq(parse("*"), ERR_UNRECOGNIZED);
	cr_assert_eq(parse("/1/2/3/4/5/6/7/8/9"), ERR_UNRECOGNIZED);
	cr_assert_eq(parse("/"), OK);
	cr_assert_eq(target.n_segments, 0);
}

Test(api_target, malformed_and_repeated_parameters_are_refused)
{
	static const char *const bad[] = { "/a?", "/a?&", "/a?x", "/a?x=1&", "/a?=1", "/a?x=1&x=1",
		"/a?x=1&%78=2", "/a?x=%", "/a?x=%0", "/a?x=%00", "/a?x=a+b", "/a?x=%0d%0a",
		"/a?1=&2=&3=&4=&5=&6=&7=&8=&9=" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(parse(bad[i]), ERR_QUERY, "%s", bad[i]);
}

/* CP-1.2.1-6 */
Test(api_target, secrets_and_names_in_a_url_are_refused_as_such)
{
	static const char *const bad[] = { "/a?access_token=x", "/a?x=1&access_token=x",
		"/a?ACCESS_TOKEN=x", "/a?access%5Ftoken=x", "/a?access_token",
		"/a?access_token=", "/a?access_token=a+b", "/a?mxid=%40a%3Ab", "/a?client_secret=x",
		"/no/such//path?access_token=x" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(parse(bad[i]), ERR_URL_SECRET, "%s", bad[i]);
}

Test(api_target, templates_fit_segment_by_segment)
{
	cr_assert_eq(parse("/v1/abc/federation-list/domains/a.b"), OK);
	cr_assert(target_is(&target, "/v1/{subscription}/federation-list/domains/{domain}"));
	cr_assert_not(target_is(&target, "/v1/{subscription}/federation-list/domains"));
	cr_assert_not(target_is(&target, "/v1/{subscription}/federation-list/domains/{domain}/x"));
	cr_assert_not(target_is(&target, "/v2/{subscription}/federation-list/domains/{domain}"));
	cr_assert_eq(parse("/"), OK);
	cr_assert_not(target_is(&target, "/token"));
}

Test(api_target, unknown_parameters_are_noticed)
{
	cr_assert_eq(parse("/a?list=1&wait=2"), OK);
	cr_assert(target_params_known(&target, "list,certificates,wait"));
	cr_assert_not(target_params_known(&target, "list,certificates"));
	cr_assert_not(target_params_known(&target, "list,waiting"));
	cr_assert_not(target_params_known(&target, ""));
	cr_assert_eq(parse("/a"), OK);
	cr_assert(target_params_known(&target, ""));
}

Test(api_target, without_memory_nothing_is_parsed)
{
	arena_fini(&arena);
	arena_init(&arena, 4);
	cr_assert_eq(parse("/abcdefgh"), ERR_MEMORY);
}
