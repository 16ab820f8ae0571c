/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/login.h"

#include <stdlib.h>

#include "lib/jose/fingerprint.h"

struct login_call {
	struct login *login;
	const char *peer;
	struct str id, secret;
	enum principal_method method;
	uint64_t mark;            /* of the record that is being verified */
	struct password_job *job; /* as long as it is, the guard knows of this attempt */
	struct task task;         /* the answer, at once */
	struct timer timer;       /* or delayed */
	enum err err;
	clock_ms wait;
	login_fn *fn;
	void *arg;
};

/* The record that this call could prove; NULL: whatever the secret, it is refused. */
static const struct client *
candidate(const struct login_call *c)
{
	const struct client *r = clients_find(c->login->clients, c->id);

	return r != NULL && r->method == c->method && !r->by_certificate && !r->revoked ? r : NULL;
}

static void
answer_in(struct login_call *c, enum err err, clock_ms wait, clock_ms delay)
{
	c->err = err;
	c->wait = wait;
	if (delay == 0)
		task_defer(c->login->loop, &c->task);
	else
		timer_set(c->login->loop, &c->timer, delay);
}

static void
refuse(struct login_call *c)
{
	struct login *l = c->login;

	answer_in(
	    c, ERR_AUTH_REFUSED, 0, guard_failed(l->guard, c->peer, c->id, loop_now(l->loop)));
}

/* Not beyond the end of a rotation's grace: it may have been the secret before. */
static void
believe(struct login_call *c, const struct client *r)
{
	struct login *l = c->login;
	clock_ms lifetime = l->proven_lifetime;
	int64_t now = clock_wall_s();

	if (client_has_previous(r, now)) {
		clock_ms left = (clock_ms)(r->previous_until - now) * 1000;

		lifetime = left < lifetime ? left : lifetime;
	}
	if (lifetime > 0)
		proven_put(l->proven, r, c->secret, loop_now(l->loop) + lifetime);
}

static void
on_verified(void *arg, bool good)
{
	struct login_call *c = arg;
	const struct client *r = candidate(c);

	c->job = NULL;
	/* a record that changed meanwhile is another one */
	if (!good || r == NULL || r->mark != c->mark) {
		refuse(c);
		return;
	}
	guard_leave(c->login->guard, c->peer);
	believe(c, r);
	answer_in(c, OK, 0, 0);
}

static void
verify(struct login_call *c)
{
	struct login *l = c->login;
	const struct client *r = candidate(c);
	const char *current = NULL, *previous = NULL;
	enum err why = OK;

	if (r != NULL) {
		c->mark = r->mark;
		current = r->proof;
		previous = client_has_previous(r, clock_wall_s()) ? r->previous : NULL;
	}
	c->job = password_verify(l->password, c->secret, current, previous, on_verified, c, &why);
	if (c->job != NULL)
		return;
	guard_leave(l->guard, c->peer);
	answer_in(c, why, 1000, 0);
}

static void
tell(void *arg)
{
	struct login_call *c = arg;
	const struct client *r = c->err == OK ? candidate(c) : NULL;
	enum err err = c->err == OK && r == NULL ? ERR_AUTH_REFUSED : c->err;
	login_fn *fn = c->fn;
	void *fn_arg = c->arg;
	clock_ms wait = c->wait;

	free(c);
	fn(fn_arg, err, r, wait);
}

/* A secret proven a moment ago passes whoever else fails at the same address. */
static bool
is_proven(const struct login_call *c)
{
	const struct login *l = c->login;
	const struct client *r = candidate(c);

	return r != NULL && l->proven_lifetime > 0 &&
	       proven_has(l->proven, r, c->secret, loop_now(l->loop));
}

struct login_call *
login_secret(struct login *l, const char *peer, struct str id, struct str secret,
    enum principal_method method, login_fn *fn, void *arg)
{
	struct login_call *c = calloc(1, sizeof(*c));
	clock_ms wait;

	if (c == NULL)
		return NULL;
	*c = (struct login_call){ .login = l,
		.peer = peer,
		.id = id,
		.secret = secret,
		.method = method,
		.fn = fn,
		.arg = arg };
	task_init(&c->task, tell, c);
	timer_init(&c->timer, tell, c);
	if (!clients_known(l->clients))
		answer_in(c, ERR_AUTH_CLIENTS, 1000, 0);
	else if (is_proven(c))
		answer_in(c, OK, 0, 0);
	else if ((wait = guard_enter(l->guard, peer, loop_now(l->loop))) > 0)
		answer_in(c, ERR_AUTH_SLOWED, wait, 0);
	else
		verify(c);
	return c;
}

void
login_cancel(struct login_call *c)
{
	if (c == NULL)
		return;
	if (c->job != NULL && password_cancel(c->job))
		guard_abandoned(c->login->guard, c->peer, loop_now(c->login->loop));
	else if (c->job != NULL)
		guard_leave(c->login->guard, c->peer);
	task_cancel(&c->task);
	timer_clear(&c->timer);
	free(c);
}

const struct client *
login_certificate(
    const struct login *l, const X509 *certificate, enum principal_method method, struct str id)
{
	char fingerprint[FINGERPRINT + 1];
	const struct client *r;
	int64_t now = clock_wall_s();

	/* connections and sessions may be older than its end */
	if (certificate == NULL || X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0 ||
	    !fingerprint_of(certificate, fingerprint))
		return NULL;
	r = id.n > 0 ? clients_find(l->clients, id) : clients_of(l->clients, fingerprint, now);
	return r != NULL && r->method == method && !r->revoked && client_shows(r, fingerprint, now)
		   ? r
		   : NULL;
}
