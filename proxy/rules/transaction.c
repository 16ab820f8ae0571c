/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transaction - invites that come as ordinary events inside PUT /send (O-9).
 *
 * Such an event has no invite_room_state, so it can only be recognised as one that was accepted through
 * the invite endpoint.  A transaction is signed as a whole: it passes or is refused as a whole.
 */
#include "lib/matrix/canonical.h"
#include "lib/matrix/name.h"
#include "proxy/rules/rules.h"

static bool
is_ours(const struct judged *j, struct str mxid)
{
	struct str local, domain;

	return mxid_parse(mxid, &local, &domain) && str_eq(domain, str_z(j->service->server_name));
}

static enum err
look_at(struct judged *j, struct str pdu)
{
	struct invite *in = &j->invites[j->n_invites];

	if (!json_is(json_get(pdu, STR("type")), STR("m.room.member")) ||
	    !json_is(json_get(json_get(pdu, STR("content")), STR("membership")), STR("invite")))
		return OK;
	in->invitee = json_text(j->arena, json_get(pdu, STR("state_key")));
	in->sender = json_text(j->arena, json_get(pdu, STR("sender")));
	in->room = json_text(j->arena, json_get(pdu, STR("room_id")));
	/* Invites among our own users need no PASSporT, wherever the event comes from. */
	if (!is_ours(j, in->invitee) || is_ours(j, in->sender))
		return OK;
	j->n_invites++;
	return OK;
}

enum err
rule_transaction_list(struct judged *j)
{
	struct str pdus = json_get(j->content, STR("pdus")), pdu;
	struct json_iter it;
	enum err err = OK;
	size_t n = 0;

	j->n_invites = 0;
	j->invites = arena_alloc(j->arena, INVITES_MAX * sizeof(*j->invites));
	if (j->invites == NULL)
		return ERR_MEMORY;
	if (json_type(pdus) == JSON_NONE)
		return OK;
	if (json_type(pdus) != JSON_ARRAY)
		return ERR_JSON_SHAPE;
	json_begin(&it, pdus);
	while (err == OK && json_next(&it, NULL, &pdu))
		err = n++ < INVITES_MAX && json_type(pdu) == JSON_OBJECT ? look_at(j, pdu) : ERR_JSON_SHAPE;
	return err;
}

enum err
rule_transaction(struct judged *j)
{
	for (size_t i = 0; i < j->n_invites; i++)
		if (!j->invites_known[i])
			return ERR_INVITE_UNKNOWN;
	return OK;
}
