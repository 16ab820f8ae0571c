/* SPDX-License-Identifier: Apache-2.0 */
/* FD-5.2.1.2-15, O-9 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/unit/judge.h"

#define PDU(type, key, membership)                                                                 \
	"{\"type\":\"" type "\",\"sender\":\"@eve:" THEM "\",\"state_key\":\"" key                      \
	"\",\"room_id\":\"!r:" US "\",\"content\":{\"membership\":\"" membership "\"}}"
#define TOPIC "{\"type\":\"m.room.topic\",\"state_key\":\"\",\"content\":{\"topic\":\"invite\"}}"
#define T7 TOPIC "," TOPIC "," TOPIC "," TOPIC "," TOPIC "," TOPIC "," TOPIC
#define INVITE PDU("m.room.member", "@bob:" US, "invite")

static const struct macro macros[] = {
	{ "$INVITE", INVITE },
	{ "$JOIN", PDU("m.room.member", "@bob:" US, "join") },
	{ "$TOPIC", TOPIC },
	{ "$49", T7 "," T7 "," T7 "," T7 "," T7 "," T7 "," T7 },
};

static const char *
verdict(const char *const *field)
{
	char *body = expand(field[1], macros, sizeof(macros) / sizeof(macros[0]));
	bool known[INVITES_MAX];
	struct request r;
	enum err err = request_init(&r, "PUT", "/_matrix/federation/v1/send/1", "", body);

	r.j.outbound = strcmp(field[2], "out") == 0;
	if (r.j.outbound) {
		r.j.origin = STR(US);
		r.j.destination = STR("Them.example");
	}
	if (err == OK)
		err = rule_transaction_list(&r.j);
	if (err == OK) {
		cr_assert_eq(r.j.n_invites, strlen(field[0]), "%zu invites: %s", r.j.n_invites, body);
		for (size_t i = 0; i < r.j.n_invites; i++)
			known[i] = field[0][i] == 'y';
		r.j.invites_known = known;
		err = rule_transaction(&r.j);
	}
	request_fini(&r);
	free(body);
	return err_name(err);
}

Test(rule_transaction, judges_every_case)
{
	judge_cases("transaction", verdict);
}

Test(rule_transaction, asks_for_room_sender_and_invited_user_of_the_event)
{
	struct request r;

	cr_assert_eq(request_init(&r, "PUT", "/_matrix/federation/v1/send/1", "", "{\"pdus\":[" INVITE "]}"), OK);
	cr_assert_eq(rule_transaction_list(&r.j), OK);
	cr_assert_eq(r.j.n_invites, 1);
	cr_assert(str_eq(r.j.invites[0].room, STR("!r:" US)));
	cr_assert(str_eq(r.j.invites[0].sender, STR("@eve:" THEM)));
	cr_assert(str_eq(r.j.invites[0].invitee, STR("@bob:" US)));
	request_fini(&r);
}

Test(rule_transaction, is_refused_when_memory_does_not_suffice)
{
	struct request r;

	cr_assert_eq(request_init(&r, "PUT", "/_matrix/federation/v1/send/1", "",
			 "{\"pdus\":[" PDU("m.room.member", "@b\\\"ob:" US, "invite") "]}"), OK);
	r.arena.max = r.arena.used + INVITES_MAX * sizeof(struct invite);
	while (arena_bytes(&r.arena, 1) == NULL)
		r.arena.max++;
	r.j.invites = NULL;
	for (size_t i = 0; i < 64; i++) {
		enum err err = rule_transaction_list(&r.j);

		cr_assert(err == ERR_MEMORY || (err == OK && r.j.n_invites == 1), "%s", err_name(err));
		r.arena.max += 8;
	}
	request_fini(&r);
}
