/* SPDX-License-Identifier: Apache-2.0 */
/* TI-User-Agent of who asks (A_26182-01, A_26183-01, A_26184-02). */
#include <criterion/criterion.h>

#include "lib/http/caller.h"

static const struct {
	struct str value;
	enum caller_form form;
} cases[] = {
	{ STR("CLIENTID1234567890AB/2.1.12-45"), CALLER_VALID },
	{ STR("abc/1.0"), CALLER_VALID },
	{ STR("a-C/1.0.0-rc1"), CALLER_VALID },
	{ STR("-9-/..."), CALLER_VALID },
	{ STR("abc/12345678901234567890"), CALLER_VALID },
	{ STR("ab/1.0"), CALLER_INVALID },
	{ STR("abc/10"), CALLER_INVALID },
	{ STR("CLIENTID1234567890ABC/1.0"), CALLER_INVALID },
	{ STR("abc/123456789012345678901"), CALLER_INVALID },
	{ STR("a_c/1.0"), CALLER_INVALID },
	{ STR("abc/1_0"), CALLER_INVALID },
	{ STR("a.c/1.0"), CALLER_INVALID },
	{ STR("abc /1.0"), CALLER_INVALID },
	{ STR("abc/1.0/2"), CALLER_INVALID },
	{ STR("abc/"), CALLER_INVALID },
	{ STR("/1.0"), CALLER_INVALID },
	{ STR("abc1.0"), CALLER_INVALID },
	{ STR(""), CALLER_INVALID },
	{ STR("ab\xc3\xa4/1.0"), CALLER_INVALID },
	{ STR("abc/1.0\r\nX: y"), CALLER_INVALID },
	{ STR("abc/1.0\0"), CALLER_INVALID },
	{ STR("abc/1.0\";DROP"), CALLER_INVALID },
	{ STR("${jndi:ldap://x}"), CALLER_INVALID },
	{ STR("abc/1.0\n{\"x\":1}"), CALLER_INVALID },
};

Test(caller, only_the_agreed_form_is_noted)
{
	struct h1_field field = { .name = STR("ti-user-agent") };
	const struct h1_head head = { .fields = &field, .n_fields = 1 };
	struct str value;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		field.value = cases[i].value;
		cr_assert_eq(
		    caller_read(&head, &value), cases[i].form, STR_FMT, STR_ARG(field.value));
		cr_assert(
		    str_eq(value, cases[i].form == CALLER_VALID ? field.value : STR("invalid")));
	}
}

Test(caller, is_named_once_or_not_at_all)
{
	struct h1_field fields[] = {
		{ .name = STR("TI-User-Agent"), .value = STR("abc/1.0") },
		{ .name = STR("User-Agent"), .value = STR("Synapse/1.160.0") },
		{ .name = STR("TI-User-Agent"), .value = STR("abc/1.0") },
	};
	struct h1_head head = { .fields = fields, .n_fields = 3 };
	struct str value;

	cr_assert_eq(caller_read(&head, &value), CALLER_INVALID);
	cr_assert(str_eq(value, STR("invalid")));
	head.n_fields = 2;
	cr_assert_eq(caller_read(&head, &value), CALLER_VALID);
	head.fields = fields + 1;
	head.n_fields = 1;
	cr_assert_eq(caller_read(&head, &value), CALLER_ABSENT);
	cr_assert_eq(value.n, 0);
}
