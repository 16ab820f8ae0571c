/* SPDX-License-Identifier: Apache-2.0 */
/* FD-5.2.1.2-19/-20, O-10 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/unit/judge.h"

#define ACCOUNT(name, ...)                                                                         \
	{ #name, { .known = true, .user = { "@" #name ":" US, sizeof("@" #name ":" US) - 1 }, __VA_ARGS__ } }
#define NAMED(text) .has_displayname = true, .displayname = { text, sizeof(text) - 1 }

static const struct {
	const char *token;
	struct rule_account account;
} accounts[] = {
	ACCOUNT(anna, NAMED("Anna")),
	ACCOUNT(office, NAMED("Office")),
	ACCOUNT(root, .is_admin = true, NAMED("Root")),
	ACCOUNT(bridge, NAMED("Bridge")),
	ACCOUNT(nameless, .has_displayname = false),
};

static const struct macro macros[] = {
	{ "$C", "/_matrix/client/v3" },
	{ "$ME", "%40anna%3A" US },
	{ "$A", "Authorization: Bearer anna" },
};

#define MACROS (sizeof(macros) / sizeof(macros[0]))

static struct rule_account
account_of(struct str token)
{
	for (size_t i = 0; i < sizeof(accounts) / sizeof(accounts[0]); i++)
		if (str_eq(token, str_z(accounts[i].token)))
			return accounts[i].account;
	return (struct rule_account){ 0 };
}

static enum err
judge(struct request *r, bool admins_by_homeserver)
{
	static char office[] = "@office:" US, *admins[] = { office };
	struct rule_account account;

	r->service.org_admins = (struct conf_list){ .v = admins, .n = 1 };
	r->service.org_admin_by_homeserver = admins_by_homeserver;
	if (r->j.route->rule == RULE_NONE || !rule_displayname_applies(&r->j))
		return OK;
	account = account_of(rule_token(&r->j));
	r->j.account = &account;
	return rule_displayname(&r->j);
}

static const char *
verdict(const char *const *field)
{
	char *target = expand(field[1], macros, MACROS), *fields = expand(field[2], macros, MACROS);
	struct request r;
	enum err err = request_init(&r, field[0], target, fields, field[3]);

	if (err == OK) {
		cr_assert_eq(r.j.route->api, API_CLIENT);
		err = judge(&r, true);
	}
	request_fini(&r);
	free(target);
	free(fields);
	return err_name(err);
}

Test(rule_displayname, judges_every_case)
{
	judge_cases("displayname", verdict);
}

Test(rule_displayname, the_homeservers_flag_counts_only_if_configured)
{
	struct request r;

	cr_assert_eq(request_init(&r, "PUT", "/_matrix/client/v3/profile/@anna:" US "/displayname",
			 "Authorization: Bearer root", ""), OK);
	cr_assert_eq(judge(&r, true), OK);
	cr_assert_eq(judge(&r, false), ERR_DISPLAYNAME);
	request_fini(&r);
}
