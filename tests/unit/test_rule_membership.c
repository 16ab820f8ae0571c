/* SPDX-License-Identifier: Apache-2.0 */
/* FD-5.2.1.2-7/-11/-12, FD-5.2.2-18, O-4, O-12 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>

#include "tests/unit/judge.h"

static struct fedlist *
list_of(const char *text)
{
	const struct fedlist_limits limits = { 100 };
	unsigned char hash[32];
	char hex[65];
	const struct macro macros[] = { { "$HASH", hex } };
	struct fedlist *list = NULL;
	char *payload;

	crypto_hash_sha256(hash, (const unsigned char *)THEM, strlen(THEM));
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	payload = expand(text, macros, 1);
	if (payload[0] != '\0')
		cr_assert_eq(fedlist_parse(str_z(payload), &limits, &list), OK);
	free(payload);
	return list;
}

static const char *
verdict(const char *const *field)
{
	struct fedlist *list = list_of(field[0]);
	struct request r;
	enum err err = request_init(&r, "GET", "/_matrix/federation/v1/event/e", "", "");

	cr_assert_eq(err, OK);
	r.j.list = list;
	r.j.list_stale = strcmp(field[1], "stale") == 0;
	r.federation.ports_any = strcmp(field[2], "any") == 0;
	r.j.outbound = strcmp(field[4], "out") == 0;
	*(r.j.outbound ? &r.j.destination : &r.j.origin) = str_z(field[3]);
	if (r.j.outbound)
		r.j.origin = STR(US);
	err = rule_membership(&r.j);
	request_fini(&r);
	snapshot_drop((struct snapshot *)list);
	return err_name(err);
}

Test(rule_membership, judges_every_case)
{
	judge_cases("membership", verdict);
}
