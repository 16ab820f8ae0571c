/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/auth.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/http/credentials.h"
#include "regsvc/auth_int.h"
#include "regsvc/series.h"

#define FIELDS_MAX 256
#define REALM "realm=\"schleuse-regsvc\""
#define BASIC "WWW-Authenticate: Basic " REALM ", charset=\"UTF-8\"\r\n"
#define BEARER "WWW-Authenticate: Bearer " REALM

struct auth_call {
	struct auth *auth;
	struct exchange *ex;
	struct credentials sent;
	struct task task;
	struct login_call *login;
	enum err err;
	clock_ms wait;
	struct principal who;
	auth_fn *fn;
	void *arg;
};

/* --- the answer --- */

/* RFC 7617 2, RFC 6750 3: without credentials all methods are offered, without an error. */
static const char *
challenge(const struct auth_call *c)
{
	switch (c->sent.kind) {
	case CREDENTIALS_BASIC:
		return BASIC;
	case CREDENTIALS_BEARER:
		return c->err == ERR_AUTH_SYNTAX || c->err == ERR_AUTH_TOKEN ? BEARER
			   ", error=\"invalid_token\"\r\n"
									     : BEARER "\r\n";
	default:
		return BASIC BEARER "\r\n";
	}
}

static void
tell(void *arg)
{
	struct auth_call *c = arg;
	char fields[FIELDS_MAX];
	struct auth_call done = *c;
	int status = err_rows[c->err].status, n = 0;

	if (status == 401)
		n = snprintf(fields, sizeof(fields), "%s", challenge(c));
	else if (status == 429 || status == 503)
		n = snprintf(fields, sizeof(fields), "Retry-After: %llu\r\n",
		    (unsigned long long)(c->wait + 999) / 1000);
	free(c);
	done.fn(done.arg, done.err, done.err == OK ? &done.who : NULL, str_of(fields, (size_t)n));
}

static void
conclude(struct auth_call *c, enum err err, clock_ms wait)
{
	c->err = err;
	c->wait = wait > 0 ? wait : 1000;
	task_defer(c->auth->loop, &c->task);
}

static void
admit(struct auth_call *c, const struct client *r, enum series counted)
{
	client_principal(r, &c->who);
	metrics_inc(counted);
	conclude(c, OK, 0);
}

bool
auth_counts(const struct auth *a, const struct principal *who)
{
	const struct client *r = clients_find(a->login.clients, str_z(who->client));

	return r != NULL && !r->revoked && r->method == who->method &&
	       strcmp(r->subscription, who->subscription) == 0 && (who->scopes & ~r->scopes) == 0;
}

void
auth_watch(struct auth *a, void (*fn)(void *arg), void *arg)
{
	clients_watch(a->login.clients, fn, arg);
}

struct str
auth_challenges(void)
{
	return STR(BASIC BEARER "\r\n");
}

/* --- the methods --- */

static void
on_login(void *arg, enum err err, const struct client *r, clock_ms wait)
{
	struct auth_call *c = arg;

	c->login = NULL;
	if (err == OK)
		admit(c, r, S_AUTH_BASIC);
	else
		conclude(c, err, wait);
}

static void
check_basic(struct auth_call *c)
{
	c->login = login_secret(
	    &c->auth->login, c->ex->peer, c->sent.id, c->sent.secret, PRINCIPAL_BASIC, on_login, c);
	if (c->login == NULL)
		conclude(c, ERR_MEMORY, 0);
}

static void
refuse_token(struct auth_call *c, bool forged)
{
	struct guard *g = c->auth->login.guard;
	clock_ms now = loop_now(c->auth->loop);
	clock_ms wait = forged ? guard_enter(g, c->ex->peer, now) : 0;

	if (forged && wait == 0)
		guard_failed(g, c->ex->peer, STR_NONE, now); /* of no client: no delay */
	conclude(c, wait > 0 ? ERR_AUTH_SLOWED : ERR_AUTH_TOKEN, wait);
}

/* A token counts no longer than the secret that it was issued for: whoever rotates without grace
 * has lost the secret, and with it perhaps such tokens. */
static bool
is_outlived(const struct client *r, const struct accesstoken *t, int64_t now)
{
	return t->issued < r->rotated && !client_has_previous(r, now);
}

/* The token speaks of a client as it was; what it is now counts. */
static void
check_bearer(struct auth_call *c)
{
	struct auth *g = c->auth;
	const struct client *r;
	struct accesstoken t;
	bool forged;
	int64_t now = clock_wall_s();
	enum err err =
	    accesstoken_read(&c->ex->arena, &g->rules, g->keys, c->sent.token, now, &t, &forged);

	if (err == ERR_MEMORY) {
		conclude(c, err, 0);
		return;
	}
	if (err != OK) {
		refuse_token(c, forged);
		return;
	}
	r = clients_find(g->login.clients, t.client);
	if (r == NULL || r->revoked || r->method != PRINCIPAL_OAUTH ||
	    !str_eq(t.subscription, str_z(r->subscription)) || is_outlived(r, &t, now)) {
		refuse_token(c, false);
		return;
	}
	admit(c, r, S_AUTH_OAUTH);
	c->who.scopes &= t.scopes;
}

static void
check_certificate(struct auth_call *c)
{
	const struct client *r =
	    login_certificate(&c->auth->login, c->ex->certificate, PRINCIPAL_MTLS, STR_NONE);

	if (r != NULL)
		admit(c, r, S_AUTH_MTLS);
	else
		conclude(c, ERR_AUTH_REFUSED, 0);
}

/* --- a call --- */

static void
check(struct auth_call *c)
{
	enum err err = credentials_read(&c->ex->arena, &c->ex->req, &c->sent);

	if (err != OK)
		conclude(c, err, 0);
	else if (!clients_known(c->auth->login.clients))
		conclude(c, ERR_AUTH_CLIENTS, 0);
	else if (c->sent.kind == CREDENTIALS_BASIC)
		check_basic(c);
	else if (c->sent.kind == CREDENTIALS_BEARER)
		check_bearer(c);
	else if (c->ex->certificate != NULL)
		check_certificate(c);
	else
		conclude(c, ERR_AUTH_MISSING, 0);
}

struct auth_call *
auth_check(struct auth *g, struct exchange *ex, auth_fn *fn, void *arg)
{
	struct auth_call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	*c = (struct auth_call){ .auth = g, .ex = ex, .fn = fn, .arg = arg };
	task_init(&c->task, tell, c);
	check(c);
	return c;
}

void
auth_cancel(struct auth_call *c)
{
	if (c == NULL)
		return;
	login_cancel(c->login);
	task_cancel(&c->task);
	free(c);
}

struct str
auth_scope_field(struct arena *a, const struct principal *who, enum scope needed)
{
	char scope[SCOPE_TEXT_MAX], line[FIELDS_MAX];
	int n;

	if (who->method != PRINCIPAL_OAUTH)
		return STR_NONE;
	n = snprintf(line, sizeof(line), BEARER ", error=\"insufficient_scope\", scope=\"%s\"\r\n",
	    scope_print(needed, scope));
	return arena_dup(a, str_of(line, (size_t)n));
}
