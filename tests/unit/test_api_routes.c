/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "regsvc/api_int.h"

static struct arena arena;
static const struct api_route *route;
static const char *allowed;

static enum err
find(enum h1_method method, const char *text)
{
	struct target t;

	route = NULL;
	arena_fini(&arena);
	arena_init(&arena, 65536);
	cr_assert_eq(target_parse(&arena, str_z(text), &t), OK);
	return api_route_find(&t, method, &route, &allowed);
}

#define V1 "/v1/0a0b0c0d-0000-4000-8000-000000000001/"

Test(api_routes, get_stands_for_head)
{
	cr_assert_eq(find(H1_GET, V1 "federation-list.jws?version=3"), OK);
	cr_assert_eq(route->endpoint, EP_LIST);
	cr_assert_eq(find(H1_HEAD, V1 "federation-list.jws"), OK);
	cr_assert_eq(route->endpoint, EP_LIST);
	cr_assert_eq(find(H1_GET, V1 "passport-certificates/ab"), OK);
	cr_assert_eq(route->endpoint, EP_CERTIFICATE);
	cr_assert_eq(find(H1_POST, V1 "where-is"), OK);
	cr_assert_eq(route->endpoint, EP_WHERE_IS);
}

/* B-5.4.6: nobody changes anything here. */
Test(api_routes, other_methods_are_told_which_ones_are_allowed)
{
	static const enum h1_method methods[] = { H1_OTHER, H1_PUT, H1_DELETE, H1_PATCH, H1_OPTIONS,
		H1_TRACE };

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		cr_assert_eq(find(methods[i], V1 "passport-certificates"), ERR_METHOD);
		cr_assert_str_eq(allowed, "GET, HEAD");
	}
	cr_assert_eq(find(H1_POST, V1 "changes"), ERR_METHOD);
	cr_assert_eq(find(H1_GET, "/token"), ERR_METHOD);
	cr_assert_str_eq(allowed, "POST");
}

Test(api_routes, everything_else_is_unknown)
{
	cr_assert_eq(find(H1_GET, "/"), ERR_UNRECOGNIZED);
	cr_assert_eq(find(H1_GET, "/v1"), ERR_UNRECOGNIZED);
	cr_assert_eq(find(H1_GET, V1 "federation-list"), ERR_UNRECOGNIZED);
	cr_assert_eq(find(H1_GET, V1 "Changes"), ERR_UNRECOGNIZED);
	cr_assert_eq(find(H1_GET, "/v2/x/changes"), ERR_UNRECOGNIZED);
	cr_assert_eq(find(H1_POST, "/token/x"), ERR_UNRECOGNIZED);
}

/* CP-2.2-1, FDS-2.6.5.2-5 */
Test(api_routes, whatever_belongs_to_somebody_names_the_subscription_and_a_scope)
{
	for (size_t i = 0; i < api_n_routes; i++) {
		const struct api_route *r = &api_routes[i];
		bool tenant = str_has_prefix(str_z(r->path), STR("/v1/{subscription}/"));

		cr_assert_eq(r->endpoint, i);
		cr_assert_eq(tenant, r->endpoint != EP_TOKEN, "%s", r->path);
		cr_assert_eq(tenant, r->scopes != 0, "%s", r->path);
	}
}
