/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invite - an invite event carries a PASSporT of the invited user for the inviting one.
 *
 * Everything is taken from the event in the body, never from the path: that is what the homeserver
 * acts on.  Both services of an invite judge it: the inviting one before it leaves, the invited one
 * when it comes in.
 *
 * exchange_third_party_invite goes the other way round: the server of the invited user, whose mail
 * address was bound to its ID just now, asks that of the inviting user to issue the invite (Matrix
 * server-server API, "Third-party invites").  The invite itself comes by the invite endpoint then.
 */
#include "lib/matrix/canonical.h"
#include "lib/matrix/name.h"
#include "proxy/passport.h"
#include "proxy/rules/rules.h"

#define PASSPORT_TRIALS 4
#define PASSPORT_EVENT STR("de.gematik.ti-messenger.passport")

static struct str
server_of(struct str mxid)
{
	struct str local, domain;

	return mxid_parse(mxid, &local, &domain) ? domain : STR_NONE;
}

static enum err
read_event(struct judged *j, struct str event, struct invite *out)
{
	if (json_type(event) != JSON_OBJECT ||
	    !json_is(json_get(event, STR("type")), STR("m.room.member")) ||
	    !json_is(json_get(json_get(event, STR("content")), STR("membership")), STR("invite")))
		return ERR_JSON_SHAPE;
	out->room = json_text(j->arena, json_get(event, STR("room_id")));
	out->sender = json_text(j->arena, json_get(event, STR("sender")));
	out->invitee = json_text(j->arena, json_get(event, STR("state_key")));
	if (out->room.n == 0 || out->sender.n == 0 || out->invitee.n == 0)
		return ERR_JSON_SHAPE;
	/* The homeserver ignores the path's room; a sender that means another one is up to
	 * something. */
	return str_eq(out->room, j->path->text[4]) ? OK : ERR_JSON_SHAPE;
}

/* Who may invite whom by this endpoint.  In an exchange, the PASSporT alone says about the end that
 * is not ours: the server that is asked can issue invites of its own users only. */
static enum err
check_sides_in(const struct judged *j, struct str inviter, struct str invitee)
{
	struct str us = str_z(j->service->server_name);
	bool exchange = j->route->rule == RULE_EXCHANGE;

	if (!str_eq(inviter, exchange ? us : j->origin))
		return ERR_INVITE_ORIGIN;
	if (!exchange && !str_eq(invitee, us))
		return ERR_INVITE_TARGET;
	return OK;
}

static enum err
check_sides_out(const struct judged *j, struct str inviter, struct str invitee)
{
	struct str us = str_z(j->service->server_name);

	if (j->route->rule == RULE_EXCHANGE)
		return str_eq(invitee, us) ? OK : ERR_INVITE_TARGET;
	if (!str_eq(inviter, us))
		return ERR_OUT_INVITER;
	return rule_same_server(invitee, j->destination) ? OK : ERR_OUT_INVITEE;
}

/* The state key says whose PASSporT an event holds: it is the user's ID or, because no room version
 * of the specification lets anybody set state under another user's ID, the ID behind an underscore.
 */
static bool
is_for(struct arena *a, struct str key, struct str user)
{
	struct str text;

	if (json_is(key, user))
		return true;
	text = json_text(a, key);
	return text.n == user.n + 1 && text.p[0] == '_' && str_eq(str_from(text, 1), user);
}

/* Verifies the matching entries of one invite_room_state; *err is OK once one of them is good. Each
 * costs a signature check, so there are only so many `trials` for one request. */
static void
check_state(
    struct judged *j, const struct invite *in, struct str state, unsigned *trials, enum err *err)
{
	const struct passport_demands demands = {
		.orig = in->sender,
		.dest = in->invitee,
		.now = j->now_ms / 1000,
		.max_age_s = (int64_t)(j->service->passport_max_age / 1000),
		.max_future_s = (int64_t)(j->service->passport_max_future / 1000),
		.iat_optional = j->service->passport_iat_optional,
	};
	struct json_iter it;
	struct str entry;

	json_begin(&it, state);
	while (*err != OK && *trials > 0 && json_type(state) == JSON_ARRAY &&
	       json_next(&it, NULL, &entry)) {
		struct str token;

		if (!json_is(json_get(entry, STR("type")), PASSPORT_EVENT) ||
		    !is_for(j->arena, json_get(entry, STR("state_key")), in->invitee) ||
		    !json_is(json_get(entry, STR("sender")), in->sender))
			continue;
		(*trials)--;
		token =
		    json_text(j->arena, json_get(json_get(entry, STR("content")), STR("token")));
		*err = token.n == 0 ? ERR_PASSPORT_SYNTAX
		       : j->passports == NULL
			   ? ERR_PASSPORT_CERTIFICATE
			   : passport_verify(j->arena, j->passports, token, &demands);
		if (*err == ERR_PASSPORT_CERTIFICATE && j->x5u.n == 0)
			j->x5u = passport_x5u(j->arena, token);
	}
}

enum err
rule_invite(struct judged *j)
{
	bool v2 = j->route->rule == RULE_INVITE;
	struct str event = v2 ? json_get(j->content, STR("event")) : j->content;
	unsigned trials = PASSPORT_TRIALS;
	struct invite *in = j->invites = arena_alloc(j->arena, sizeof(*in));
	enum err err = in != NULL ? read_event(j, event, in) : ERR_MEMORY;

	if (err == OK)
		err = (j->outbound ? check_sides_out : check_sides_in)(
		    j, server_of(in->sender), server_of(in->invitee));
	if (err != OK)
		return err;
	j->n_invites = 1;
	err = ERR_PASSPORT_MISSING;
	if (v2)
		check_state(j, in, json_get(j->content, STR("invite_room_state")), &trials, &err);
	check_state(j, in, json_get(json_get(event, STR("unsigned")), STR("invite_room_state")),
	    &trials, &err);
	return err;
}
