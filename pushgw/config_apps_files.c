/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_apps_files - the keys and certificates by which an app's pushes are authenticated.
 */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "lib/base/base64.h"
#include "lib/base/clock.h"
#include "lib/daemon/setting.h"
#include "lib/jose/jws.h"
#include "lib/jose/x5c.h"
#include "lib/net/certcheck.h"
#include "pushgw/config_check.h"

#define CERTIFICATE_MAX (256 << 10)
#define KEY_MAX (16 << 10)
#define P256_BYTES 32

/* --- keys --- */

EVP_PKEY *
config_parse_key(struct str pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *key =
	    bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (char[1]){ 0 }) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return key;
}

/* A key on P-256 that is given as its number alone (SEC 1, ECPrivateKey without public key). */
static EVP_PKEY *
key_of_number(const unsigned char number[P256_BYTES])
{
	static const unsigned char head[] = { 0x30, 0x31, 0x02, 0x01, 0x01, 0x04, P256_BYTES };
	static const unsigned char tail[] = { 0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
		0x03, 0x01, 0x07 };
	unsigned char der[sizeof(head) + P256_BYTES + sizeof(tail)];
	const unsigned char *p = der;
	EVP_PKEY *key;

	memcpy(der, head, sizeof(head));
	memcpy(der + sizeof(head), number, P256_BYTES);
	memcpy(der + sizeof(head) + P256_BYTES, tail, sizeof(tail));
	key = d2i_PrivateKey(EVP_PKEY_EC, NULL, &p, sizeof(der));
	OPENSSL_cleanse(der, sizeof(der));
	return key;
}

/* What tools of Web Push write: base64url of DER, or of the number. */
static EVP_PKEY *
parse_bare_key(struct str text)
{
	unsigned char der[BASE64_DECODED_MAX(512)];
	const unsigned char *p = der;
	EVP_PKEY *key = NULL;
	size_t n = 0;

	text = str_strip(text);
	while (str_has_suffix(text, STR("=")))
		text.n--;
	if (base64url_decode(text, der, sizeof(der), &n) ||
	    base64_decode(text, der, sizeof(der), &n))
		key = n == P256_BYTES ? key_of_number(der) : d2i_AutoPrivateKey(NULL, &p, (long)n);
	OPENSSL_cleanse(der, sizeof(der));
	ERR_clear_error();
	return key;
}

/* A private key on P-256 in PEM; with `bare` also in base64url, DER or the number alone.  NULL: no
 * file is named, or a fault was added. */
static EVP_PKEY *
read_key(struct load *l, bool test_mode, const char *what, char *const *path, bool bare)
{
	EVP_PKEY *key;
	struct str text;

	if (!setting_file(l, what, path, KEY_MAX, &text))
		return NULL;
	setting_private(l, test_mode, what, path);
	key = config_parse_key(text);
	if (key == NULL && bare)
		key = parse_bare_key(text);
	setting_wipe(text);
	if (key == NULL)
		load_fault(l, path, "%s: %s holds no private key in PEM%s without a passphrase",
		    what, *path, bare ? " or base64url" : "");
	else if (!jws_key_fits(JWS_ES256, key))
		load_fault(
		    l, path, "%s: the key in %s is not on P-256, as ES256 needs", what, *path);
	return key;
}

/* --- APNs: client certificates --- */

struct finding {
	struct load *load;
	struct apns_conf *apns;
};

static void
on_finding(void *arg, bool fatal, enum certcheck_part part, size_t host, const char *text)
{
	struct finding *f = arg;
	bool key = part == CERTCHECK_KEY;
	bool apart = f->apns->certificate_key != NULL;

	(void)host;
	if (fatal)
		load_fault(f->load,
		    key && apart ? &f->apns->certificate_key : &f->apns->certificate, "%s: %s",
		    key && apart ? "certificate_key" : "certificate", text);
	else
		log_warn("%s", text);
}

static void
take_chain(struct load *l, struct apns_conf *a, struct str pem)
{
	enum err why = OK;

	a->chain = x5c_parse_pem(pem, &why);
	if (a->chain != NULL)
		a->leaf = sk_X509_shift(a->chain);
	if (a->leaf == NULL)
		setting_pem_fault(l, "certificate", &a->certificate, why);
}

/* The certificate is for one app or for several topics of it: its user ID is the bundle ID. */
static void
take_topic(struct load *l, struct apns_conf *a)
{
	X509_NAME *subject = X509_get_subject_name(a->leaf);
	int at = X509_NAME_get_index_by_NID(subject, NID_userId, -1), n = -1;
	unsigned char *text = NULL;

	if (at >= 0)
		n = ASN1_STRING_to_UTF8(
		    &text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	if (n > 0)
		a->topic = arena_z(l->ctx.arena, str_of((const char *)text, (size_t)n));
	OPENSSL_free(text);
	if (a->topic == NULL || !config_made_of(a->topic, "-."))
		load_fault(l, &a->certificate,
		    "certificate: %s names no bundle ID as its user ID (UID); set topic",
		    a->certificate);
}

static void
judge_certificate(
    struct load *l, bool test_mode, struct apns_conf *a, struct str chain, struct str key)
{
	struct finding finding = { l, a };
	struct certcheck check = {
		.chain_file = a->certificate,
		.key_file = a->certificate_key != NULL ? a->certificate_key : a->certificate,
		.chain_pem = chain,
		.key_pem = key,
		.now = clock_wall_s(),
		.test_mode = test_mode,
		/* its app does not work then; without it no other would, at the next start */
		.late = true,
	};

	if (!certcheck_judge(&check, on_finding, &finding, &a->not_after))
		return;
	a->key = config_parse_key(key);
	if (a->key == NULL)
		load_fault(l, &a->certificate, "certificate: out of memory for its key");
	take_chain(l, a, chain);
	if (a->leaf != NULL && a->topic == NULL)
		take_topic(l, a);
}

static void
read_certificate(struct load *l, bool test_mode, struct apns_conf *a)
{
	bool apart = a->certificate_key != NULL;
	struct str chain, key = STR_NONE;

	if (!setting_file(l, "certificate", &a->certificate, CERTIFICATE_MAX, &chain))
		return;
	if (!apart)
		setting_private(l, test_mode, "certificate", &a->certificate);
	else if (setting_file(l, "certificate_key", &a->certificate_key, KEY_MAX, &key))
		setting_private(l, test_mode, "certificate_key", &a->certificate_key);
	if (!apart || key.n > 0)
		judge_certificate(l, test_mode, a, chain, apart ? key : chain);
	setting_wipe(key);
	setting_wipe(chain);
}

/* --- an entry --- */

void
config_app_files(struct load *l, bool test_mode, struct app_conf *app)
{
	switch (app->provider) {
	case APP_APNS:
		if (app->apns.key_file != NULL)
			app->apns.key =
			    read_key(l, test_mode, "key_file", &app->apns.key_file, false);
		else
			read_certificate(l, test_mode, &app->apns);
		break;
	case APP_FCM:
		config_account(l, test_mode, &app->fcm);
		break;
	case APP_WEBPUSH:
		app->webpush.key =
		    read_key(l, test_mode, "vapid_key_file", &app->webpush.vapid_key_file, true);
		break;
	case APP_UNIFIEDPUSH:
	case APP_PROVIDERS:
		break;
	}
}

void
config_app_files_fini(struct app_conf *app)
{
	EVP_PKEY_free(app->apns.key);
	X509_free(app->apns.leaf);
	sk_X509_pop_free(app->apns.chain, X509_free);
	EVP_PKEY_free(app->fcm.key);
	EVP_PKEY_free(app->webpush.key);
}
