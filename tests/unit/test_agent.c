/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "lib/trust/agent.h"

Test(agent, client_ids_have_3_to_20_letters_digits_and_hyphens) /* A_27783-2 */
{
	cr_assert(agent_id_ok(STR("abc")));
	cr_assert(agent_id_ok(STR("SCHLEUSE-Proxy-00001")));
	cr_assert_not(agent_id_ok(STR("ab")));
	cr_assert_not(agent_id_ok(STR("SCHLEUSE-Proxy-000012")));
	cr_assert_not(agent_id_ok(STR("a_b")));
	cr_assert_not(agent_id_ok(STR("a b c")));
	cr_assert_not(agent_id_ok(STR("abc\r\n")));
	cr_assert_not(agent_id_ok(STR("\xc3\xa4\xc3\xb6")));
}

Test(agent, the_version_of_this_package_may_be_sent) /* A_27783-3 */
{
	size_t n = strlen(PACKAGE_VERSION);

	cr_assert(n >= AGENT_VERSION_MIN && n <= AGENT_VERSION_MAX);
	cr_assert_eq(strspn(PACKAGE_VERSION, "0123456789.-"), n, PACKAGE_VERSION);
}

Test(agent, field_is_made_of_both)
{
	char field[AGENT_FIELD_MAX];

	agent_field("SIM-1", field);
	cr_assert_str_eq(field, "TI-User-Agent: SIM-1/" PACKAGE_VERSION);
	agent_field(NULL, field);
	cr_assert_str_eq(field, "");
}
