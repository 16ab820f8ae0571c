/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/curlopt.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define SET(opt, value) (curl_easy_setopt(easy, CURLOPT_##opt, value) == CURLE_OK)

/*
 * CA_CACHE_TIMEOUT: libcurl would otherwise put the anchors of an earlier handle in the place of
 * those of the SSL_CTX callback, which some versions ask before they look into that cache.
 * SSL_SESSIONID_CACHE: a session resumed from an earlier handle is not verified again, though that
 * one may have had other anchors, or shown another certificate of ours.
 */
bool
curlopt_basics(CURL *easy)
{
	return SET(NOSIGNAL, 1L) && SET(FOLLOWLOCATION, 0L) && SET(PATH_AS_IS, 1L) &&
	       SET(USERAGENT, "schleuse/" PACKAGE_VERSION) &&
	       SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) && SET(SSL_VERIFYPEER, 1L) &&
	       SET(SSL_VERIFYHOST, 2L) && SET(CAINFO, NULL) && SET(CAPATH, NULL) &&
	       SET(CA_CACHE_TIMEOUT, 0L) && SET(SSL_SESSIONID_CACHE, 0L) &&
	       SET(NETRC, (long)CURL_NETRC_IGNORED) && SET(PROXY, "") && SET(NOPROXY, "*");
}

bool
curlopt_place(const char *url, bool plain, char **host, uint16_t *port)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *name = NULL, *number = NULL, *user = NULL;
	bool ok = u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
		  curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		  curl_url_get(u, CURLUPART_HOST, &name, 0) == CURLUE_OK &&
		  curl_url_get(u, CURLUPART_PORT, &number, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		  curl_url_get(u, CURLUPART_USER, &user, 0) ==
		      CURLUE_NO_USER; /* we bring no credentials */

	ok = ok && (strcmp(scheme, "https") == 0 || (plain && strcmp(scheme, "http") == 0));
	*host = ok ? strdup(name) : NULL;
	if (ok)
		*port = (uint16_t)atoi(number);
	curl_free(scheme);
	curl_free(name);
	curl_free(number);
	curl_free(user);
	curl_url_cleanup(u);
	return *host != NULL;
}

CURLcode
curlopt_ssl_ctx(void *ctx, X509_STORE *anchors, const struct fetch_identity *identity)
{
	SSL_CTX_set1_cert_store(ctx, anchors);
	if (identity->certificate != NULL && SSL_CTX_use_cert_and_key(ctx, identity->certificate,
						 identity->key, identity->chain, 1) != 1) {
		ERR_clear_error();
		return CURLE_SSL_CERTPROBLEM;
	}
	return CURLE_OK;
}

/* --- lists --- */

bool
curlopt_line(struct curl_slist **to, const char *line)
{
	struct curl_slist *more = curl_slist_append(*to, line);

	if (more == NULL)
		return false;
	*to = more;
	return true;
}

bool
curlopt_field(struct curl_slist **to, const char *name, const char *value)
{
	struct buf line;
	bool ok;

	buf_init(&line, 16384);
	ok = buf_printf(&line, "%s: %s", name, value) && buf_put(&line, str_of("", 1));
	ok = ok && curlopt_line(to, buf_str(&line).p);
	if (line.mem != NULL)
		sodium_memzero(line.mem + line.off, buf_len(&line));
	buf_fini(&line);
	return ok;
}

void
curlopt_wipe(struct curl_slist *l)
{
	for (struct curl_slist *n = l; n != NULL; n = n->next)
		sodium_memzero(n->data, strlen(n->data));
	curl_slist_free_all(l);
}

void
curlopt_wipe_text(char *text)
{
	if (text != NULL)
		sodium_memzero(text, strlen(text));
	free(text);
}

/* --- what came --- */

void
curlopt_header(struct str line, const char *wanted, char out[FETCH_HEADER_MAX])
{
	struct str name, value;

	if (!str_cut(line, ':', &name, &value) || !str_eq_ci(name, str_z(wanted)))
		return;
	value = str_strip(value);
	if (value.n >= FETCH_HEADER_MAX)
		return;
	*str_put(out, value) = '\0';
}

bool
curlopt_proxy_refused(CURL *easy)
{
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status);
	return status != 0 && status / 100 != 2;
}

enum err
curlopt_err(CURLcode code, bool too_large, bool refused_address)
{
	switch (code) {
	case CURLE_OK:
		return OK;
	case CURLE_OPERATION_TIMEDOUT:
		return ERR_TIMEOUT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return ERR_TLS;
	case CURLE_OUT_OF_MEMORY:
		return ERR_MEMORY;
	case CURLE_FILESIZE_EXCEEDED:
		return ERR_TOO_LARGE;
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2: /* GOAWAY, or a stream that was reset */
	case CURLE_HTTP2_STREAM:
		return ERR_TRUNCATED;
	case CURLE_WRITE_ERROR:
		return too_large ? ERR_TOO_LARGE : ERR_HTTP_ANSWER;
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
		return refused_address ? ERR_ADDRESS : ERR_CONNECT;
	default:
		return ERR_HTTP_ANSWER;
	}
}

/* --- copies --- */

bool
curlopt_proxy_copy(struct curlopt_proxy *to, const struct fetch_proxy *p)
{
	*to = (struct curlopt_proxy){ 0 };
	if (p == NULL)
		return true;
	/* A line break would begin another field. */
	if (str_chr(p->authorization, '\r') != NULL || str_chr(p->authorization, '\n') != NULL)
		return false;
	to->port = p->port;
	to->host = strdup(p->host);
	if (p->authorization.n > 0)
		to->authorization = strndup(p->authorization.p, p->authorization.n);
	return to->host != NULL && (p->authorization.n == 0 || to->authorization != NULL);
}

bool
curlopt_proxy_use(CURL *easy, const struct curlopt_proxy *p, const char *host, uint16_t port,
    struct curl_slist **fields)
{
	char url[RESOLVER_NAME_MAX + 16];

	snprintf(url, sizeof(url), "http://%s:%u", host, port);
	if (p->authorization != NULL &&
	    !curlopt_field(fields, "Proxy-Authorization", p->authorization))
		return false;
	return SET(PROXY, url) && SET(NOPROXY, "") && SET(HTTPPROXYTUNNEL, 1L) &&
	       SET(SUPPRESS_CONNECT_HEADERS, 1L) && SET(HEADEROPT, (long)CURLHEADER_SEPARATE) &&
	       SET(PROXYHEADER, *fields);
}

void
curlopt_proxy_fini(struct curlopt_proxy *p)
{
	free(p->host);
	curlopt_wipe_text(p->authorization);
	*p = (struct curlopt_proxy){ 0 };
}

bool
curlopt_identity_copy(struct fetch_identity *to, const struct fetch_identity *from)
{
	*to = (struct fetch_identity){ 0 };
	if (from == NULL)
		return true;
	if (from->chain != NULL && (to->chain = X509_chain_up_ref(from->chain)) == NULL)
		return false;
	X509_up_ref(from->certificate);
	EVP_PKEY_up_ref(from->key);
	to->certificate = from->certificate;
	to->key = from->key;
	return true;
}

void
curlopt_identity_fini(struct fetch_identity *id)
{
	X509_free(id->certificate);
	sk_X509_pop_free(id->chain, X509_free);
	EVP_PKEY_free(id->key);
	*id = (struct fetch_identity){ 0 };
}
