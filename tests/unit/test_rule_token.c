/* SPDX-License-Identifier: Apache-2.0 */
/* FD-5.2.1.2-19/-20 */
#include <criterion/criterion.h>
#include "tests/unit/judge.h"

static const char *
verdict(const char *const *field)
{
	static char found[256];
	char target[256];
	struct request r;
	struct str token;

	snprintf(target, sizeof(target), "/_matrix/client/v3/join/r%s", field[0]);
	cr_assert_eq(request_init(&r, "POST", target, field[1], ""), OK);
	token = rule_token(&r.j);
	if (token.n > 0)
		snprintf(found, sizeof(found), STR_FMT, STR_ARG(token));
	request_fini(&r);
	return token.n > 0 ? found : "none";
}

Test(rule_token, judges_every_case)
{
	judge_cases("token", verdict);
}

Test(rule_token, counts_every_occurrence_of_a_parameter)
{
	struct request r;
	struct str value;

	cr_assert_eq(request_init(&r, "POST", "/_matrix/client/v3/join/r?a=1&b=2;%61=3&a", "", ""), OK);
	cr_assert_eq(rule_query(&r.j, STR("a"), &value), 3);
	cr_assert(str_eq(value, STR("1")));
	cr_assert_eq(rule_query(&r.j, STR("b"), &value), 1);
	cr_assert_eq(rule_query(&r.j, STR("c"), &value), 0);
	request_fini(&r);
}
