/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "regsvc/auth_int.h"
#include "regsvc/series.h"

static const struct guard_series guard_series = { .failed = S_AUTH_FAILED,
	.slowed = S_AUTH_SLOWED };

/* An issuer that is not configured is the service's own address. */
static void
set_rules(struct auth *a, const struct regsvc_conf *c)
{
	if (c->token.issuer != NULL)
		snprintf(a->issuer, sizeof(a->issuer), "%s", c->token.issuer);
	else
		snprintf(a->issuer, sizeof(a->issuer), "https://%s", c->service.tls.hosts.v[0]);
	snprintf(a->audience, sizeof(a->audience), "%s",
	    c->token.audience != NULL ? c->token.audience : a->issuer);
	a->rules = (struct accesstoken_rules){ .issuer = a->issuer,
		.audience = a->audience,
		.lifetime_s = (int64_t)(c->token.lifetime / 1000) };
}

static void
set_values(struct auth *a, const struct regsvc_conf *c)
{
	set_rules(a, c);
	a->login.proven_lifetime = c->clients.proven_lifetime;
	a->rotation_grace = c->clients.rotation_grace;
}

void
auth_adopt(struct auth *a, struct store *store, const struct regsvc_conf *c)
{
	tokenkeys_adopt(a->keys, store, &c->token);
	clients_move(a->login.clients, store);
	set_values(a, c);
	clients_limit(a->login.clients, c->clients.max);
	password_adopt(a->login.password, &c->clients);
	guard_adopt(a->login.guard, &c->guard);
}

struct auth *
auth_new(
    struct loop *loop, struct store *store, struct accesslog *access, const struct regsvc_conf *c)
{
	struct auth *a = calloc(1, sizeof(*a));
	struct login *l = &a->login;

	if (a == NULL)
		return NULL;
	a->loop = l->loop = loop;
	a->access = access;
	l->clients = clients_new(loop, store, c->clients.max);
	l->password = password_new(loop, &c->clients);
	l->proven = proven_new(c->clients.proven_max);
	l->guard = guard_new(&c->guard, &guard_series);
	a->keys = tokenkeys_new(loop, store, &c->token);
	if (l->clients == NULL || l->password == NULL || l->proven == NULL || l->guard == NULL ||
	    a->keys == NULL) {
		log_error("auth: out of memory");
		auth_free(a);
		return NULL;
	}
	set_values(a, c);
	return a;
}

void
auth_free(struct auth *a)
{
	if (a == NULL)
		return;
	tokenkeys_free(a->keys);
	guard_free(a->login.guard);
	proven_free(a->login.proven);
	password_free(a->login.password);
	clients_free(a->login.clients);
	free(a);
}

void
auth_missing(const struct auth *a, struct buf *out)
{
	if (!clients_known(a->login.clients) &&
	    !buf_printf(out, "clients: not read from the store yet\n"))
		return;
	if (tokenkeys_signer(a->keys) == NULL && !buf_printf(out, "token: no signing key yet\n"))
		return;
}

void
auth_measure(const struct auth *a)
{
	metrics_set(S_CLIENTS, (int64_t)clients_count(a->login.clients));
}
