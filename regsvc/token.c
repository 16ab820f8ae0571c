/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token - the token endpoint: OAuth 2.0 client credentials (RFC 6749 4.4; CP-1.2.3-O1 to -O8,
 * FDS-2.6.4.1-3 to -5, FDS-2.6.5.1-5).
 *
 * The client proves itself in the form, by HTTP Basic, or by its certificate where its record says
 * so (tls_client_auth of RFC 8705); never in the URL, and in one way only.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/http/credentials.h"
#include "regsvc/auth_int.h"
#include "regsvc/form.h"
#include "regsvc/problem.h"
#include "regsvc/series.h"

#define BODY_MAX 8192
#define ANSWER_MAX 8192
#define NO_STORE "Cache-Control: no-store\r\nPragma: no-cache\r\n"

struct token {
	struct auth *auth;
	struct exchange *ex;
	struct buf body;
	struct form form;
	unsigned scopes;
	struct login_call *login;
	bool *gone; /* set when it ends while it asks for the body */
};

enum oauth_error { INVALID_REQUEST, INVALID_CLIENT, UNSUPPORTED_GRANT, INVALID_SCOPE };

static const struct {
	const char *word, *text;
} errors[] = {
	[INVALID_REQUEST] = { "invalid_request",
	    "one application/x-www-form-urlencoded form with grant_type, and credentials in one "
	    "place, none of them in the URL" },
	[INVALID_CLIENT] = { "invalid_client", "unknown client, wrong credentials, or not a client "
					       "of this method" },
	[UNSUPPORTED_GRANT] = { "unsupported_grant_type", "only client_credentials" },
	[INVALID_SCOPE] = { "invalid_scope", "an unknown scope, or one this client does not have" },
};

/* --- answers --- */

static void
done(struct token *t)
{
	login_cancel(t->login);
	if (t->gone != NULL)
		*t->gone = true;
	buf_fini(&t->body);
	free(t);
}

static void
answer(struct token *t, int status, struct str fields, struct str json, enum err why,
    const struct principal *who)
{
	struct exchange *ex = t->ex;
	struct accesslog *access = t->auth->access;

	done(t);
	series_response(status);
	series_api(EP_TOKEN, status);
	access_note(access, ex, "token", who, status, why);
	exchange_answer(ex, status, "application/json", fields, json);
}

static void
refuse(struct token *t, enum oauth_error what, enum err why)
{
	int status = what == INVALID_CLIENT ? 401 : 400;
	char json[512];

	metrics_inc(S_TOKENS_REFUSED);
	snprintf(json, sizeof(json), "{\"error\":\"%s\",\"error_description\":\"%s\"}\n",
	    errors[what].word, errors[what].text);
	answer(t, status,
	    what == INVALID_CLIENT
		? STR(NO_STORE "WWW-Authenticate: Basic realm=\"schleuse-regsvc\", "
			       "charset=\"UTF-8\"\r\n")
		: STR(NO_STORE),
	    str_z(json), why, NULL);
}

/* For what RFC 6749 has no word: too often, too much, broken here. */
static void
fail(struct token *t, enum err why, clock_ms wait)
{
	struct exchange *ex = t->ex;
	struct accesslog *access = t->auth->access;
	int status = err_rows[why].status != 0 ? err_rows[why].status : 500, n = 0;
	char fields[64];

	done(t);
	metrics_inc(S_TOKENS_REFUSED);
	series_api(EP_TOKEN, status);
	access_note(access, ex, "token", NULL, status, why);
	if (status == 429 || status == 503)
		n = snprintf(fields, sizeof(fields), "Retry-After: %llu\r\n",
		    (unsigned long long)(wait + 999) / 1000);
	problem_answer(ex, why, str_of(fields, (size_t)n));
}

static void
issue(struct token *t, const struct client *c)
{
	const struct jwt_key *key = tokenkeys_signer(t->auth->keys);
	char scope[SCOPE_TEXT_MAX], *json;
	struct principal who;
	struct str text;
	size_t room;

	if (key == NULL) {
		fail(t, ERR_TOKEN_KEY, 1000);
		return;
	}
	text = accesstoken_make(&t->ex->arena, &t->auth->rules, key, c, t->scopes, clock_wall_s());
	room = text.n + 256;
	json = arena_bytes(&t->ex->arena, room);
	if (text.p == NULL || json == NULL) {
		fail(t, ERR_MEMORY, 1000);
		return;
	}
	snprintf(json, room,
	    "{\"access_token\":\"" STR_FMT
	    "\",\"token_type\":\"Bearer\",\"expires_in\":%lld,\"scope\":\"%s\"}\n",
	    STR_ARG(text), (long long)t->auth->rules.lifetime_s, scope_print(t->scopes, scope));
	client_principal(c, &who);
	metrics_inc(S_TOKENS_ISSUED);
	answer(t, 200, STR(NO_STORE), str_z(json), OK, &who);
}

/* --- who asks --- */

/* Narrower than what the client has, if asked for (RFC 6749 3.3). */
static void
grant(struct token *t, const struct client *c)
{
	t->scopes = c->scopes;
	if (t->form.scope.p != NULL &&
	    (!scope_parse(t->form.scope, &t->scopes) || (t->scopes & ~c->scopes) != 0))
		refuse(t, INVALID_SCOPE, ERR_TOKEN_SCOPE);
	else
		issue(t, c);
}

static void
on_login(void *arg, enum err err, const struct client *c, clock_ms wait)
{
	struct token *t = arg;

	t->login = NULL;
	if (err == OK)
		grant(t, c);
	else if (err == ERR_AUTH_REFUSED)
		refuse(t, INVALID_CLIENT, err);
	else
		fail(t, err, wait);
}

static void
by_secret(struct token *t, struct str id, struct str secret)
{
	t->login =
	    login_secret(&t->auth->login, t->ex->peer, id, secret, PRINCIPAL_OAUTH, on_login, t);
	if (t->login == NULL)
		fail(t, ERR_MEMORY, 1000);
}

static void
by_certificate(struct token *t)
{
	const struct client *c;

	if (!clients_known(t->auth->login.clients)) {
		fail(t, ERR_AUTH_CLIENTS, 1000);
		return;
	}
	c = login_certificate(
	    &t->auth->login, t->ex->certificate, PRINCIPAL_OAUTH, t->form.client_id);
	if (c != NULL)
		grant(t, c);
	else
		refuse(t, INVALID_CLIENT, ERR_AUTH_REFUSED);
}

/* Name and secret are form-encoded inside Basic here (RFC 6749 2.3.1). */
static enum err
read_basic(struct token *t, struct credentials *sent)
{
	enum err err = form_decode(&t->ex->arena, sent->id, &sent->id);

	return err != OK ? err : form_decode(&t->ex->arena, sent->secret, &sent->secret);
}

static void
authenticate(struct token *t)
{
	struct credentials sent;
	enum err err = credentials_read(&t->ex->arena, &t->ex->req, &sent);

	if (err == ERR_AUTH_SEVERAL || err == ERR_AUTH_URL)
		refuse(t, INVALID_REQUEST, err);
	else if (err == ERR_MEMORY)
		fail(t, err, 1000);
	else if (err != OK || sent.kind == CREDENTIALS_BEARER)
		refuse(t, INVALID_CLIENT, ERR_AUTH_SYNTAX);
	else if (sent.kind == CREDENTIALS_BASIC && t->form.client_secret.p != NULL)
		refuse(t, INVALID_REQUEST, ERR_AUTH_SEVERAL);
	else if (sent.kind == CREDENTIALS_BASIC && read_basic(t, &sent) != OK)
		refuse(t, INVALID_CLIENT, ERR_AUTH_SYNTAX);
	else if (sent.kind == CREDENTIALS_BASIC && t->form.client_id.p != NULL &&
		 !str_eq(t->form.client_id, sent.id))
		refuse(t, INVALID_REQUEST, ERR_AUTH_SEVERAL);
	else if (sent.kind == CREDENTIALS_BASIC)
		by_secret(t, sent.id, sent.secret);
	else if (t->form.client_secret.p != NULL && t->form.client_id.p != NULL)
		by_secret(t, t->form.client_id, t->form.client_secret);
	else if (t->form.client_id.p != NULL && t->ex->certificate != NULL)
		by_certificate(t);
	else
		refuse(t, INVALID_CLIENT, ERR_AUTH_MISSING);
}

/* --- the request --- */

static void
judge(struct token *t)
{
	enum err err = form_parse(&t->ex->arena, buf_str(&t->body), &t->form);

	if (err == ERR_MEMORY)
		fail(t, err, 1000);
	else if (err != OK || t->form.grant_type.p == NULL)
		refuse(t, INVALID_REQUEST, ERR_TOKEN_REQUEST);
	else if (!str_eq(t->form.grant_type, STR("client_credentials")))
		refuse(t, UNSUPPORTED_GRANT, ERR_TOKEN_GRANT);
	else
		authenticate(t);
}

static void
on_body(void *arg)
{
	struct token *t = arg;
	struct str data;
	enum err why = OK;

	for (;;) {
		switch (exchange_peek(t->ex, &data, &why)) {
		case EXCHANGE_AGAIN:
			return;
		case EXCHANGE_DATA:
			if (!buf_put(&t->body, data)) {
				fail(t, ERR_MEMORY, 1000);
				return;
			}
			exchange_consume(t->ex, data.n);
			break;
		case EXCHANGE_BAD:
			fail(t, why, 1000);
			return;
		case EXCHANGE_END:
			exchange_want_body(t->ex, false);
			judge(t);
			return;
		}
	}
}

static void
on_room(void *arg)
{
	(void)arg; /* the answer is written at once */
}

static void
on_gone(void *arg, enum err why)
{
	(void)why;
	done(arg);
}

static const struct exchange_events events = {
	.body = on_body,
	.room = on_room,
	.gone = on_gone,
};

/* The media type may have parameters, charset for one. */
static bool
is_form(const struct h1_head *req)
{
	const struct h1_field *f = h1_find(req, H1_F_CONTENT_TYPE);
	struct str type, parameters;

	if (f == NULL || h1_next(req, f) != NULL)
		return false;
	str_cut(f->value, ';', &type, &parameters);
	return str_eq_ci(str_trim(type), STR("application/x-www-form-urlencoded"));
}

void
auth_token(struct auth *a, struct exchange *ex)
{
	struct token *t = calloc(1, sizeof(*t));
	bool gone = false;

	if (t == NULL) {
		problem_answer(ex, ERR_MEMORY, STR("Retry-After: 1\r\n"));
		return;
	}
	*t = (struct token){ .auth = a, .ex = ex };
	buf_init(&t->body, BODY_MAX);
	ex->events = &events;
	ex->arg = t;
	if (str_chr(ex->req.target, '?') != NULL || !is_form(&ex->req)) {
		refuse(t, INVALID_REQUEST, ERR_TOKEN_REQUEST);
		return;
	}
	exchange_limit_body(ex, BODY_MAX);
	t->gone = &gone;
	exchange_want_body(ex, true);
	if (gone) /* the client left when it was told to continue */
		return;
	t->gone = NULL;
	on_body(t);
}
