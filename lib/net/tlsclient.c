/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/tlsclient.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "lib/net/address.h"
#include "lib/net/tls.h"

SSL_CTX *
tlsclient_context(X509_STORE *anchors)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set1_cert_store(ctx, anchors);
	/* Connections that wait are many, and each would keep 33 KB that hold nothing. */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	if (tls_profile(ctx, true))
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

SSL *
tlsclient_connect(SSL_CTX *ctx, const char *host)
{
	SSL *ssl = SSL_new(ctx);
	struct address literal;
	char *name = (char *)(uintptr_t)host; /* OpenSSL's macro has no const */
	bool ok;

	if (ssl == NULL)
		return NULL;
	SSL_set_hostflags(
	    ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (address_parse(str_z(host), 0, &literal))
		ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	else
		ok = SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
	if (!ok) {
		ERR_clear_error();
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_connect_state(ssl);
	return ssl;
}
