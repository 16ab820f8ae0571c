/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/notify/clients.h"

#include <openssl/x509v3.h>
#include <sodium.h>

#include "lib/http/credentials.h"
#include "lib/jose/fingerprint.h"
#include "lib/net/address.h"

#define REALM "realm=\"schleuse-pushgw\""
#define BASIC "WWW-Authenticate: Basic " REALM ", charset=\"UTF-8\"\r\n"
#define BEARER "WWW-Authenticate: Bearer " REALM

/* --- networks --- */

static bool
comes_from(const struct networks *from, const char *peer)
{
	struct address a;

	if (!address_parse(str_z(peer), 0, &a))
		return false;
	address_unmap(&a);
	return networks_have(from, &a);
}

/* --- certificates --- */

/* Names are those of the subjectAltName alone, and whole ones. */
static bool
is_named(X509 *certificate, const char *fingerprint, const char *name)
{
	if (strcmp(name, "*") == 0 || strcmp(name, fingerprint) == 0)
		return true;
	return X509_check_host(certificate, name, 0,
		   X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS, NULL) == 1;
}

/* Connections and sessions may be older than the end of the certificate they began with. */
static bool
shows_certificate(const struct clients_conf *conf, X509 *certificate)
{
	char fingerprint[FINGERPRINT + 1];

	if (certificate == NULL || conf->certificates.n == 0 ||
	    X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0 ||
	    !fingerprint_of(certificate, fingerprint))
		return false;
	for (size_t i = 0; i < conf->certificates.n; i++)
		if (is_named(certificate, fingerprint, conf->certificates.v[i]))
			return true;
	return false;
}

/* --- passwords --- */

static void
digest(struct str secret, unsigned char out[crypto_generichash_BYTES])
{
	(void)crypto_generichash(
	    out, crypto_generichash_BYTES, (const unsigned char *)secret.p, secret.n, NULL, 0);
}

/* In a time that tells neither how much of a password is right nor whose name it is. */
static bool
is_password(const struct clients_conf *conf, struct str name, struct str secret)
{
	unsigned char sent[crypto_generichash_BYTES], ours[crypto_generichash_BYTES];
	struct str password = STR_NONE;
	bool same;

	for (size_t i = 0; i < conf->n_basic; i++)
		if (str_eq(name, str_z(conf->basic[i].name)))
			password = conf->basic[i].password;
	digest(secret, sent);
	digest(password.n > 0 ? password : STR("nobody's"), ours);
	same = sodium_memcmp(sent, ours, sizeof(sent)) == 0;
	sodium_memzero(sent, sizeof(sent));
	sodium_memzero(ours, sizeof(ours));
	return same && password.n > 0;
}

/* --- tokens --- */

static enum err
check_token(const struct clients_conf *conf, struct arena *a, struct str token)
{
	const struct jwt_rules rules = { .issuer = conf->token_issuer,
		.audience = conf->token_audience,
		.keys = conf->keys,
		.n_keys = conf->token_keys.n };
	struct claims *claims;
	int64_t issued;
	bool forged;
	enum err err = jwt_open(a, &rules, token, clock_wall_s(), &claims, &issued, &forged);

	claims_free(claims);
	return err;
}

/* --- all of it --- */

static enum err
check_credentials(const struct clients_conf *conf, struct arena *a, const struct h1_head *req)
{
	struct credentials sent;
	enum err err = credentials_read(a, req, &sent);

	if (err != OK)
		return err;
	if (sent.kind == CREDENTIALS_BASIC)
		return is_password(conf, sent.id, sent.secret) ? OK : ERR_AUTH_REFUSED;
	if (sent.kind == CREDENTIALS_BEARER)
		return conf->token_keys.n > 0 ? check_token(conf, a, sent.token) : ERR_AUTH_REFUSED;
	return ERR_NOTIFY_CLIENT;
}

/* RFC 7235 4.1, RFC 6750 3: what may be used, and what is wrong with a token. */
static struct str
challenge(const struct clients_conf *conf, enum err err)
{
	bool basic = conf->n_basic > 0;

	if (conf->token_keys.n == 0)
		return STR(BASIC);
	if (err == ERR_AUTH_TOKEN)
		return basic ? STR(BASIC BEARER ", error=\"invalid_token\"\r\n")
			     : STR(BEARER ", error=\"invalid_token\"\r\n");
	return basic ? STR(BASIC BEARER "\r\n") : STR(BEARER "\r\n");
}

enum err
clients_check(const struct clients_conf *conf, struct exchange *ex, struct str *fields)
{
	size_t in_head = conf->n_basic + conf->token_keys.n;
	enum err err;

	*fields = STR_NONE;
	if (conf->networks.n > 0 && !comes_from(&conf->from, ex->peer))
		return ERR_NOTIFY_NETWORK;
	if (conf->certificates.n + in_head == 0 || shows_certificate(conf, ex->certificate))
		return OK;
	if (in_head == 0)
		return ERR_NOTIFY_CERTIFICATE;
	err = check_credentials(conf, &ex->arena, &ex->req);
	if (err_rows[err].status == 401)
		*fields = challenge(conf, err);
	return err;
}
