/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_check - what one setting demands of another, without those of apps; passwords and keys of
 * clients, credentials for the proxy on the way out.
 */
#include "pushgw/config_check.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "lib/daemon/setting.h"
#include "lib/jose/fingerprint.h"
#include "lib/jose/jws.h"

#define DELAY_MAX 10000 /* ML-123618-3 */
#define KEY_FILE_MAX (16 << 10)

/* --- clients --- */

static void
make_networks(struct load *l, struct clients_conf *c)
{
	c->from.v = arena_alloc(l->ctx.arena, (c->networks.n + 1) * sizeof(*c->from.v));
	if (c->from.v == NULL) {
		load_fault(l, &c->networks, "networks: out of memory");
		return;
	}
	for (size_t i = 0; i < c->networks.n; i++) {
		const char *text = c->networks.v[i];

		if (text != NULL && network_parse(str_z(text), &c->from.v[c->from.n]))
			c->from.n++;
		else if (text != NULL)
			load_fault(l, &c->networks.v[i],
			    "networks: '%s' is not a network; write 192.0.2.7, 192.0.2.0/24 or "
			    "2001:db8::/32, with no bits set behind the prefix",
			    text);
	}
}

static void
check_certificate(struct load *l, char **name)
{
	char fingerprint[FINGERPRINT + 1];

	if (*name == NULL || strcmp(*name, "*") == 0)
		return;
	if (fingerprint_parse(str_z(*name), fingerprint)) {
		memcpy(*name, fingerprint, sizeof(fingerprint)); /* it never gets longer */
		return;
	}
	for (char *s = *name; *s != '\0'; s++)
		*s = str_lower(*s);
	if (!setting_is_host(*name))
		load_fault(l, name,
		    "certificates: '%s' is neither a DNS name nor a SHA-256 fingerprint of 64 hex "
		    "digits nor \"*\"",
		    *name);
}

static void
check_basic(struct load *l, const struct clients_conf *c)
{
	for (size_t i = 0; i < c->n_basic; i++) {
		const char *name = c->basic[i].name;

		if (name != NULL && strchr(name, ':') != NULL)
			load_fault(l, &c->basic[i].name,
			    "name: '%s' has a colon, which ends the name (RFC 7617); take another",
			    name);
		for (size_t j = 0; name != NULL && j < i; j++)
			if (c->basic[j].name != NULL && strcmp(c->basic[j].name, name) == 0)
				load_fault(l, &c->basic[i].name,
				    "name: '%s' appears twice; remove one", name);
	}
}

static void
check_clients(struct load *l, struct clients_conf *c, const struct service_tls_conf *tls)
{
	make_networks(l, c);
	for (size_t i = 0; i < c->certificates.n; i++)
		check_certificate(l, &c->certificates.v[i]);
	if (c->certificates.n > 0 && tls->client_ca.n == 0)
		load_fault(l, &c->certificates,
		    "certificates: nobody is asked for one without tls.client_ca; name the CAs");
	if (c->certificates.n == 0 && tls->client_ca.n > 0)
		load_fault(l, &tls->client_ca,
		    "client_ca: certificates are asked for and nobody is let in by one; set "
		    "clients.certificates, or remove it");
	check_basic(l, c);
	if (c->token_keys.n > 0 && c->token_issuer == NULL)
		load_fault(l, &c->token_keys,
		    "token_keys: needs token_issuer, the token.issuer of the registration service");
	if (c->token_keys.n == 0 && (c->token_issuer != NULL || c->token_audience != NULL))
		load_fault(l, c->token_issuer != NULL ? &c->token_issuer : &c->token_audience,
		    "token_issuer and token_audience are only used with token_keys");
	if (c->token_audience == NULL)
		c->token_audience = c->token_issuer;
}

/* --- the way out --- */

static void
check_proxy(struct load *l, struct pushgw_conf *c)
{
	const char *why;

	if (c->proxy == NULL) {
		if (c->proxy_credentials_file != NULL)
			load_fault(l, &c->proxy_credentials_file,
			    "proxy_credentials_file: is only used with proxy");
		return;
	}
	if (strchr(c->proxy, '@') != NULL) {
		load_fault(l, &c->proxy,
		    "proxy: no user or password belongs here; use proxy_credentials_file");
		return;
	}
	why = conf_address_parse(l->ctx.arena, str_z(c->proxy), NULL, &c->proxy_address);
	if (why != NULL || c->proxy_address.host == NULL || c->proxy_address.port == 0)
		load_fault(
		    l, &c->proxy, "proxy: '%s': expected host:port, without http://", c->proxy);
}

static bool
is_visible(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return true;
}

/* "Basic " and the credentials as RFC 7617 has them. */
static void
read_credentials(struct load *l, struct pushgw_conf *c)
{
	static const char scheme[] = "Basic ";
	struct str text = STR_NONE;
	size_t n = sizeof(scheme) - 1;
	char *value;

	setting_secret(
	    l, c->service.test_mode, "proxy_credentials_file", &c->proxy_credentials_file, &text);
	if (text.p == NULL)
		return;
	if (str_chr(text, ':') == NULL || !is_visible(text)) {
		load_fault(l, &c->proxy_credentials_file,
		    "proxy_credentials_file: %s must be one line, user:password, without blanks",
		    c->proxy_credentials_file);
	} else if ((value = arena_bytes(l->ctx.arena, n + (text.n + 2) / 3 * 4 + 1)) == NULL) {
		load_fault(l, &c->proxy_credentials_file, "proxy_credentials_file: out of memory");
	} else {
		memcpy(value, scheme, n);
		n += (size_t)EVP_EncodeBlock(
		    (unsigned char *)value + n, (const unsigned char *)text.p, (int)text.n);
		c->proxy_authorization = str_of(value, n);
	}
	setting_wipe(text);
}

/* --- queue and delivery, limits --- */

/* The one of two settings that stands in the file. */
static const void *
given(const struct load *l, const void *first, const void *second)
{
	return load_given(l, first) ? first : second;
}

static void
check_queue(struct load *l, const struct pushgw_conf *c)
{
	const struct queue_conf *q = &c->queue;

	if (q->delay_max < DELAY_MAX && !c->service.test_mode)
		load_fault(l, &q->delay_max,
		    "delay_max: every push has to be delayed by 0 to 10 s (ML-123618-3), so less "
		    "than 10s is only for test_mode; remove the line");
	if (q->age_max <= q->delay_max)
		load_fault(l, given(l, &q->age_max, &q->delay_max),
		    "age_max must be longer than delay_max, or pushes are given up before their "
		    "delay is over");
	if (q->visibility < c->delivery.request_timeout + c->delivery.request_timeout / 2)
		load_fault(l, given(l, &q->visibility, &c->delivery.request_timeout),
		    "visibility must be at least one and a half times delivery.request_timeout, or "
		    "two gateways send the same push; raise the one or lower the other");
}

/* A body is spelled anew where it is no canonical JSON, and the names in it besides. */
static void
check_limits(struct load *l, const struct service_limits *s)
{
	if (s->request_memory / 2 < s->body_max)
		load_fault(l, given(l, &s->request_memory, &s->body_max),
		    "request_memory must be at least twice body_max, or long notifications are "
		    "answered 503 for ever; raise the one or lower the other");
}

static void
check_delivery(struct load *l, const struct delivery_conf *d)
{
	if (d->retry_min > d->retry_max)
		load_fault(l, given(l, &d->retry_min, &d->retry_max),
		    "retry_min must not be above retry_max; lower the one or raise the other");
	if (d->connect_timeout > d->request_timeout)
		load_fault(l, given(l, &d->connect_timeout, &d->request_timeout),
		    "connect_timeout must not be above request_timeout, which includes it");
}

/* --- all of it --- */

void
config_check(struct load *l, struct pushgw_conf *c)
{
	bool rows_ok = load_ok(l); /* else numbers may be missing */

	config_apps(l, c);
	service_check(l, &c->service);
	check_clients(l, &c->clients, &c->service.tls);
	redis_section_check(l, &c->redis, c->service.test_mode);
	lookup_check(l, &c->lookups);
	check_proxy(l, c);
	if (rows_ok) {
		check_limits(l, &c->service.limits);
		check_queue(l, c);
		check_delivery(l, &c->delivery);
	}
}

static void
read_password(struct load *l, bool test_mode, struct client_conf *c)
{
	setting_secret(l, test_mode, "password_file", &c->password_file, &c->password);
	if (c->password.p != NULL && c->password.n == 0)
		load_fault(l, &c->password_file,
		    "password_file: %s holds an empty password; make one with: openssl rand -hex "
		    "32",
		    c->password_file);
}

static void
read_token_key(struct load *l, char **path, struct jwt_key *out)
{
	EVP_PKEY *key;
	struct str pem;
	BIO *bio;

	if (!setting_file(l, "token_keys", path, KEY_FILE_MAX, &pem))
		return;
	bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	key = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	ERR_clear_error();
	if (key == NULL)
		load_fault(l, path,
		    "token_keys: %s holds no public key in PEM; make it from the private one with "
		    "'openssl pkey -pubout'",
		    *path);
	else if (!jws_key_fits(JWS_ES256, key))
		load_fault(
		    l, path, "token_keys: the key in %s is not on P-256, as ES256 needs", *path);
	else if (jwt_key_set(out, key))
		return;
	else
		load_fault(l, path, "token_keys: out of memory");
	EVP_PKEY_free(key);
}

void
config_files(struct load *l, struct pushgw_conf *c)
{
	bool test_mode = c->service.test_mode;

	service_files(l, &c->service);
	for (size_t i = 0; i < c->clients.n_basic; i++)
		read_password(l, test_mode, &c->clients.basic[i]);
	for (size_t i = 0; i < c->clients.token_keys.n; i++)
		read_token_key(l, &c->clients.token_keys.v[i], &c->clients.keys[i]);
	redis_section_files(l, &c->redis, test_mode);
	setting_ca_file(l, "ca_file", &c->lookups.ca_file);
	read_credentials(l, c);
	for (size_t i = 0; i < c->n_apps; i++)
		config_app_files(l, test_mode, &c->apps[i]);
}

void
config_files_fini(struct pushgw_conf *c)
{
	service_files_fini(&c->service);
	for (size_t i = 0; i < c->clients.n_basic; i++)
		setting_wipe(c->clients.basic[i].password);
	for (size_t i = 0; i < PUSHGW_TOKEN_KEYS_MAX; i++)
		EVP_PKEY_free(c->clients.keys[i].key);
	redis_section_fini(&c->redis);
	setting_wipe(c->proxy_authorization);
	for (size_t i = 0; i < c->n_apps; i++)
		config_app_files_fini(&c->apps[i]);
}
