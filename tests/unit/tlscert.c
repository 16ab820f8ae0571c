/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/tlscert.h"

#include <criterion/criterion.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/net/tls.h"

static void *
made(void *p)
{
	cr_assert(p != NULL, "cannot make test material");
	return p;
}

static X509 *
certificate(const char *cn, EVP_PKEY *key, X509 *issuer, const struct tlscert *want)
{
	X509 *x = made(X509_new());
	X509_NAME *name = X509_get_subject_name(x);

	X509_set_version(x, (want->version != 0 ? want->version : 3) - 1);
	ASN1_INTEGER_set(X509_get_serialNumber(x), issuer != NULL ? 2 : 1);
	X509_time_adj_ex(
	    X509_getm_notBefore(x), want->from_days != 0 ? want->from_days : -1, 0, NULL);
	X509_time_adj_ex(X509_getm_notAfter(x), want->to_days != 0 ? want->to_days : 90, 0, NULL);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(x, issuer != NULL ? X509_get_subject_name(issuer) : name);
	X509_set_pubkey(x, key);
	return x;
}

static void
add(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = made(X509V3_EXT_conf_nid(NULL, NULL, nid, value));

	cr_assert(X509_add_ext(x, e, -1) == 1);
	X509_EXTENSION_free(e);
}

static char *
text_of(BIO *bio)
{
	char *data, *text;
	long n = BIO_get_mem_data(bio, &data);

	text = made(strndup(data, (size_t)n));
	BIO_free(bio);
	return text;
}

void
tlscert_make(const struct tlscert *want, char **chain_pem, char **key_pem)
{
	EVP_PKEY *key =
	    made(want->rsa_bits != 0 ? EVP_RSA_gen((unsigned)want->rsa_bits)
				     : EVP_EC_gen(want->curve != NULL ? want->curve : "P-256"));
	EVP_PKEY *ca_key = made(EVP_EC_gen("P-256"));
	X509 *ca = certificate("Test CA", ca_key, NULL, &(struct tlscert){ .to_days = 200 });
	X509 *leaf = certificate("server", key, want->self_signed ? NULL : ca, want);
	const EVP_MD *digest = made((void *)(uintptr_t)EVP_get_digestbyname(
	    want->digest != NULL ? want->digest : "SHA256"));
	BIO *chain = made(BIO_new(BIO_s_mem())), *secret = made(BIO_new(BIO_s_mem()));

	add(ca, NID_basic_constraints, "critical,CA:TRUE");
	cr_assert(X509_sign(ca, ca_key, EVP_sha256()) > 0);
	if (want->version != 1)
		add(leaf, NID_subject_alt_name,
		    want->names != NULL ? want->names : "DNS:a.example.org");
	cr_assert(X509_sign(leaf, want->self_signed ? key : ca_key, digest) > 0);
	cr_assert(PEM_write_bio_X509(chain, leaf) == 1);
	if (!want->self_signed)
		cr_assert(PEM_write_bio_X509(chain, ca) == 1);
	cr_assert(PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) == 1);
	*chain_pem = text_of(chain);
	*key_pem = text_of(secret);
	X509_free(leaf);
	X509_free(ca);
	EVP_PKEY_free(key);
	EVP_PKEY_free(ca_key);
}

void
tlscert_write(const char *folder, const char *file, const char *text, unsigned mode)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	f = made(fopen(path, "w"));
	cr_assert(fputs(text, f) >= 0);
	cr_assert(fclose(f) == 0);
	cr_assert(chmod(path, mode) == 0);
}

SSL *
tlscert_accept(void)
{
	static const char *const hosts[] = { "a.example.org" };
	struct tls_tickets *tickets = tls_tickets_rotate(NULL);
	struct tls_identity id = { .name = "a", .hosts = hosts, .n_hosts = 1 };
	struct tls_server_config cfg = { .identities = &id, .n = 1, .fallback = 0, .tls13 = true,
		.ticket_lifetime_s = 3600 };
	char *chain, *key, why[256];
	struct tls_server *t;
	SSL *ssl;

	tlscert_make(&(struct tlscert){ .names = NULL }, &chain, &key);
	id.certificate = str_z(chain);
	id.key = str_z(key);
	t = tls_server_new(&cfg, tickets, why, sizeof(why));
	cr_assert_not_null(t, "%s", why);
	ssl = made(tls_server_accept(t));
	tls_server_free(t);
	snapshot_drop(&tickets->snap);
	free(chain);
	free(key);
	return ssl;
}
