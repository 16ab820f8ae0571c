/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_vzd - the sections vzd and list: rows, what they demand of each other, their files.
 */
#include <stdlib.h>

#include "lib/daemon/setting.h"
#include "lib/http/fetch.h"
#include "regsvc/secret.h"
#include "regsvc/vzd_conf.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define PEM_MAX (256 << 10)

#define VZD(m) CONF_FIELD(struct vzd_conf, m)
#define LIST(m) CONF_FIELD(struct list_conf, m)

/* clang-format off */
static const struct conf_word client_auths[] = {
	{ "basic", VZD_AUTH_BASIC }, { "form", VZD_AUTH_FORM }, { NULL, 0 } };
static const struct conf_word sig_algs[] = {
	{ "any", VZD_ALG_ANY }, { "BP256R1", VZD_ALG_BP256R1 }, { "ES256", VZD_ALG_ES256 }, { NULL, 0 } };
static const struct conf_word checks[] = {
	{ "every", LIST_CHECK_EVERY }, { "max_age", LIST_CHECK_MAX_AGE }, { NULL, 0 } };
static const struct conf_word forms[] = {
	{ "signed", LIST_SIGNED }, { "unsigned", LIST_UNSIGNED }, { NULL, 0 } };

const struct conf_option vzd_rows[] = {
	{ "services_url", CONF_STRING, VZD(services_url), "", 0, 2048, CONF_RELOAD,
	  "https URL below which the provider services are; none: no VZD is asked" },
	{ "token_url", CONF_STRING, VZD(token_url), "", 0, 2048, CONF_RELOAD,
	  "https URL of the authorization server's token endpoint" },
	{ "exchange_url", CONF_STRING, VZD(exchange_url), "", 0, 2048, CONF_RELOAD,
	  "https URL where its token is exchanged for that of the services; none: it is that one" },
	{ "client_id", CONF_STRING, VZD(client_id), "", 0, 255, CONF_RELOAD, "our name at the authorization server" },
	{ "client_auth", CONF_ENUM, VZD(client_auth), "basic", 0, 0, CONF_RELOAD,
	  "how name and secret are sent", .words = client_auths },
	{ "client_secret_file", CONF_PATH, VZD(secret_file), "", 0, 4096, CONF_RELOAD, "file of the secret" },
	{ "client_secret_credential", CONF_STRING, VZD(secret_credential), "", 0, 255, CONF_RELOAD,
	  "or the name of a systemd credential" },
	{ "client_secret_uri", CONF_STRING, VZD(secret_uri), "", 0, 1024, CONF_RELOAD,
	  "or the PKCS#11 URI of an object in a token" },
	{ "pkcs11_module", CONF_PATH, VZD(pkcs11_module), "", 0, 4096, CONF_RELOAD, "PKCS#11 module of that token" },
	{ "pkcs11_pin_file", CONF_PATH, VZD(pkcs11_pin_file), "", 0, 4096, CONF_RELOAD,
	  "file of its PIN; none: no login" },
	{ "scope", CONF_STRING, VZD(scope), "", 0, 255, CONF_RELOAD, "scope asked for with the token" },
	{ "ca_file", CONF_PATH, VZD(ca_file), "", 0, 4096, CONF_RELOAD,
	  "PEM file of CAs for the servers' certificates besides the system's" },
	{ "timeout", CONF_DURATION, VZD(timeout), "10s", 100, 1 * MINUTE, CONF_RELOAD,
	  "each HTTP call; a slower VZD counts as unhealthy" },
	{ "token_margin", CONF_DURATION, VZD(token_margin), "30s", 0, 1 * HOUR, CONF_RELOAD,
	  "how long before its end a token is renewed" },
	{ "answer_max", CONF_SIZE, VZD(answer_max), "1M", 1 * KIB, 64 * MIB, CONF_RELOAD,
	  "answers other than the list" },
	{ "list_path", CONF_STRING, VZD(list_path), "FederationList/federationList.jws", 1, 255, CONF_RELOAD,
	  "where the list is below services_url" },
	{ "sig_alg", CONF_ENUM, VZD(sig_alg), "any", 0, 0, CONF_RELOAD,
	  "signature algorithm asked for with the list", .words = sig_algs },
	{ "localization", CONF_STRINGS, VZD(localization), "mxid=matrix:u/", 1, 8, CONF_RELOAD,
	  "parameter and prefix of users' names, tried in turn" },
	CONF_END
};

const struct conf_option list_rows[] = {
	{ "anchors", CONF_PATHS, LIST(anchor_files), "", 0, 64, CONF_RELOAD,
	  "PEM files of the trust anchors of the list's signature" },
	{ "signer_role", CONF_STRING, LIST(signer_role), "", 0, 255, CONF_RELOAD,
	  "OID which the admission extension of the signer's certificate must contain" },
	{ "signer_cn", CONF_STRING, LIST(signer_cn), "", 0, 255, CONF_RELOAD,
	  "common name which the signer's certificate must have" },
	{ "trust", CONF_SECTION, LIST(trust), NULL, 0, 0, CONF_RELOAD,
	  "whether the signer may be trusted at the time", .rows = trust_rows },
	{ "max_bytes", CONF_SIZE, LIST(max_bytes), "64M", 1 * KIB, 4 * GIB, CONF_RELOAD, "largest list accepted" },
	{ "max_entries", CONF_COUNT, LIST(max_entries), "1000000", 1, 100000000, CONF_RELOAD,
	  "most entries of a list accepted" },
	{ "interval", CONF_DURATION, LIST(interval), "1h", 100, 12 * HOUR, CONF_RELOAD,
	  "time between two questions to the VZD" },
	{ "retry_interval", CONF_DURATION, LIST(retry_interval), "5m", 100, 1 * HOUR, CONF_RELOAD,
	  "the same while the VZD is unhealthy" },
	{ "retries", CONF_COUNT, LIST(retries), "3", 1, 100, CONF_RELOAD,
	  "failures in a row, after the first, that make an incident" },
	{ "ttl", CONF_DURATION, LIST(ttl), "72h", 1 * SECOND, 30 * DAY, CONF_RELOAD,
	  "age past which a list is outdated" },
	{ "claim", CONF_DURATION, LIST(claim), "30s", 1 * SECOND, 1 * HOUR, CONF_RELOAD,
	  "after which another instance asks when the one that did is gone" },
	{ "check", CONF_ENUM, LIST(check), "every", 0, 0, CONF_RELOAD,
	  "whether every request of a proxy makes us ask the VZD", .words = checks },
	{ "check_max_age", CONF_DURATION, LIST(check_max_age), "1h", 0, 3 * DAY, CONF_RELOAD,
	  "with max_age: younger lists are not checked" },
	{ "check_timeout", CONF_DURATION, LIST(check_timeout), "2s", 50, 1 * MINUTE, CONF_RELOAD,
	  "how long a request waits for the check" },
	{ "check_gap", CONF_DURATION, LIST(check_gap), "0", 0, 1 * MINUTE, CONF_RELOAD,
	  "how long ago a check may have ended that counts for further requests" },
	{ "form", CONF_ENUM, LIST(form), "signed", 0, 0, CONF_RELOAD,
	  "whether the VZD's list is signed", .words = forms },
	{ "sign_certificate", CONF_PATH, LIST(sign_certificate), "", 0, 4096, CONF_RELOAD,
	  "PEM file of the certificate, with its chain, by which we sign an unsigned list" },
	{ "sign_key", CONF_PATH, LIST(sign_key), "", 0, 4096, CONF_RELOAD, "PEM file of its private key" },
	CONF_END
};
/* clang-format on */

/* --- what one demands of another --- */

static void
check_url(struct load *l, const char *what, char *const *url)
{
	if (*url != NULL && !setting_is_https(*url))
		load_fault(
		    l, url, "%s: '%s' is not an https URL without user and password", what, *url);
}

static void
check_secret(struct load *l, struct vzd_conf *v)
{
	int n = (v->secret_file != NULL) + (v->secret_credential != NULL) + (v->secret_uri != NULL);
	const char *fault = v->secret_uri != NULL ? secret_uri_fault(v->secret_uri) : NULL;

	if (n != 1)
		load_fault(l, n == 0 ? &v->services_url : &v->secret_file,
		    "give exactly one of client_secret_file, client_secret_credential and "
		    "client_secret_uri");
	if (v->secret_credential != NULL && strchr(v->secret_credential, '/') != NULL)
		load_fault(l, &v->secret_credential,
		    "client_secret_credential: '%s' is a path; write the name the unit gives it",
		    v->secret_credential);
	if (fault != NULL)
		load_fault(l, &v->secret_uri, "client_secret_uri: %s", fault);
	if (v->secret_uri != NULL && v->pkcs11_module == NULL)
		load_fault(l, &v->secret_uri,
		    "client_secret_uri needs pkcs11_module, the file of the token's module");
}

static void
check_localization(struct load *l, struct vzd_conf *v)
{
	for (size_t i = 0; i < v->localization.n; i++) {
		const char *form = v->localization.v[i];
		size_t n = form != NULL ? strcspn(form, "=&?# ") : 0;

		if (form != NULL && (n == 0 || form[n] != '='))
			load_fault(l, &v->localization.v[i],
			    "localization: '%s' is not of the form parameter=prefix", form);
	}
}

static void
check_services(struct load *l, struct vzd_conf *v, struct list_conf *c)
{
	size_t n = strlen(v->services_url);

	if (n > 0 && v->services_url[n - 1] == '/')
		v->services_url[n - 1] = '\0';
	if (v->token_url == NULL)
		load_fault(l, &v->services_url, "services_url needs token_url");
	if (v->client_id == NULL)
		load_fault(l, &v->services_url, "services_url needs client_id");
	if (c->anchor_files.n == 0)
		load_fault(l, &v->services_url,
		    "services_url needs list.anchors, by which the list is verified");
	check_secret(l, v);
}

static void
check_form(struct load *l, struct list_conf *c)
{
	bool has = c->sign_certificate != NULL && c->sign_key != NULL;

	if (c->form == LIST_UNSIGNED && !has)
		load_fault(l, &c->form,
		    "form: an unsigned list is signed here, for proxies accept no other; give "
		    "sign_certificate and sign_key");
	if (c->form == LIST_SIGNED && (c->sign_certificate != NULL || c->sign_key != NULL))
		load_fault(l, c->sign_key != NULL ? &c->sign_key : &c->sign_certificate,
		    "sign_certificate and sign_key are for form: unsigned; remove them");
}

void
vzd_check(struct load *l, struct vzd_conf *v, struct list_conf *c)
{
	check_url(l, "services_url", &v->services_url);
	check_url(l, "token_url", &v->token_url);
	check_url(l, "exchange_url", &v->exchange_url);
	check_localization(l, v);
	if (v->list_path != NULL &&
	    (v->list_path[0] == '/' || strpbrk(v->list_path, "?# ") != NULL))
		load_fault(l, &v->list_path,
		    "list_path: '%s' must be a path below services_url, without ? and leading /",
		    v->list_path);
	if (v->services_url != NULL)
		check_services(l, v, c);
	check_form(l, c);
	trust_check(l, &c->trust);
	if (load_ok(l) && c->ttl <= c->interval)
		load_fault(l, load_given(l, &c->ttl) ? &c->ttl : &c->interval,
		    "ttl must be longer than interval; raise the one or lower the other");
	v->list_max = c->max_bytes;
}

/* --- files --- */

static void
read_secret_file(struct load *l, bool test_mode, struct vzd_conf *v)
{
	struct str secret;

	setting_secret(l, test_mode, "client_secret_file", &v->secret_file, &secret);
	setting_wipe(secret); /* it is there; it is read when it is needed */
}

static void
check_credential(struct load *l, struct vzd_conf *v)
{
	char *path =
	    v->secret_credential != NULL ? secret_credential_path(v->secret_credential) : NULL;

	if (v->secret_credential != NULL && path == NULL)
		load_fault(l, &v->secret_credential,
		    "client_secret_credential: $CREDENTIALS_DIRECTORY is not set; the unit needs "
		    "LoadCredential=%s:FILE",
		    v->secret_credential);
	free(path);
}

static void
read_pin(struct load *l, bool test_mode, struct vzd_conf *v)
{
	struct str pin;

	setting_secret(l, test_mode, "pkcs11_pin_file", &v->pkcs11_pin_file, &pin);
	setting_wipe(pin);
}

static void
read_anchors(struct load *l, bool ca_system, struct vzd_conf *v)
{
	setting_ca_file(l, "ca_file", &v->ca_file);
	if (v->ca_file == NULL || !load_ok(l))
		return;
	v->anchors = fetch_anchors(v->ca_file, ca_system);
	if (v->anchors == NULL)
		load_fault(
		    l, &v->ca_file, "ca_file: %s is no PEM file of certificates", v->ca_file);
}

static void
read_signer(struct load *l, bool test_mode, struct list_conf *c)
{
	setting_file(
	    l, "sign_certificate", &c->sign_certificate, PEM_MAX, &c->sign_certificate_pem);
	if (setting_file(l, "sign_key", &c->sign_key, PEM_MAX, &c->sign_key_pem))
		setting_private(l, test_mode, "sign_key", &c->sign_key);
}

void
vzd_files(struct load *l, bool test_mode, bool ca_system, struct vzd_conf *v, struct list_conf *c)
{
	read_secret_file(l, test_mode, v);
	check_credential(l, v);
	read_pin(l, test_mode, v);
	read_anchors(l, ca_system, v);
	c->anchors = setting_anchors(l, &c->anchor_files);
	read_signer(l, test_mode, c);
}

void
vzd_files_fini(struct vzd_conf *v, struct list_conf *c)
{
	X509_STORE_free(v->anchors);
	X509_STORE_free(c->anchors);
	setting_wipe(c->sign_key_pem);
}
