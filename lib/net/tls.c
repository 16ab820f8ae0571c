/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/tls.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/strmap.h"

/* BSI TR-02102-2: forward secrecy and authenticated encryption only. */
#define SUITES12 \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
#define SUITES13 "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"
/* Not const: OpenSSL's macros cast that away, which clang refuses with -Wcast-qual. */
static char groups[] = "P-256:P-384:P-521:brainpoolP256r1:brainpoolP384r1:brainpoolP512r1";
static char sigalgs[] =
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"
    "RSA+SHA256:RSA+SHA384:RSA+SHA512";

struct identity {
	SSL_CTX *ctx;
	char **hosts;
	size_t n_hosts;
	unsigned char session_context[32]; /* see name_sessions(); the same over reloads */
};

struct tls_server {
	struct snapshot snap; /* one for the owner, one for each living SSL */
	struct identity *ids;
	size_t n;
	size_t fallback;
	bool http2;
	struct strmap by_host; /* index of the identity */
	struct strmap_entry *entries;
	struct tls_tickets *tickets;
	struct tls_staples *staples; /* or NULL */
};

/* What hangs on each SSL: its server, and which identity SNI chose. */
static int server_index = -1;
static int choice_index = -1;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
on_ssl_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
	(void)parent;
	(void)ad;
	(void)idx;
	(void)argl;
	(void)argp;
	snapshot_drop(ptr);
}

static void
make_indexes(void)
{
	server_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, on_ssl_free);
	choice_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

/* --- tickets --- */

static int
use_key(const struct tls_ticket_key *k, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
    int encrypt)
{
	OSSL_PARAM params[3];

	params[0] = OSSL_PARAM_construct_octet_string(
	    OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)k->mac, sizeof(k->mac));
	params[1] = OSSL_PARAM_construct_utf8_string(
	    OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0);
	params[2] = OSSL_PARAM_construct_end();
	return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->aes, iv, encrypt) == 1 &&
	       EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int encrypt)
{
	struct tls_server *server = SSL_get_ex_data(ssl, server_index);
	struct tls_tickets *t = server->tickets;

	if (encrypt) {
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
			return -1;
		memcpy(name, t->keys[0].name, sizeof(t->keys[0].name));
		return use_key(&t->keys[0], iv, cipher, mac, 1) ? 1 : -1;
	}
	for (size_t i = 0; i < t->n; i++) {
		if (memcmp(name, t->keys[i].name, sizeof(t->keys[i].name)) != 0)
			continue;
		if (!use_key(&t->keys[i], iv, cipher, mac, 0))
			return -1;
		/* TLS 1.3 gets a new ticket after each resumption anyway; 1.2 when the key is no
		 * longer the newest. */
		return i == 0 && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2;
	}
	return 0;
}

/* --- SNI, ALPN, stapling --- */

static bool
find_host(const struct tls_server *t, struct str host, size_t *out)
{
	char lower[256];

	if (host.n > sizeof(lower))
		return false;
	for (size_t i = 0; i < host.n; i++)
		lower[i] = str_lower(host.p[i]);
	return strmap_find(&t->by_host, str_of(lower, host.n), out);
}

/* A raw server_name extension (RFC 6066): list length, type, name length, name. */
bool
tls_hello_name(SSL *ssl, struct str *out)
{
	const unsigned char *p;
	size_t n, len;

	*out = STR_NONE;
	if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n))
		return true;
	if (n < 5 || p[2] != TLSEXT_NAMETYPE_host_name)
		return false;
	len = (size_t)p[3] << 8 | p[4];
	if (len == 0 || len > n - 5)
		return false;
	*out = str_of((const char *)p + 5, len);
	return true;
}

/* Before anything else is read, tickets included: so that a ticket opens only the service it was
 * issued for. */
static int
on_hello(SSL *ssl, int *alert, void *arg)
{
	struct tls_server *t = SSL_get_ex_data(ssl, server_index);
	struct str name;
	size_t i = t->fallback;

	(void)arg;
	if (!tls_hello_name(ssl, &name) || (name.n > 0 ? !find_host(t, name, &i) : i >= t->n)) {
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_CLIENT_HELLO_ERROR;
	}
	SSL_set_ex_data(ssl, choice_index, (void *)(uintptr_t)(i + 1));
	SSL_set_SSL_CTX(ssl, t->ids[i].ctx);
	SSL_set_session_id_context(
	    ssl, t->ids[i].session_context, sizeof(t->ids[i].session_context));
	return SSL_CLIENT_HELLO_SUCCESS;
}

static int
on_sni(SSL *ssl, int *alert, void *arg)
{
	(void)ssl;
	(void)alert;
	(void)arg;
	return SSL_TLSEXT_ERR_OK; /* the name was taken: on_hello() has used it */
}

static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
    unsigned in_len, void *arg)
{
	static const unsigned char both[] = "\x02h2\x08http/1.1";
	const struct tls_server *t = SSL_get_ex_data(ssl, server_index);
	unsigned skip = t->http2 ? 0 : sizeof("\x02h2") - 1;

	(void)arg;
	if (SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len, both + skip,
		sizeof(both) - 1 - skip, in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

static int
on_status(SSL *ssl, void *arg)
{
	struct tls_server *t = SSL_get_ex_data(ssl, server_index);
	uintptr_t choice = (uintptr_t)SSL_get_ex_data(ssl, choice_index);
	size_t i = choice > 0 ? choice - 1 : 0;
	const struct tls_staple *staple;
	unsigned char *copy;

	(void)arg;
	if (t->staples == NULL || i >= t->staples->n)
		return SSL_TLSEXT_ERR_NOACK;
	staple = &t->staples->of[i];
	if (staple->der.n == 0 || clock_wall_s() >= staple->until)
		return SSL_TLSEXT_ERR_NOACK;
	copy = OPENSSL_memdup(staple->der.p, staple->der.n); /* OpenSSL frees it */
	if (copy == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)staple->der.n);
	return SSL_TLSEXT_ERR_OK;
}

/* --- contexts --- */

static bool
use_certificate(SSL_CTX *ctx, const struct tls_identity *id)
{
	BIO *certs = BIO_new_mem_buf(id->certificate.p, (int)id->certificate.n);
	BIO *keys = BIO_new_mem_buf(id->key.p, (int)id->key.n);
	EVP_PKEY *key = keys != NULL ? PEM_read_bio_PrivateKey(keys, NULL, NULL, NULL) : NULL;
	X509 *cert = certs != NULL ? PEM_read_bio_X509(certs, NULL, NULL, NULL) : NULL;
	bool ok = cert != NULL && key != NULL && SSL_CTX_use_certificate(ctx, cert) == 1 &&
		  SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;

	X509_free(cert);
	while (ok && (cert = PEM_read_bio_X509(certs, NULL, NULL, NULL)) != NULL)
		if (SSL_CTX_add0_chain_cert(ctx, cert) != 1) {
			X509_free(cert);
			ok = false;
		}
	ERR_clear_error(); /* the end of the file is an error to PEM_read */
	EVP_PKEY_free(key);
	BIO_free(certs);
	BIO_free(keys);
	return ok;
}

bool
tls_profile(SSL_CTX *ctx, bool tls13)
{
	return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(ctx, tls13 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_cipher_list(ctx, SUITES12) == 1 &&
	       SSL_CTX_set_ciphersuites(ctx, SUITES13) == 1 &&
	       SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
	       SSL_CTX_set1_sigalgs_list(ctx, sigalgs) == 1;
}

/* A client need not show a certificate; one that it shows must verify. */
static bool
ask_clients(SSL_CTX *ctx, X509_STORE *anchors)
{
	const STACK_OF(X509_OBJECT) *all;

	if (anchors == NULL)
		return true;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_set1_verify_cert_store(ctx, anchors) != 1)
		return false;
	all = X509_STORE_get0_objects(anchors);
	for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
		X509 *ca = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));

		if (ca != NULL && SSL_CTX_add_client_CA(ctx, ca) != 1)
			return false;
	}
	return true;
}

static SSL_CTX *
make_context(const struct tls_identity *id, const struct tls_server_config *cfg)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
				     SSL_OP_IGNORE_UNEXPECTED_EOF |
				     SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, cfg->ticket_lifetime_s);
	/* One for each connection, so a client has as many as it had connections; OpenSSL's second
	 * one would cost a twentieth of a handshake. */
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_client_hello_cb(ctx, on_hello, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_sni);
	SSL_CTX_set_tlsext_status_cb(ctx, on_status);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
	/* Early data can be replayed (RFC 8446, section 8): none is taken.  A client that sends
	 * some all the same goes through a full handshake. */
	if (SSL_CTX_set_max_early_data(ctx, 0) != 1 || !tls_profile(ctx, cfg->tls13) ||
	    !use_certificate(ctx, id) || !ask_clients(ctx, cfg->client_anchors)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

/* A session opens only the service it was made for, and only while the CAs are the same by which
 * its client was verified: resuming it verifies nothing. */
static bool
name_sessions(struct identity *out, const struct tls_identity *id, X509_STORE *anchors)
{
	const STACK_OF(X509_OBJECT) *all =
	    anchors != NULL ? X509_STORE_get0_objects(anchors) : NULL;
	unsigned char sum[EVP_MAX_MD_SIZE] = { 0 }, one[EVP_MAX_MD_SIZE];
	crypto_generichash_state state;
	unsigned n = 0;

	for (int i = 0; all != NULL && i < sk_X509_OBJECT_num(all); i++) {
		X509 *ca = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));

		if (ca == NULL)
			continue;
		if (X509_digest(ca, EVP_sha256(), one, &n) != 1)
			return false;
		sodium_add(sum, one, n); /* in whatever order they are */
	}
	crypto_generichash_init(&state, NULL, 0, sizeof(out->session_context));
	crypto_generichash_update(&state, (const unsigned char *)id->name, strlen(id->name) + 1);
	crypto_generichash_update(&state, sum, sizeof(sum));
	crypto_generichash_final(&state, out->session_context, sizeof(out->session_context));
	return true;
}

static bool
make_identity(
    struct identity *out, const struct tls_identity *id, const struct tls_server_config *cfg)
{
	out->ctx = make_context(id, cfg);
	if (!name_sessions(out, id, cfg->client_anchors))
		return false;
	out->hosts = calloc(id->n_hosts + 1, sizeof(*out->hosts));
	if (out->ctx == NULL || out->hosts == NULL)
		return false;
	for (size_t h = 0; h < id->n_hosts; h++) {
		out->hosts[h] = strdup(id->hosts[h]);
		if (out->hosts[h] == NULL)
			return false;
		out->n_hosts++;
	}
	return true;
}

static void
server_free(struct snapshot *s)
{
	struct tls_server *t = (struct tls_server *)s;

	for (size_t i = 0; i < t->n; i++) {
		SSL_CTX_free(t->ids[i].ctx);
		for (size_t h = 0; h < t->ids[i].n_hosts; h++)
			free(t->ids[i].hosts[h]);
		free(t->ids[i].hosts);
	}
	free(t->ids);
	free(t->entries);
	snapshot_drop((struct snapshot *)t->tickets);
	snapshot_drop((struct snapshot *)t->staples);
	free(t);
}

static bool
map_hosts(struct tls_server *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += t->ids[i].n_hosts;
	t->entries = calloc(n + 1, sizeof(*t->entries));
	if (t->entries == NULL)
		return false;
	n = 0;
	for (size_t i = 0; i < t->n; i++)
		for (size_t h = 0; h < t->ids[i].n_hosts; h++)
			t->entries[n++] = (struct strmap_entry){ str_z(t->ids[i].hosts[h]), i };
	t->by_host = strmap_of(t->entries, n);
	return true;
}

struct tls_server *
tls_server_new(
    const struct tls_server_config *cfg, struct tls_tickets *tickets, char *why, size_t why_size)
{
	struct tls_server *t = calloc(1, sizeof(*t));
	char detail[256] = "out of memory";

	pthread_once(&once, make_indexes);
	if (t == NULL)
		return NULL;
	snapshot_init(&t->snap, server_free);
	t->tickets = snapshot_hold((struct snapshot *)tickets);
	t->fallback = cfg->fallback;
	t->http2 = cfg->http2;
	t->ids = calloc(cfg->n, sizeof(*t->ids));
	for (size_t i = 0; t->ids != NULL && i < cfg->n; i++) {
		t->n++;
		if (make_identity(&t->ids[i], &cfg->identities[i], cfg))
			continue;
		if (ERR_peek_last_error() != 0)
			ERR_error_string_n(ERR_peek_last_error(), detail, sizeof(detail));
		snprintf(why, why_size, "TLS for %s: %s", cfg->identities[i].name, detail);
		ERR_clear_error();
		snapshot_drop(&t->snap);
		return NULL;
	}
	if (t->ids == NULL || !map_hosts(t)) {
		snprintf(why, why_size, "TLS: %s", detail);
		snapshot_drop(&t->snap);
		return NULL;
	}
	return t;
}

void
tls_server_free(struct tls_server *t)
{
	snapshot_drop((struct snapshot *)t);
}

void
tls_server_set_tickets(struct tls_server *t, struct tls_tickets *tickets)
{
	snapshot_hold((struct snapshot *)tickets);
	snapshot_drop((struct snapshot *)t->tickets);
	t->tickets = tickets;
}

void
tls_server_set_staples(struct tls_server *t, struct tls_staples *staples)
{
	snapshot_hold((struct snapshot *)staples);
	snapshot_drop((struct snapshot *)t->staples);
	t->staples = staples;
}

SSL *
tls_server_accept(struct tls_server *t)
{
	SSL *ssl = SSL_new(t->ids[t->fallback < t->n ? t->fallback : 0].ctx);

	if (ssl == NULL)
		return NULL;
	if (SSL_set_ex_data(ssl, server_index, snapshot_hold(&t->snap)) != 1) {
		snapshot_drop(&t->snap);
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_accept_state(ssl);
	return ssl;
}
