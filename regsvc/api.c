/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api - the way of a request: its target, its row, who asks, whether that one may.
 */
#include "regsvc/api.h"

#include <stdlib.h>

#include "lib/base/uuid.h"
#include "regsvc/api_int.h"
#include "regsvc/problem.h"

struct api *
api_new(struct loop *loop, const struct parts *parts)
{
	struct api *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->loop = loop;
	a->parts = parts;
	if (changes_init(a))
		return a;
	api_free(a);
	return NULL;
}

void
api_free(struct api *a)
{
	if (a == NULL)
		return;
	changes_fini(a);
	free(a);
}

void
api_adopt(struct api *a)
{
	changes_answer_all(a);
}

void
api_drain(struct api *a)
{
	a->draining = true;
	changes_answer_all(a);
}

/* --- bodies of requests --- */

bool
call_has_body(const struct call *c)
{
	return c->ex->req.framing != H1_NO_BODY &&
	       (c->ex->req.framing != H1_LENGTH || c->ex->req.length > 0);
}

static void
on_body(void *arg)
{
	struct call *c = arg;
	struct str data;
	enum err why;

	for (;;) {
		switch (exchange_peek(c->ex, &data, &why)) {
		case EXCHANGE_DATA:
			if (!buf_put(&c->body, data)) {
				call_refuse(c, ERR_BODY_SIZE, STR_NONE);
				return;
			}
			exchange_consume(c->ex, data.n);
			break;
		case EXCHANGE_AGAIN:
			return;
		case EXCHANGE_BAD:
			call_refuse(c, why, STR_NONE);
			return;
		case EXCHANGE_END:
			exchange_want_body(c->ex, false);
			c->route->handler(c);
			return;
		}
	}
}

void
call_read_body(struct call *c)
{
	exchange_limit_body(c->ex, API_BODY_MAX);
	exchange_want_body(c->ex, true);
	on_body(c);
}

/* --- who asks, and whether they may --- */

static enum err
judge(const struct call *c)
{
	char subscription[UUID_TEXT + 1];

	if (!uuid_parse(c->target.segments[1], subscription) ||
	    strcmp(subscription, c->who.subscription) != 0)
		return ERR_SUBSCRIPTION;
	if ((c->who.scopes & c->route->scopes) == 0)
		return ERR_SCOPE;
	if (!target_params_known(&c->target, c->route->params))
		return ERR_QUERY;
	if (c->route->method == H1_GET && call_has_body(c))
		return ERR_HTTP_BODY;
	return OK;
}

static void
on_auth(void *arg, enum err err, const struct principal *who, struct str fields)
{
	struct call *c = arg;

	c->auth = NULL;
	if (err != OK) {
		call_refuse(c, err, fields);
		return;
	}
	c->who = *who;
	c->known = true;
	err = judge(c);
	if (err == ERR_SCOPE)
		call_refuse(
		    c, err, auth_scope_field(&c->ex->arena, who, (enum scope)c->route->scopes));
	else if (err != OK)
		call_refuse(c, err, STR_NONE);
	else if (c->route->method == H1_POST)
		call_read_body(c);
	else
		c->route->handler(c);
}

/* --- the request --- */

static const struct exchange_events events = {
	.body = on_body,
	.room = call_on_room,
	.gone = call_gone,
};

static enum err
route(struct call *c)
{
	char subscription[UUID_TEXT + 1];
	enum err err = target_parse(&c->ex->arena, c->ex->req.target, &c->target);

	if (err == OK)
		err = api_route_find(&c->target, c->ex->req.method, &c->route, &c->allowed);
	if (err == OK && c->route->handler == NULL)
		return ERR_UNRECOGNIZED; /* the token endpoint, spelled otherwise */
	if (err == OK && !uuid_parse(c->target.segments[1], subscription))
		err = ERR_UNRECOGNIZED;
	return err;
}

/* It has errors of its own (RFC 6749 5.2), those of its target included. */
static bool
is_token(const struct h1_head *req)
{
	struct str path, query;

	str_cut(req->target, '?', &path, &query);
	return req->method == H1_POST && str_eq(path, STR("/token"));
}

static struct call *
begin(struct api *a, struct exchange *ex)
{
	struct call *c = arena_alloc(&ex->arena, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->api = a;
	c->ex = ex;
	buf_init(&c->body, API_BODY_MAX);
	task_init(&c->more, call_pump, c);
	changes_begin(c);
	ex->events = &events;
	ex->arg = c;
	return c;
}

void
api_request(struct api *a, struct exchange *ex, enum err bad)
{
	struct call *c = begin(a, ex);

	if (c == NULL) {
		problem_answer(ex, ERR_MEMORY, STR_NONE);
		return;
	}
	if (bad == OK && is_token(&ex->req)) {
		auth_token(a->parts->auth, ex);
		return;
	}
	if (bad == OK)
		bad = route(c);
	if (bad == OK) {
		c->auth = auth_check(a->parts->auth, ex, on_auth, c);
		bad = c->auth != NULL ? OK : ERR_MEMORY;
	}
	if (bad != OK)
		call_refuse(c, bad, STR_NONE);
}
