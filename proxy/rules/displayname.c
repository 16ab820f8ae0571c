/* SPDX-License-Identifier: Apache-2.0 */
/*
 * displayname - users do not change their own display name, by whatever route (FD-5.2.1.2-19/-20,
 * O-10).
 */
#include "lib/matrix/canonical.h"
#include "lib/matrix/name.h"
#include "proxy/rules/rules.h"

static bool
reads(const struct judged *j)
{
	enum h1_method m = j->req->method;

	return m == H1_GET || m == H1_HEAD || m == H1_OPTIONS;
}

static struct str
last_segment(const struct judged *j)
{
	size_t n = j->path->n;

	/* "…/displayname/" means the same to a lenient server. */
	return n > 1 && j->path->text[n - 1].n == 0 ? j->path->text[n - 2] : j->path->text[n - 1];
}

/* A path we do not know, but a lenient server could take for the profile endpoint. */
static bool
resembles_profile(const struct judged *j)
{
	bool profile = false;

	for (size_t i = 0; i < j->path->n && !profile; i++)
		profile = rule_resembles(j->path->text[i], STR("profile"));
	return profile && rule_resembles(last_segment(j), STR("displayname"));
}

/* The state key of …/state/{type}/{key}, also with a slash behind it; the type stands before it. */
static size_t
state_key(const struct judged *j)
{
	size_t last = j->path->n - 1;

	return j->path->text[last].n == 0 && str_eq(j->path->text[last - 3], STR("state"))
		   ? last - 1
		   : last;
}

static bool
is_member_state(const struct judged *j)
{
	return str_eq(j->path->text[state_key(j) - 1], STR("m.room.member"));
}

static bool
creates_member(const struct judged *j, struct json_iter *it, struct str *event)
{
	while (json_next(it, NULL, event))
		if (json_is(json_get(*event, STR("type")), STR("m.room.member")) &&
		    json_get(json_get(*event, STR("content")), STR("displayname")).n > 0)
			return true;
	return false;
}

bool
rule_displayname_applies(struct judged *j)
{
	struct json_iter it;
	struct str event;

	if (reads(j))
		return false;
	switch (j->route->rule) {
	case RULE_PROFILE_NAME:
		return true;
	case RULE_PROFILE_KEY:
		return rule_resembles(last_segment(j), STR("displayname"));
	case RULE_UNKNOWN_CLIENT:
		return resembles_profile(j);
	case RULE_MEMBER_STATE:
		return is_member_state(j) && json_get(j->content, STR("displayname")).n > 0;
	case RULE_JOIN:
		return json_get(j->content, STR("displayname")).n > 0;
	case RULE_CREATE_ROOM:
		json_begin(&it, json_get(j->content, STR("initial_state")));
		return creates_member(j, &it, &event);
	default:
		return false;
	}
}

static bool
is_org_admin(const struct judged *j)
{
	const struct conf_list *admins = &j->service->org_admins;

	if (j->account->is_admin && j->service->org_admin_by_homeserver)
		return true;
	for (size_t i = 0; i < admins->n; i++)
		if (mxid_same(j->account->user, str_z(admins->v[i])))
			return true;
	return false;
}

/* Whether `name`, a raw JSON value, is another display name than the account has. */
static bool
differs(const struct judged *j, struct str name)
{
	if (name.n == 0)
		return false;
	return !j->account->has_displayname || !json_is(name, j->account->displayname);
}

/* An application service acts for the user it names in the query, whoever its token belongs to. */
static bool
is_self(const struct judged *j, struct str user)
{
	struct str value;

	return mxid_same(user, j->account->user) || rule_query(j, STR("user_id"), &value) > 0;
}

enum err
rule_displayname(struct judged *j)
{
	struct json_iter it;
	struct str event, key;

	/* Whose token we cannot tell, the homeserver may: from the body, say, where Synapse looks
	 * for parameters of a form. */
	if (!j->account->known)
		return rule_token(j).n > 0 ? OK : ERR_DISPLAYNAME;
	if (is_org_admin(j))
		return OK;
	switch (j->route->rule) {
	case RULE_PROFILE_NAME:
	case RULE_PROFILE_KEY:
	case RULE_UNKNOWN_CLIENT:
		return ERR_DISPLAYNAME;
	case RULE_MEMBER_STATE:
		key = j->path->text[state_key(j)];
		return is_self(j, key) && differs(j, json_get(j->content, STR("displayname")))
			   ? ERR_DISPLAYNAME
			   : OK;
	case RULE_JOIN:
		return differs(j, json_get(j->content, STR("displayname"))) ? ERR_DISPLAYNAME : OK;
	case RULE_CREATE_ROOM:
		json_begin(&it, json_get(j->content, STR("initial_state")));
		while (creates_member(j, &it, &event)) {
			key = json_text(j->arena, json_get(event, STR("state_key")));
			if ((key.p == NULL || is_self(j, key)) &&
			    differs(
				j, json_get(json_get(event, STR("content")), STR("displayname"))))
				return ERR_DISPLAYNAME;
		}
		return OK;
	default:
		return OK;
	}
}
