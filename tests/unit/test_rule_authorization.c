/* SPDX-License-Identifier: Apache-2.0 */
/* FD-5.2.1.2-10 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>

#include "tests/unit/judge.h"

static const char *
verdict(const char *const *field)
{
	unsigned char sig[64] = { 1 };
	char text[128];
	const struct macro macros[] = { { "$SIG", text } };
	struct request r;
	char *fields;
	enum err err;

	sodium_bin2base64(text, sizeof(text), sig, sizeof(sig), sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	fields = expand(field[1], macros, 1);
	err = request_init(&r, "GET", "/_matrix/federation/v1/event/e", fields, "");
	r.service.destination_optional = strcmp(field[0], "optional") == 0;
	r.j.destination = r.j.signed_for = STR_NONE;
	if (err == OK)
		err = rule_authorization(&r.j);
	if (err == OK) {
		cr_assert(str_has_prefix(r.j.origin, STR(THEM)));
		cr_assert(str_eq(r.j.destination, STR(US)));
		cr_assert(str_eq(r.j.signed_for, STR(US)));
	}
	request_fini(&r);
	free(fields);
	return err_name(err);
}

Test(rule_authorization, judges_every_case)
{
	judge_cases("authorization", verdict);
}

Test(rule_authorization, counts_an_absent_destination)
{
	struct request r;
	char fields[256], sig[128];
	static const unsigned char zero[64];

	sodium_bin2base64(sig, sizeof(sig), zero, 64, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	snprintf(fields, sizeof(fields), "Authorization: X-Matrix origin=" THEM ",key=\"ed25519:1\",sig=\"%s\"", sig);
	cr_assert_eq(request_init(&r, "GET", "/_matrix/federation/v1/event/e", fields, ""), OK);
	r.service.destination_optional = true;
	cr_assert_eq(rule_authorization(&r.j), OK);
	cr_assert(r.j.destination_absent);
	cr_assert_eq(r.j.n_auth, 1);
	request_fini(&r);
}
