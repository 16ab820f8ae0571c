/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_regsvc - where a federation's list and PASSporT certificates come from: what the settings
 * demand of each other, and the secrets with which the registration service is asked.
 */
#include <ctype.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "lib/daemon/setting.h"
#include "lib/jose/x5c.h"
#include "proxy/config_check.h"

#define KEY_MAX (64 << 10)

/* --- the list --- */

static void
check_given(struct load *l, struct federation_conf *f)
{
	if ((f->list_file == NULL) == (f->list_url == NULL))
		load_fault(l, f->list_url != NULL ? &f->list_url : &f->list_file,
		    "list: %s; give one of the two, or set source to regsvc",
		    f->list_file == NULL ? "neither file nor url is set"
					 : "both file and url are set");
	f->list_source = f->list_url != NULL ? LIST_URL : LIST_FILE;
}

static void
check_source(struct load *l, struct federation_conf *f)
{
	if (f->list_source == LIST_GIVEN) {
		check_given(l, f);
		return;
	}
	if (f->list_file != NULL && f->list_source != LIST_FILE)
		load_fault(l, &f->list_file, "file: is not used with this source; remove it");
	if (f->list_url != NULL && f->list_source != LIST_URL)
		load_fault(l, &f->list_url, "url: is not used with this source; remove it");
	if (f->list_source == LIST_FILE && f->list_file == NULL)
		load_fault(l, &f->list_source, "source: file, but no file is set; set list.file");
	if (f->list_source == LIST_URL && f->list_url == NULL)
		load_fault(l, &f->list_source, "source: url, but no url is set; set list.url");
}

/* Allowed, for a list that somebody else has verified, but never by accident. */
static void
warn_unchecked(const struct load *l, const struct federation_conf *f, const struct trust_conf *t,
    const char *what)
{
	if (t->revocation == TRUST_OFF)
		log_warn("%s: federation %s: %s.trust.revocation is off: nobody asks whether the "
			 "certificates were revoked; set it to required",
		    l->faults.path, f->name != NULL ? f->name : "", what);
}

static void
check_list(struct load *l, struct federation_conf *f)
{
	check_source(l, f);
	trust_check(l, &f->list_trust);
	warn_unchecked(l, f, &f->list_trust, "list");
	if (f->list_url != NULL && !setting_is_https(f->list_url))
		load_fault(
		    l, &f->list_url, "url: must be https://host/path without user and password");
	if (f->list_interval > 0 && f->list_interval >= f->list_ttl && f->list_ttl > 0)
		log_warn("%s: federation %s: list.interval is not shorter than list.ttl; the list "
			 "will be stale "
			 "between two looks",
		    l->faults.path, f->name != NULL ? f->name : "");
}

/* --- the registration service --- */

/* A UUID as RFC 9562 writes it. */
static bool
is_uuid(const char *s)
{
	if (strlen(s) != 36)
		return false;
	for (size_t i = 0; i < 36; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? s[i] != '-'
							    : !isxdigit((unsigned char)s[i]))
			return false;
	return true;
}

static bool
is_printable(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

static void
check_password(struct load *l, struct regsvc_conf *r)
{
	const char *how = r->auth == REGSVC_BASIC ? "basic" : "oauth";

	if (r->client_id == NULL)
		load_fault(l, &r->auth, "auth: %s needs client_id; set it", how);
	else if (!is_printable(r->client_id) || strchr(r->client_id, ':') != NULL)
		load_fault(l, &r->client_id,
		    "client_id: only printable ASCII characters without blank and colon");
	if (r->password_file == NULL)
		load_fault(l, &r->auth, "auth: %s needs password_file; set it", how);
	if (r->certificate != NULL)
		load_fault(l, &r->certificate, "certificate: is only used with auth: mtls");
	if (r->key != NULL)
		load_fault(l, &r->key, "key: is only used with auth: mtls");
}

static void
check_mtls(struct load *l, struct regsvc_conf *r)
{
	if (r->certificate == NULL)
		load_fault(l, &r->auth, "auth: mtls needs certificate; set it");
	if (r->key == NULL)
		load_fault(l, &r->auth, "auth: mtls needs key; set it");
	if (r->client_id != NULL)
		load_fault(l, &r->client_id, "client_id: is not used with auth: mtls; remove it");
	if (r->password_file != NULL)
		load_fault(
		    l, &r->password_file, "password_file: is not used with auth: mtls; remove it");
}

static void
check_regsvc(struct load *l, struct regsvc_conf *r)
{
	size_t n = strlen(r->url);

	if (!setting_is_https(r->url) || strpbrk(r->url, "?#") != NULL)
		load_fault(l, &r->url,
		    "url: must be https://host:port without user, password and query; plain HTTP "
		    "is not spoken with the registration service");
	while (n > 0 && r->url[n - 1] == '/')
		r->url[--n] = '\0';
	if (r->subscription == NULL)
		load_fault(l, &r->url, "url: needs subscription beside it; set it");
	else if (!is_uuid(r->subscription))
		load_fault(l, &r->subscription,
		    "subscription: not a UUID; write it as schleusectl printed it");
	if (r->auth == REGSVC_MTLS)
		check_mtls(l, r);
	else
		check_password(l, r);
}

void
config_regsvc(struct load *l, struct federation_conf *f)
{
	bool list = f->list_source == LIST_REGSVC,
	     passports = f->passport_source == PASSPORT_REGSVC;

	check_list(l, f);
	trust_check(l, &f->passport_trust);
	if (f->passport_source == PASSPORT_REGSVC)
		warn_unchecked(l, f, &f->passport_trust, "passport");
	if (f->regsvc.url != NULL)
		check_regsvc(l, &f->regsvc);
	else if (list || passports)
		load_fault(l, list ? (void *)&f->list_source : (void *)&f->passport_source,
		    "source: regsvc, but regsvc.url of this federation is not set; set it");
	if (passports && f->passport_anchors.n == 0)
		load_fault(l, &f->passport_source,
		    "source: regsvc needs passport.anchors: certificates are verified here");
	if (f->regsvc.url != NULL && !list && !passports)
		log_warn(
		    "%s: federation %s: regsvc is not used; set list.source or passport.source "
		    "to regsvc",
		    l->faults.path, f->name != NULL ? f->name : "");
}

/* --- files --- */

/* A daemon asks nobody for a password. */
static int
no_password(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static EVP_PKEY *
read_key(struct str pem)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *key = b != NULL ? PEM_read_bio_PrivateKey(b, NULL, no_password, NULL) : NULL;

	BIO_free(b);
	ERR_clear_error();
	return key;
}

static void
read_identity(struct load *l, bool test_mode, struct regsvc_conf *r)
{
	struct fetch_identity *id = &r->identity;
	enum err why = OK;
	struct str pem;

	id->chain = x5c_read_pem(r->certificate, &why);
	if (id->chain == NULL) {
		setting_pem_fault(l, "certificate", &r->certificate, why);
		return;
	}
	id->certificate = sk_X509_shift(id->chain);
	if (!setting_file(l, "key", &r->key, KEY_MAX, &pem))
		return;
	setting_private(l, test_mode, "key", &r->key);
	id->key = read_key(pem);
	setting_wipe(pem);
	if (id->key == NULL)
		load_fault(
		    l, &r->key, "key: %s holds no private key in PEM without password", r->key);
	else if (X509_check_private_key(id->certificate, id->key) != 1)
		load_fault(l, &r->key, "key: %s is not the key of %s", r->key, r->certificate);
	ERR_clear_error();
}

void
config_regsvc_files(struct load *l, bool test_mode, struct regsvc_conf *r)
{
	if (r->url == NULL)
		return;
	setting_ca_file(l, "ca_file", &r->ca_file);
	if (r->auth != REGSVC_MTLS)
		setting_secret(l, test_mode, "password_file", &r->password_file, &r->password);
	else if (r->certificate != NULL && r->key != NULL)
		read_identity(l, test_mode, r);
}

void
config_regsvc_fini(struct regsvc_conf *r)
{
	setting_wipe(r->password);
	X509_free(r->identity.certificate);
	sk_X509_pop_free(r->identity.chain, X509_free);
	EVP_PKEY_free(r->identity.key);
}
