/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manage_clients - clients added, rotated, revoked and listed.
 *
 * A client that was revoked keeps its record, so that its name cannot come to mean somebody else
 * in the access log.
 */
#include <stdio.h>

#include "lib/jose/fingerprint.h"
#include "regsvc/jsonput.h"
#include "regsvc/manage_int.h"

#define LIST_MAX (64 << 20)
#define SHOW_MAX 4096
#define GRACE_MAX_S (30 * 24 * 3600)

/* --- what there is --- */

void
manage_client_list(struct manage_call *c)
{
	const struct clients *all = c->manage->auth->login.clients;
	int64_t now = clock_wall_s();
	struct buf json;
	bool good;

	if (!clients_known(all)) {
		manage_fail(c, ERR_AUTH_CLIENTS);
		return;
	}
	buf_init(&json, LIST_MAX);
	good = buf_put(&json, STR("{\"clients\":["));
	for (size_t i = 0; good && i < clients_count(all); i++)
		good = (i == 0 || buf_put(&json, STR(","))) &&
		       client_show(clients_at(all, i), now, &json);
	if (good && buf_put(&json, STR("]}")))
		manage_answer(c, 200, buf_str(&json));
	else
		manage_fail(c, ERR_MEMORY);
	buf_fini(&json);
}

/* The record, with the secret if one was made. */
static void
show(struct manage_call *c, const struct client *r, int status)
{
	struct buf json;

	buf_init(&json, SHOW_MAX);
	if (buf_put(&json, STR("{\"client\":")) && client_show(r, clock_wall_s(), &json) &&
	    buf_put(&json, STR(",")) &&
	    (c->secret[0] == '\0' || jsonput_text(&json, "secret", str_z(c->secret))) &&
	    jsonput_end(&json))
		manage_answer(c, status, buf_str(&json));
	else
		manage_fail(c, ERR_MEMORY);
	sodium_memzero(json.mem, json.cap);
	buf_fini(&json);
}

/* The client of the path; NULL: refused. */
static const struct client *
named(struct manage_call *c)
{
	const struct clients *all = c->manage->auth->login.clients;
	const struct client *r = clients_find(all, c->name);

	if (!clients_known(all))
		manage_fail(c, ERR_AUTH_CLIENTS);
	else if (r == NULL)
		manage_refuse(c, 404, "there is no such client");
	else
		return r;
	return NULL;
}

void
manage_client_show(struct manage_call *c)
{
	const struct client *r = named(c);

	if (r != NULL)
		show(c, r, 200);
}

/* --- storing --- */

static void
on_stored(void *arg, enum err err)
{
	struct manage_call *c = arg;
	struct client record = c->record;

	c->put = NULL;
	if (err == ERR_OVERLOAD)
		manage_refuse(c, 409, "clients.max clients are registered; raise it");
	else if (err != OK)
		manage_fail(c, err);
	else
		show(c, &record, c->status);
}

/* Whether what the new record was made of is still in force: making a secret takes a while, and a
 * client that was revoked meanwhile must not come back. */
static bool
is_current(const struct manage_call *c)
{
	const struct clients *all = c->manage->auth->login.clients;
	const struct client *r = clients_find(all, str_z(c->record.id));

	return !clients_pending(all, c->record.id) && (r != NULL ? r->mark : 0) == c->record.mark;
}

static void
store(struct manage_call *c)
{
	if (!is_current(c)) {
		manage_refuse(
		    c, 409, "the client was changed at the same time; look at it, try again");
		return;
	}
	c->put = clients_put(c->manage->auth->login.clients, &c->record, on_stored, c);
	if (c->put == NULL)
		manage_fail(c, ERR_MEMORY);
}

static void
on_hashed(void *arg, const char *hash)
{
	struct manage_call *c = arg;

	c->job = NULL;
	if (hash == NULL) {
		manage_refuse(
		    c, 503, "not enough memory for Argon2id; lower clients.password_memory");
		return;
	}
	*str_put(c->record.proof, str_z(hash)) = '\0';
	store(c);
}

/* A secret with 256 random bits: no dictionary has it. */
static void
make_secret(struct manage_call *c)
{
	unsigned char bytes[32];
	enum err why = OK;

	randombytes_buf(bytes, sizeof(bytes));
	sodium_bin2base64(c->secret, sizeof(c->secret), bytes, sizeof(bytes),
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(bytes, sizeof(bytes));
	c->job =
	    password_hash(c->manage->auth->login.password, str_z(c->secret), on_hashed, c, &why);
	if (c->job == NULL)
		manage_fail(c, why);
}

/* The new proof: the certificate that is named, or a secret. */
static void
prove(struct manage_call *c, const char *fingerprint)
{
	if (fingerprint[0] == '\0') {
		make_secret(c);
		return;
	}
	if (clients_uses(c->manage->auth->login.clients, fingerprint, c->record.id)) {
		manage_refuse(c, 409, "another client is bound to this certificate");
		return;
	}
	*str_put(c->record.proof, str_z(fingerprint)) = '\0';
	store(c);
}

/* false: refused. */
static bool
read_fingerprint(struct manage_call *c, char out[FINGERPRINT + 1])
{
	struct str text = manage_text(c, "fingerprint");

	out[0] = '\0';
	if (text.n == 0 || fingerprint_parse(text, out))
		return true;
	manage_refuse(
	    c, 400, "fingerprint: 64 hexadecimal digits, the SHA-256 of the certificate in DER");
	return false;
}

/* --- adding --- */

static const char *
read_record(struct manage_call *c)
{
	struct client *r = &c->record;
	struct str id = manage_text(c, "id"), tenant = manage_text(c, "tenant"),
		   subscription = manage_text(c, "subscription_id");

	if (!client_id_ok(id))
		return "id: 1 to 64 letters, digits, '.', '_' and '-', the first a letter or digit";
	if (!client_tenant_ok(tenant))
		return "tenant: 1 to 128 bytes without control characters";
	if (!client_method(manage_text(c, "method"), &r->method))
		return "method: basic, oauth or mtls";
	if (!scope_parse(manage_text(c, "scope"), &r->scopes))
		return "scope: one or more of list, certificates, changes, directory, audit";
	if (subscription.n == 0)
		uuid_new(r->subscription);
	else if (!uuid_parse(subscription, r->subscription))
		return "subscription_id: a UUID of version 4";
	*str_put(r->id, id) = '\0';
	*str_put(r->tenant, tenant) = '\0';
	return NULL;
}

void
manage_client_add(struct manage_call *c)
{
	const struct clients *all = c->manage->auth->login.clients;
	char fingerprint[FINGERPRINT + 1];
	const char *wrong = read_record(c);

	if (wrong != NULL) {
		manage_refuse(c, 400, wrong);
		return;
	}
	if (!read_fingerprint(c, fingerprint))
		return;
	if (!clients_known(all)) {
		manage_fail(c, ERR_AUTH_CLIENTS);
		return;
	}
	if (clients_find(all, str_z(c->record.id)) != NULL) {
		manage_refuse(c, 409, "there is a client of this id already");
		return;
	}
	c->record.by_certificate = fingerprint[0] != '\0';
	if (c->record.by_certificate == (c->record.method == PRINCIPAL_BASIC) &&
	    c->record.method != PRINCIPAL_OAUTH) {
		manage_refuse(
		    c, 400, "a client of method mtls needs a certificate, one of basic has none");
		return;
	}
	c->record.created = clock_wall_s();
	c->status = 201;
	prove(c, fingerprint);
}

/* --- changing --- */

/* Seconds for which the old proof counts; false: refused. */
static bool
read_grace(struct manage_call *c, int64_t *out)
{
	const struct claims *v = c->in != NULL ? claims_get(c->in, "grace") : NULL;
	double d = (double)c->manage->auth->rotation_grace / 1000;

	if (v != NULL && (!claims_number(v, &d) || d < 0 || d > GRACE_MAX_S)) {
		manage_refuse(c, 400, "grace: seconds, 0 to 30 days");
		return false;
	}
	*out = (int64_t)d;
	return true;
}

void
manage_client_rotate(struct manage_call *c)
{
	const struct client *r = named(c);
	char fingerprint[FINGERPRINT + 1];
	int64_t grace, now = clock_wall_s();

	if (r == NULL || !read_grace(c, &grace) || !read_fingerprint(c, fingerprint))
		return;
	if (r->revoked) {
		manage_refuse(c, 409, "the client is revoked; add a new one");
		return;
	}
	if (r->by_certificate != (fingerprint[0] != '\0')) {
		manage_refuse(c, 400,
		    r->by_certificate ? "this client has a certificate: name the new one"
				      : "this client has a secret, not a certificate");
		return;
	}
	c->record = *r;
	*str_put(c->record.previous, str_z(grace > 0 ? r->proof : "")) = '\0';
	c->record.previous_until = grace > 0 ? now + grace : 0;
	c->record.rotated = now;
	c->status = 200;
	prove(c, fingerprint);
}

void
manage_client_revoke(struct manage_call *c)
{
	const struct client *r = named(c);

	if (r == NULL)
		return;
	c->record = *r;
	c->record.revoked = true;
	c->record.previous[0] = '\0';
	c->record.previous_until = 0;
	c->status = 200;
	store(c);
}
