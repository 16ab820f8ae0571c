/* SPDX-License-Identifier: Apache-2.0 */
/*
 * login - a client proves itself by its secret or its certificate; for requests and for tokens.
 *
 * Whoever fails is told the same for the same price, whatever was wrong: an unknown name, another
 * method, a revoked client, a wrong secret.  The guard may hold up the answer.
 *
 * Runs on the service's loop.  Lives as long as the process.
 */
#ifndef SCHLEUSE_REGSVC_LOGIN_H
#define SCHLEUSE_REGSVC_LOGIN_H

#include "lib/daemon/guard.h"
#include "regsvc/clients.h"
#include "regsvc/password.h"
#include "regsvc/proven.h"

struct login {
	struct loop *loop;
	struct clients *clients;
	struct password *password;
	struct proven *proven;
	struct guard *guard;
	clock_ms proven_lifetime;
};

struct login_call;

/* OK: the record is valid during the call.  ERR_AUTH_REFUSED; ERR_AUTH_SLOWED: wait_ms tells for
 * how long; ERR_AUTH_CLIENTS, ERR_OVERLOAD, ERR_MEMORY. */
typedef void login_fn(void *arg, enum err err, const struct client *c, clock_ms wait_ms);

/* fn is called later exactly once unless cancelled.  peer, id and secret must live until then.
 * NULL: out of memory; nobody is called. */
struct login_call *login_secret(struct login *l, const char *peer, struct str id, struct str secret,
    enum principal_method method, login_fn *fn, void *arg) MUST_CHECK;
void login_cancel(struct login_call *c); /* NULL is allowed */

/* The client of this method that the certificate of a connection proves, of this name unless n ==
 * 0.  NULL: none. */
const struct client *login_certificate(
    const struct login *l, const X509 *certificate, enum principal_method method, struct str id);

#endif
