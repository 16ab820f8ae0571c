/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transaction - invites that come as ordinary events inside PUT /send (O-9).
 *
 * Such an event has no invite_room_state, so it can only be recognised as one that went through the
 * invite endpoint before: inbound, one our homeserver accepted; outbound, one of ours that the
 * other homeserver accepted.  A transaction is signed as a whole: it passes or is refused as a
 * whole.
 *
 * Inbound it does not count whose invite of our user it is.  Outbound, a homeserver that catches up
 * hands on the latest events of a room whoever sent them; an invite by a third service was judged
 * there when it left, and is by the service of the invited user.
 */
#include "lib/matrix/canonical.h"
#include "lib/matrix/name.h"
#include "proxy/rules/rules.h"

/* Whether the user is one of the server's, also for a homeserver that normalises names. */
static bool
lives_on(struct str mxid, struct str server)
{
	struct str local, domain;

	return mxid_parse(mxid, &local, &domain) && rule_same_server(domain, server);
}

static bool
is_exactly_ours(const struct judged *j, struct str mxid)
{
	struct str local, domain;

	return mxid_parse(mxid, &local, &domain) && str_eq(domain, str_z(j->service->server_name));
}

static bool
must_be_known(const struct judged *j, const struct invite *in)
{
	if (!lives_on(in->invitee, j->destination))
		return false;
	if (j->outbound)
		return lives_on(in->sender, str_z(j->service->server_name));
	/* Invites among our own users need no PASSporT, wherever the event comes from. */
	return !is_exactly_ours(j, in->sender);
}

/* A string member; false: it needed more memory than there is. */
static bool
get_text(struct judged *j, struct str pdu, struct str name, struct str *out)
{
	struct str value = json_get(pdu, name);

	*out = json_text(j->arena, value);
	return out->p != NULL || json_type(value) != JSON_STRING;
}

static enum err
look_at(struct judged *j, struct str pdu)
{
	struct invite *in = &j->invites[j->n_invites];

	if (!json_is(json_get(pdu, STR("type")), STR("m.room.member")) ||
	    !json_is(json_get(json_get(pdu, STR("content")), STR("membership")), STR("invite")))
		return OK;
	if (!get_text(j, pdu, STR("state_key"), &in->invitee) ||
	    !get_text(j, pdu, STR("sender"), &in->sender) ||
	    !get_text(j, pdu, STR("room_id"), &in->room))
		return ERR_MEMORY;
	if (must_be_known(j, in))
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
		err = n++ < INVITES_MAX && json_type(pdu) == JSON_OBJECT ? look_at(j, pdu)
									 : ERR_JSON_SHAPE;
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
