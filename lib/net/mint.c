/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One worker's certificates: a cache by name, least recently used ones go first, and the TLS that
 * shows them.
 *
 * All connections share one SSL_CTX; which certificate one of them shows is settled when its client
 * has said hello.  Measured with OpenSSL 3.0: 3.3 kB for a name, and a handshake costs what it does
 * with a context for each name, which takes 13 kB more; keeping DER alone takes 0.6 kB, but
 * decoding it doubles the cost of each handshake.
 */
#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>

#include "lib/base/hash.h"
#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/net/minter_int.h"
#include "lib/net/tls.h"

#define BACKDATED_S 300 /* clocks of two machines differ */

struct leaf {
	struct hash_node by_name;
	struct list by_use;
	X509 *cert;
	int64_t from,
	    until; /* shown between, by the wall clock in ms, which may be set at any time */
	char name[];
};

struct mint {
	struct snapshot snap; /* one for the owner, one for each living SSL */
	struct minter_ca *ca;
	struct mint_config cfg;
	X509 *model;
	SSL_CTX *ctx;
	struct hash leaves;
	struct list used; /* the latest first */
	bool ended;       /* the end of the CA has been complained of */
};

/* What hangs on each SSL. */
struct guest {
	struct mint *mint;
	int alert; /* the last one, 0: none */
	bool ours; /* we sent it */
	char host[];
};

static int guest_index = -1;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
on_ssl_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
	struct guest *g = ptr;

	(void)parent;
	(void)ad;
	(void)idx;
	(void)argl;
	(void)argp;
	if (g != NULL)
		snapshot_drop(&g->mint->snap);
	free(g);
}

static void
make_index(void)
{
	guest_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, on_ssl_free);
}

/* --- the cache --- */

static void
leaf_drop(struct mint *m, struct leaf *l)
{
	hash_remove(&m->leaves, &l->by_name);
	list_remove(&l->by_use);
	X509_free(l->cert);
	free(l);
}

static struct leaf *
leaf_find(struct mint *m, struct str name)
{
	struct hash_node *n = hash_first(&m->leaves, hash_str(name));

	while (n != NULL && !str_eq(str_z(HASH_ENTRY(n, struct leaf, by_name)->name), name))
		n = hash_next(n);
	return n != NULL ? HASH_ENTRY(n, struct leaf, by_name) : NULL;
}

static struct leaf *
leaf_new(struct mint *m, const struct minter_host *host)
{
	struct str name = str_z(host->text);
	struct leaf *l = calloc(1, sizeof(*l) + name.n + 1);
	int64_t now_ms = clock_wall_ms(), now = now_ms / 1000;
	int64_t life = (int64_t)((m->cfg.lifetime + 999) / 1000);

	if (l == NULL)
		return NULL;
	if (life > m->ca->not_after - now)
		life = m->ca->not_after - now;
	list_init(&l->by_use);
	str_put(l->name, name);
	l->from = now_ms - BACKDATED_S * 1000 / 2;
	l->until = now_ms + life * 1000 / 2;
	l->cert = mint_leaf(m->ca, m->model, host, now - BACKDATED_S, now + life);
	if (l->cert == NULL || !hash_insert(&m->leaves, &l->by_name, hash_str(name))) {
		X509_free(l->cert);
		free(l);
		return NULL;
	}
	return l;
}

static bool
is_current(const struct leaf *l)
{
	int64_t now = clock_wall_ms();

	return l->from <= now && now < l->until;
}

static void
complain(struct mint *m)
{
	if (!m->ended)
		log_error("the CA of the tunnels has expired: make another one with schleuse-proxy "
			  "--make-ca and let the homeserver trust it");
	m->ended = true;
}

static X509 *
certificate_for(struct mint *m, const struct minter_host *host)
{
	struct leaf *l = leaf_find(m, str_z(host->text));

	if (l != NULL && !is_current(l)) {
		leaf_drop(m, l);
		l = NULL;
	}
	if (l == NULL) {
		if (clock_wall_s() >= m->ca->not_after) {
			complain(m);
			return NULL;
		}
		l = leaf_new(m, host);
		if (l == NULL)
			return NULL;
		if (m->cfg.minted != NULL)
			m->cfg.minted(m->cfg.arg);
	}
	list_remove(&l->by_use);
	list_prepend(&m->used, &l->by_use);
	while (m->leaves.count > m->cfg.max_entries && m->used.prev != &l->by_use)
		leaf_drop(m, LIST_ENTRY(m->used.prev, struct leaf, by_use));
	return l->cert;
}

/* --- TLS --- */

static int
on_hello(SSL *ssl, int *alert, void *arg)
{
	const struct guest *g = SSL_get_ex_data(ssl, guest_index);
	struct minter_host host;
	struct str name;
	X509 *cert;

	(void)arg;
	*alert = SSL_AD_UNRECOGNIZED_NAME;
	if (!tls_hello_name(ssl, &name) ||
	    !(name.n > 0 ? minter_host_name(name, &host)
			 : minter_host_any(str_z(g->host), &host)) ||
	    !minter_names_allow(g->mint->ca->names, &host))
		return SSL_CLIENT_HELLO_ERROR;
	cert = certificate_for(g->mint, &host);
	if (cert == NULL || SSL_use_certificate(ssl, cert) != 1) {
		*alert = SSL_AD_INTERNAL_ERROR;
		return SSL_CLIENT_HELLO_ERROR;
	}
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
	static const unsigned char http11[] = "\x08http/1.1";

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len, http11,
		sizeof(http11) - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

static void
on_info(const SSL *ssl, int where, int ret)
{
	struct guest *g = SSL_get_ex_data(ssl, guest_index);

	if ((where & SSL_CB_ALERT) == 0 || g == NULL)
		return;
	g->alert = ret & 0xff;
	g->ours = (where & SSL_CB_WRITE) != 0;
}

static bool
show_chain(SSL_CTX *ctx, STACK_OF(X509) *chain)
{
	for (int i = 0; i < sk_X509_num(chain); i++) {
		X509 *x = sk_X509_value(chain, i);

		if (X509_up_ref(x) != 1 || SSL_CTX_add_extra_chain_cert(ctx, x) != 1)
			return false;
	}
	return true;
}

/* Nothing is resumed: a tunnel's requests share one connection. */
static SSL_CTX *
make_context(const struct minter_ca *ca, EVP_PKEY *key)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
				     SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_TICKET |
				     SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_client_hello_cb(ctx, on_hello, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_sni);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	SSL_CTX_set_info_callback(ctx, on_info);
	if (SSL_CTX_set_num_tickets(ctx, 0) == 1 && SSL_CTX_set_max_early_data(ctx, 0) == 1 &&
	    tls_profile(ctx, true) && SSL_CTX_use_PrivateKey(ctx, key) == 1 &&
	    show_chain(ctx, ca->chain))
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

static void
mint_gone(struct snapshot *s)
{
	struct mint *m = (struct mint *)s;

	LIST_FOR(node, &m->used)
		leaf_drop(m, LIST_ENTRY(node, struct leaf, by_use));
	hash_fini(&m->leaves);
	X509_free(m->model);
	SSL_CTX_free(m->ctx);
	snapshot_drop(&m->ca->snap);
	free(m);
}

struct mint *
mint_new(struct minter_ca *ca, const struct mint_config *cfg)
{
	struct mint *m = calloc(1, sizeof(*m));
	EVP_PKEY *key = EVP_EC_gen("P-256");

	pthread_once(&once, make_index);
	if (m == NULL || key == NULL) {
		free(m);
		EVP_PKEY_free(key);
		return NULL;
	}
	snapshot_init(&m->snap, mint_gone);
	hash_init(&m->leaves);
	list_init(&m->used);
	m->cfg = *cfg;
	m->ca = snapshot_hold(&ca->snap);
	m->model = mint_model(ca, key);
	m->ctx = make_context(ca, key);
	EVP_PKEY_free(key);
	if (m->model == NULL || m->ctx == NULL) {
		ERR_clear_error();
		snapshot_drop(&m->snap);
		return NULL;
	}
	return m;
}

void
mint_free(struct mint *m)
{
	if (m == NULL)
		return;
	m->cfg.minted = NULL; /* handshakes that go on count nowhere */
	snapshot_drop(&m->snap);
}

SSL *
mint_accept(struct mint *m, const char *host)
{
	size_t n = strlen(host) + 1;
	struct guest *g = calloc(1, sizeof(*g) + n);
	SSL *ssl = SSL_new(m->ctx);

	if (g == NULL || ssl == NULL || SSL_set_ex_data(ssl, guest_index, g) != 1) {
		free(g);
		SSL_free(ssl);
		return NULL;
	}
	memcpy(g->host, host, n);
	g->mint = snapshot_hold(&m->snap);
	SSL_set_accept_state(ssl);
	return ssl;
}

enum mint_fault
mint_fault(const SSL *ssl)
{
	const struct guest *g = SSL_get_ex_data(ssl, guest_index);

	if (SSL_is_init_finished(ssl) == 1)
		return MINT_OK;
	switch (g->alert) {
	case SSL_AD_CLOSE_NOTIFY: /* which is 0, too */
	case SSL_AD_USER_CANCELLED:
		return MINT_GONE;
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_EXPIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_UNKNOWN_CA:
	case SSL_AD_DECRYPT_ERROR: /* it knows another one of that name */
		return g->ours ? MINT_OTHER : MINT_DISTRUSTED;
	case SSL_AD_UNRECOGNIZED_NAME:
		return g->ours ? MINT_FORBIDDEN : MINT_OTHER;
	default:
		return MINT_OTHER;
	}
}
