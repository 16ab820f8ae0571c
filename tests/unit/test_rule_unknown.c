/* SPDX-License-Identifier: Apache-2.0 */
/* FD-5.2.1.2-15, O-9, O-13 */
#include <criterion/criterion.h>
#include "tests/unit/judge.h"

static const char *
verdict(const char *const *field)
{
	struct request r;
	enum err err = request_init(&r, field[0], field[1], "", "{}");

	if (err == OK) {
		cr_assert_eq(r.j.route->rule, RULE_UNKNOWN_FEDERATION, "%s", field[1]);
		err = rule_unknown(&r.j);
		r.j.outbound = true;
		cr_assert_eq(rule_unknown(&r.j), err == OK ? OK : ERR_OUT_TARGET_REFUSED, "%s", field[1]);
	}
	request_fini(&r);
	return err_name(err);
}

Test(rule_unknown, judges_every_case)
{
	judge_cases("unknown", verdict);
}

static const char *
guest(const char *const *field)
{
	struct request r;
	enum err err;

	(void)request_init(&r, field[0], field[1], "", ""); /* which paths we understand does not count */
	err = rule_guest(&r.j);
	request_fini(&r);
	return err_name(err);
}

Test(rule_guest, judges_every_case)
{
	judge_cases("guest", guest);
}

Test(rule_guest, escapes_within_escapes_end)
{
	char target[8192] = "/_matrix/%";
	struct request r;

	for (size_t n = strlen(target); n + 3 <= sizeof(target); n += 2)
		memcpy(target + n, "25", 3);
	(void)request_init(&r, "GET", target, "", "");
	cr_assert_eq(rule_guest(&r.j), OK);
	request_fini(&r);
}
