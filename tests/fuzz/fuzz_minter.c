/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_minter - the first byte's lowest bit says whether the rest is SNI or the target of a
 * CONNECT.
 *
 * Either the client is refused with unrecognized_name and no certificate, or it gets one that
 * OpenSSL parses and believes, and whose only name is the one it asked for.  What the CA is said
 * not to be allowed, OpenSSL must refuse if it is issued all the same.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/fsutil.h"
#include "lib/net/minter_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOST_MAX 300
#define SNI_MAX 255

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

static struct minter_ca *ca;
static struct mint *mint;
static X509 *model;
static SSL_CTX *clients;
static int alert;

static void
on_info(const SSL *ssl, int where, int value)
{
	(void)ssl;
	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
		alert = value & 0xff;
}

static void
read_made(const char *folder, const char *name, struct buf *out)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	buf_init(out, 1 << 16);
	CHECK(fs_read(path, out) == 0);
	unlink(path);
}

static void
make(void)
{
	const char *const excluded[] = { "own.example", "192.0.2.0/24", "2001:db8::/32" };
	const struct minter_ca_request r = { .excluded = excluded, .n_excluded = 3, .days = 2 };
	const struct mint_config cfg = { .lifetime = 86400 * 1000, .max_entries = 4 };
	char folder[] = "/tmp/fuzz-minter-XXXXXX", why[256];
	struct buf cert, key;
	EVP_PKEY *own;

	CHECK(mkdtemp(folder) != NULL);
	CHECK(minter_ca_make(folder, &r, why, sizeof(why)));
	read_made(folder, MINTER_CA_CERTIFICATE, &cert);
	read_made(folder, MINTER_CA_KEY, &key);
	rmdir(folder);
	ca = minter_ca_load(buf_str(&cert), buf_str(&key), why, sizeof(why));
	CHECK(ca != NULL);
	buf_fini(&cert);
	buf_fini(&key);
	own = EVP_EC_gen("P-256");
	mint = mint_new(ca, &cfg);
	model = mint_model(ca, own);
	clients = SSL_CTX_new(TLS_client_method());
	CHECK(mint != NULL && model != NULL && clients != NULL);
	EVP_PKEY_free(own);
	SSL_CTX_set_verify(clients, SSL_VERIFY_PEER, NULL);
	CHECK(X509_STORE_add_cert(SSL_CTX_get_cert_store(clients), ca->cert) == 1);
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(clients), X509_V_FLAG_X509_STRICT);
	SSL_CTX_set_info_callback(clients, on_info);
}

static void
check_names(X509 *x, const struct minter_host *host)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, 0);
	const ASN1_STRING *value = name->d.ia5; /* all kinds are strings */
	struct str want =
	    host->ip_size > 0 ? str_of((const char *)host->ip, host->ip_size) : str_z(host->text);

	CHECK(sk_GENERAL_NAME_num(names) == 1);
	CHECK(name->type == (host->ip_size > 0 ? GEN_IPADD : GEN_DNS));
	CHECK(str_eq(want,
	    str_of((const char *)ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value))));
	GENERAL_NAMES_free(names);
}

static bool
client_believes(X509 *x)
{
	X509_STORE_CTX *c = X509_STORE_CTX_new();
	bool ok;

	CHECK(X509_STORE_CTX_init(c, SSL_CTX_get_cert_store(clients), x, NULL) == 1);
	ok = X509_verify_cert(c) == 1;
	X509_STORE_CTX_free(c);
	return ok;
}

/* Issued whether allowed or not: OpenSSL's opinion is the same as ours. */
static void
check_allowed(const struct minter_host *host)
{
	int64_t now = clock_wall_s();
	X509 *x = mint_leaf(ca, model, host, now - 60, now + 60), *parsed;
	unsigned char *der = NULL;
	const unsigned char *p;
	int n = i2d_X509(x, &der);

	CHECK(n > 0);
	p = der;
	parsed = d2i_X509(NULL, &p, n);
	CHECK(parsed != NULL && p == der + n);
	check_names(parsed, host);
	CHECK(client_believes(parsed) == minter_names_allow(ca->names, host));
	X509_free(parsed);
	X509_free(x);
	OPENSSL_free(der);
}

static bool
shake(SSL *client, SSL *server)
{
	BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());
	int a = 0, b = 0;

	BIO_up_ref(up);
	BIO_up_ref(down);
	SSL_set_bio(client, down, up);
	SSL_set_bio(server, up, down);
	SSL_set_connect_state(client);
	alert = 0;
	for (int i = 0; i < 6 && (a != 1 || b != 1); i++) {
		a = SSL_do_handshake(client);
		b = SSL_do_handshake(server);
	}
	ERR_clear_error();
	return a == 1 && b == 1;
}

static void
check_tls(const char *sni, const char *target, const struct minter_host *host, bool issued)
{
	SSL *client = SSL_new(clients), *server = mint_accept(mint, target);
	X509 *shown;

	if (sni != NULL)
		CHECK(SSL_set_tlsext_host_name(client, (char *)(uintptr_t)sni) == 1);
	CHECK(shake(client, server) == issued);
	shown = SSL_get0_peer_certificate(client);
	CHECK((shown != NULL) == issued);
	CHECK(alert == (issued ? 0 : SSL_AD_UNRECOGNIZED_NAME));
	if (issued)
		check_names(shown, host);
	SSL_free(client);
	SSL_free(server);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool is_sni = size > 0 && (data[0] & 1) != 0, ok;
	struct minter_host host;
	char text[HOST_MAX + 1];
	struct str name;
	size_t n = size > 0 ? size - 1 : 0, max = is_sni ? SNI_MAX : HOST_MAX;

	if (ca == NULL)
		make();
	if (n > max)
		n = max;
	if (n > 0)
		memcpy(text, data + 1, n);
	text[n] = '\0';
	name = str_of(text, n);
	ok = is_sni ? minter_host_name(name, &host) : minter_host_any(name, &host);
	CHECK(!ok || memchr(text, '\0', n) == NULL);
	if (ok)
		check_allowed(&host);
	if (strlen(text) != n || (is_sni && n == 0))
		return 0; /* no client can be made to say so */
	check_tls(is_sni ? text : NULL, is_sni ? "t.example" : text, &host,
	    ok && minter_names_allow(ca->names, &host));
	return 0;
}
