/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_directory - single questions: is this domain a member, where is this user entered.
 *
 * A user's name comes in a body and goes nowhere but to the VZD: not into a URL, a log or a metric
 * (CP-1.2.1-6).
 */
#include <stdio.h>

#include "lib/matrix/canonical.h"
#include "lib/matrix/name.h"
#include "regsvc/api_int.h"
#include "regsvc/lists.h"

#define NO_STORE "Cache-Control: no-store\r\n"

/* --- one domain --- */

static void
answer_domain(struct call *c, const struct lists_view *v)
{
	char room[NAME_MAX_LEN + 1], text[NAME_MAX_LEN + 128], age[64];
	struct str name = name_normal(c->target.segments[4], room);
	int n = snprintf(text, sizeof(text),
	    "{\"domain\":\"" STR_FMT "\",\"member\":%s,\"insurance\":%s,\"version\":%lld}\n",
	    STR_ARG(name), fedlist_has(v->list, name, FEDLIST_PORTS_EXACT) ? "true" : "false",
	    fedlist_is_insurance(v->list, name, FEDLIST_PORTS_EXACT) ? "true" : "false",
	    (long long)v->version);
	int m = snprintf(age, sizeof(age), FIELDS_PRIVATE "Age: %lld\r\n", (long long)v->age);

	call_answer(c, 200, "application/json", str_of(age, (size_t)m), str_of(text, (size_t)n));
}

/* The list must be known to be current first: the domain may be new (AF_10064). */
void
api_domain(struct call *c)
{
	char room[NAME_MAX_LEN + 1];

	if (name_normal(c->target.segments[4], room).n == 0)
		call_refuse(c, ERR_DOMAIN, STR_NONE);
	else
		api_list_check(c, answer_domain);
}

/* --- one user --- */

static void
on_place(void *arg, enum err err, enum vzd_place place)
{
	struct call *c = arg;
	char text[64];
	int n;

	c->question = NULL;
	if (err != OK) {
		call_refuse(c, err == ERR_MEMORY ? err : ERR_LOOKUP, STR_NONE);
		return;
	}
	n = snprintf(text, sizeof(text), "{\"where\":\"%s\"}\n", vzd_place_names[place]);
	call_answer(c, 200, "application/json", STR(NO_STORE), str_of(text, (size_t)n));
}

static enum err
read_mxid(struct call *c, struct str *mxid)
{
	struct str text, localpart, server;
	enum err err = canonical_form(&c->ex->arena, buf_str(&c->body), &text);

	if (err != OK)
		return err;
	*mxid = json_text(&c->ex->arena, json_get(text, STR("mxid")));
	return mxid_parse(*mxid, &localpart, &server) ? OK : ERR_JSON_SHAPE;
}

void
api_where_is(struct call *c)
{
	struct str mxid;
	enum err err = read_mxid(c, &mxid);

	if (err == OK) {
		c->question = vzd_localize(c->api->parts->vzd, mxid, on_place, c);
		err = c->question != NULL ? OK : ERR_MEMORY;
	}
	if (err != OK)
		call_refuse(c, err, STR_NONE);
}
