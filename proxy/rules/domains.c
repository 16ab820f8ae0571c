/* SPDX-License-Identifier: Apache-2.0 */
/*
 * domains - whose users and servers the events of an outbound body are about (AF_10064-02: every
 * event between servers; A_25534).
 *
 * The parties count: who sends an event, whose membership it changes, which server it is from; in
 * ephemeral events also whom they are for.  The domains within room IDs, event IDs and aliases say
 * where something was made once: that server may have left the federation, the room of its members
 * lives on.  The same holds for the state of a room that an invite shows.
 */
#include "lib/matrix/canonical.h"
#include "lib/matrix/name.h"
#include "proxy/rules/rules.h"

static enum err
add(struct judged *j, struct str name)
{
	char normal[NAME_MAX_LEN + 1];

	name = name_normal(name, normal);
	if (name.n == 0)
		return ERR_JSON_SHAPE;
	for (size_t i = 0; i < j->n_domains; i++)
		if (str_eq(j->domains[i], name))
			return OK;
	if (j->n_domains == DOMAINS_MAX)
		return ERR_JSON_SHAPE;
	j->domains[j->n_domains] = arena_dup(j->arena, name);
	return j->domains[j->n_domains++].p != NULL ? OK : ERR_MEMORY;
}

static enum err
text_of(struct judged *j, struct str value, struct str *out)
{
	*out = json_text(j->arena, value);
	if (out->p != NULL)
		return OK;
	return json_type(value) == JSON_STRING ? ERR_MEMORY : ERR_JSON_SHAPE;
}

static enum err
add_server(struct judged *j, struct str value)
{
	struct str text;
	enum err err = text_of(j, value, &text);

	return err == OK ? add(j, text) : err;
}

static enum err
add_user(struct judged *j, struct str value)
{
	struct str text, local, domain;
	enum err err = text_of(j, value, &text);

	if (err != OK)
		return err;
	return mxid_parse(text, &local, &domain) ? add(j, domain) : ERR_JSON_SHAPE;
}

/* The keys of an object are users. */
static enum err
add_keys(struct judged *j, struct str object)
{
	struct json_iter it;
	struct str key, value;
	enum err err = OK;

	json_begin(&it, object);
	while (err == OK && json_type(object) == JSON_OBJECT && json_next(&it, &key, &value))
		err = add_user(j, key);
	return err;
}

/* --- events --- */

static enum err
add_event(struct judged *j, struct str event)
{
	struct str key = json_get(event, STR("state_key")), origin = json_get(event, STR("origin"));
	enum err err = add_user(j, json_get(event, STR("sender")));

	if (err == OK && key.n > 0 && json_is(json_get(event, STR("type")), STR("m.room.member")))
		err = add_user(j, key);
	if (err == OK && origin.n > 0)
		err = add_server(j, origin);
	return err;
}

/* --- ephemeral events (Matrix server-server API, "Typing Notifications" and following) --- */

static enum err
add_one_user(struct judged *j, struct str content)
{
	return add_user(j, json_get(content, STR("user_id")));
}

static enum err
add_presence(struct judged *j, struct str content)
{
	struct str push = json_get(content, STR("push")), one;
	struct json_iter it;
	enum err err = OK;

	json_begin(&it, push);
	while (err == OK && json_type(push) == JSON_ARRAY && json_next(&it, NULL, &one))
		err = add_one_user(j, one);
	return err;
}

/* Room, kind of receipt, user. */
static enum err
add_receipts(struct judged *j, struct str content)
{
	struct json_iter rooms, kinds;
	struct str room, kind;
	enum err err = OK;

	json_begin(&rooms, content);
	while (err == OK && json_next(&rooms, NULL, &room)) {
		json_begin(&kinds, room);
		while (err == OK && json_next(&kinds, NULL, &kind))
			err = add_keys(j, kind);
	}
	return err;
}

static enum err
add_to_device(struct judged *j, struct str content)
{
	enum err err = add_user(j, json_get(content, STR("sender")));

	return err == OK ? add_keys(j, json_get(content, STR("messages"))) : err;
}

static enum err
add_edu(struct judged *j, struct str edu)
{
	static const struct {
		const char *type;
		enum err (*add)(struct judged *j, struct str content);
	} kinds[] = {
		{ "m.typing", add_one_user },
		{ "m.presence", add_presence },
		{ "m.receipt", add_receipts },
		{ "m.direct_to_device", add_to_device },
		{ "m.device_list_update", add_one_user },
		{ "m.signing_key_update", add_one_user },
	};
	struct str type = json_get(edu, STR("edu_type"));

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (json_is(type, str_z(kinds[i].type)))
			return kinds[i].add(j, json_get(edu, STR("content")));
	return OK;
}

/* --- bodies --- */

static enum err
add_each(struct judged *j, struct str array, enum err (*add_it)(struct judged *j, struct str one))
{
	struct json_iter it;
	struct str one;
	enum err err = OK;

	if (array.n > 0 && json_type(array) != JSON_ARRAY)
		return ERR_JSON_SHAPE;
	json_begin(&it, array);
	while (err == OK && json_next(&it, NULL, &one))
		err = json_type(one) == JSON_OBJECT ? add_it(j, one) : ERR_JSON_SHAPE;
	return err;
}

static enum err
add_transaction(struct judged *j)
{
	struct str origin = json_get(j->content, STR("origin"));
	enum err err = origin.n > 0 ? add_server(j, origin) : OK;

	if (err == OK)
		err = add_each(j, json_get(j->content, STR("pdus")), add_event);
	if (err == OK)
		err = add_each(j, json_get(j->content, STR("edus")), add_edu);
	return err;
}

enum err
rule_domains_list(struct judged *j)
{
	j->n_domains = 0;
	j->domains = arena_alloc(j->arena, DOMAINS_MAX * sizeof(*j->domains));
	if (j->domains == NULL)
		return ERR_MEMORY;
	switch (j->route->rule) {
	case RULE_TRANSACTION:
		return add_transaction(j);
	case RULE_INVITE:
		return add_event(j, json_get(j->content, STR("event")));
	case RULE_INVITE_V1:
	case RULE_EXCHANGE:
	case RULE_EVENT:
		return add_event(j, j->content);
	case RULE_UNKNOWN_FEDERATION:
		return rule_unknown_events(j);
	default:
		return OK;
	}
}

enum err
rule_domains(struct judged *j)
{
	for (size_t i = 0; i < j->n_domains; i++)
		if (!rule_is_listed(j, j->domains[i])) {
			j->stranger = j->domains[i];
			return ERR_DOMAIN_UNLISTED;
		}
	return OK;
}
