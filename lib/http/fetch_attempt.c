/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch_attempt - one request to one address: what curl is told, and what it made of it.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sodium.h>
#include <stdio.h>

#include "lib/http/fetch_int.h"

#define CONNECT_TIMEOUT_MS 5000 /* for one of several addresses */

static const char *const field_names[FETCH_FIELDS] = { "cache-control", "expires", "etag", "age",
	"content-type", "retry-after" };

static bool
may_connect(const struct fetch *x, const struct sockaddr *sa)
{
	struct address a = { 0 };

	if (sa->sa_family == AF_UNIX)
		return x->unix_path != NULL;
	if (x->proxied) {
		memcpy(&a, sa, sa->sa_family == AF_INET6 ? sizeof(a.in6) : sizeof(a.in));
		return address_eq(&a, &x->addrs[x->at_addr]);
	}
	return x->local || x->fetcher->private_addresses || address_is_public(sa);
}

/* The last check: whatever made curl choose this address, the policy applies. */
static curl_socket_t
on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct fetch *x = arg;

	if (!may_connect(x, &a->addr)) {
		x->refused_address = true;
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	struct fetch *x = arg;

	if (buf_put(&x->body, str_of(data, n)))
		return n;
	x->too_large = true;
	return 0;
}

static size_t
on_header(char *data, size_t size, size_t n, void *arg)
{
	struct fetch *x = arg;
	struct str name, value;

	if (!str_cut(str_of(data, n), ':', &name, &value))
		return n;
	while (value.n > 0 && (value.p[value.n - 1] == '\r' || value.p[value.n - 1] == '\n'))
		value.n--;
	value = str_trim(value);
	for (size_t i = 0; i < FETCH_FIELDS; i++)
		if (value.n < FETCH_HEADER_MAX && str_eq_ci(name, str_z(field_names[i]))) {
			memcpy(x->headers[i], value.p, value.n);
			x->headers[i][value.n] = '\0';
		}
	return n;
}

static CURLcode
on_ssl_ctx(CURL *easy, void *ctx, void *arg)
{
	struct fetch *x = arg;

	SSL_CTX_set1_cert_store(ctx, x->anchors);
	if (x->identity.certificate != NULL &&
	    (SSL_CTX_use_cert_and_key(
		 ctx, x->identity.certificate, x->identity.key, x->identity.chain, 1) != 1)) {
		ERR_clear_error();
		return CURLE_SSL_CERTPROBLEM;
	}
	return CURLE_OK;
}

static bool
add_line(struct curl_slist **to, const char *line)
{
	struct curl_slist *more = curl_slist_append(*to, line);

	if (more == NULL)
		return false;
	*to = more;
	return true;
}

static bool
add_field(struct curl_slist **to, const char *name, const char *value)
{
	struct buf line;
	bool ok;

	buf_init(&line, 16384);
	ok = buf_printf(&line, "%s: %s", name, value) && buf_put(&line, str_of("", 1));
	ok = ok && add_line(to, buf_str(&line).p);
	sodium_memzero(line.mem + line.off, buf_len(&line));
	buf_fini(&line);
	return ok;
}

static bool
set_fields(struct fetch *x)
{
	for (size_t i = 0; i < x->n_extra; i++)
		if (!add_line(&x->fields, x->extra[i]))
			return false;
	return (x->host == NULL || add_field(&x->fields, "Host", x->host)) &&
	       (x->authorization == NULL ||
		   add_field(&x->fields, "Authorization", x->authorization)) &&
	       (x->etag == NULL || add_field(&x->fields, "If-None-Match", x->etag)) &&
	       (x->post == NULL || add_field(&x->fields, "Content-Type", x->post_type));
}

#define SET(opt, value) (curl_easy_setopt(x->easy, CURLOPT_##opt, value) == CURLE_OK)

static bool
connect_to(struct fetch *x, const char *host, uint16_t port)
{
	char text[RESOLVER_NAME_MAX + 16];

	snprintf(text, sizeof(text), "::%s:%u", host, port);
	x->connect_to = curl_slist_append(NULL, text);
	return x->connect_to != NULL && SET(CONNECT_TO, x->connect_to);
}

/* By the address of the proxy, which is told the endpoint. */
static bool
set_proxy(struct fetch *x, const char *address, uint16_t port)
{
	const struct fetcher *f = x->fetcher;
	const struct fetch_endpoint *e = &x->via[x->at_via - 1];
	char url[ADDRESS_TEXT_MAX + 16], literal[ADDRESS_TEXT_MAX];
	struct address a;

	snprintf(url, sizeof(url), "http://%s:%u", address, port);
	if (f->proxy_authorization != NULL &&
	    !add_field(&x->proxy_fields, "Proxy-Authorization", f->proxy_authorization))
		return false;
	return SET(PROXY, url) && SET(NOPROXY, "") && SET(HTTPPROXYTUNNEL, 1L) &&
	       SET(SUPPRESS_CONNECT_HEADERS, 1L) && SET(HEADEROPT, (long)CURLHEADER_SEPARATE) &&
	       SET(PROXYHEADER, x->proxy_fields) &&
	       connect_to(x,
		   address_parse(str_z(e->host), 0, &a) ? address_text(&a, literal) : e->host,
		   e->port);
}

static bool
set_place(struct fetch *x)
{
	char literal[ADDRESS_TEXT_MAX];
	const struct address *a = &x->addrs[x->at_addr];
	uint16_t port;

	if (x->unix_path != NULL)
		return SET(PROXY, "") && SET(NOPROXY, "*") && SET(UNIX_SOCKET_PATH, x->unix_path);
	port = ntohs(a->sa.sa_family == AF_INET6 ? a->in6.sin6_port : a->in.sin_port);
	address_text(a, literal);
	if (x->proxied)
		return set_proxy(x, literal, port);
	return SET(PROXY, "") && SET(NOPROXY, "*") && connect_to(x, literal, port);
}

/*
 * CA_CACHE_TIMEOUT: libcurl would otherwise put the anchors of an earlier handle in the place of
 * those of on_ssl_ctx, which some versions ask before they look into that cache.
 * SSL_SESSIONID_CACHE: a session resumed from an earlier handle is not verified again, though that
 * one may have had other anchors, or shown another certificate of ours.
 */
static bool
set_options(struct fetch *x)
{
	bool ok = SET(PRIVATE, x) && SET(URL, x->url) && SET(NOSIGNAL, 1L) &&
		  SET(FOLLOWLOCATION, 0L) && SET(FORBID_REUSE, 1L) && SET(FRESH_CONNECT, 1L) &&
		  SET(PATH_AS_IS, 1L) && SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
		  SET(PROTOCOLS_STR, x->local || x->plain ? "http,https" : "https") &&
		  SET(USERAGENT, "schleuse/" PACKAGE_VERSION) &&
		  SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) && SET(SSL_VERIFYPEER, 1L) &&
		  SET(SSL_VERIFYHOST, 2L) && SET(CAINFO, NULL) && SET(CAPATH, NULL) &&
		  SET(CA_CACHE_TIMEOUT, 0L) && SET(SSL_SESSIONID_CACHE, 0L) &&
		  SET(NETRC, (long)CURL_NETRC_IGNORED) && SET(WRITEFUNCTION, on_body) &&
		  SET(WRITEDATA, x) && SET(HEADERFUNCTION, on_header) && SET(HEADERDATA, x) &&
		  SET(OPENSOCKETFUNCTION, on_open_socket) && SET(OPENSOCKETDATA, x) &&
		  SET(CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS) && SET(HTTPHEADER, x->fields);

	/* Without TLS in this libcurl, or with another library than OpenSSL, https must fail here.
	 */
	if (ok && strncmp(x->url, "https:", 6) == 0)
		ok = SET(SSL_CTX_FUNCTION, on_ssl_ctx) && SET(SSL_CTX_DATA, x);
	if (ok && x->post != NULL)
		ok = SET(POST, 1L) && SET(POSTFIELDS, x->post) &&
		     SET(POSTFIELDSIZE, (long)x->post_len);
	return ok;
}

static void
wipe_slist(struct curl_slist *l)
{
	for (struct curl_slist *n = l; n != NULL; n = n->next)
		sodium_memzero(n->data, strlen(n->data));
	curl_slist_free_all(l);
}

void
fetch_attempt_end(struct fetch *x)
{
	if (x->easy != NULL) {
		curlloop_remove(x->fetcher->curl, x->easy);
		curl_easy_cleanup(x->easy);
		x->easy = NULL;
	}
	wipe_slist(x->fields);
	wipe_slist(x->proxy_fields);
	curl_slist_free_all(x->connect_to);
	x->fields = x->proxy_fields = x->connect_to = NULL;
	x->ended = false;
}

bool
fetch_attempt(struct fetch *x)
{
	x->refused_address = x->too_large = false;
	buf_consume(&x->body, buf_len(&x->body));
	memset(x->headers, 0, sizeof(x->headers));
	x->easy = curl_easy_init();
	return x->easy != NULL && set_fields(x) && set_place(x) && set_options(x) &&
	       curlloop_add(x->fetcher->curl, x->easy);
}

void
fetch_attempt_ended(void *of_handle, CURLcode code)
{
	struct fetch *x = of_handle;

	x->code = code;
	x->ended = true;
	task_defer(x->fetcher->loop, &x->task);
}

bool
fetch_attempt_refused(const struct fetch *x)
{
	long status = 0;

	if (!x->proxied || x->code == CURLE_OK)
		return false;
	curl_easy_getinfo(x->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	return status != 0 && status / 100 != 2;
}

enum err
fetch_attempt_err(const struct fetch *x)
{
	if (fetch_attempt_refused(x))
		return ERR_CONNECT;
	switch (x->code) {
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
		return ERR_TRUNCATED;
	case CURLE_WRITE_ERROR:
		return x->too_large ? ERR_TOO_LARGE : ERR_HTTP_ANSWER;
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
		return x->refused_address ? ERR_ADDRESS : ERR_CONNECT;
	default:
		return ERR_HTTP_ANSWER;
	}
}

bool
fetch_attempt_never_connected(const struct fetch *x)
{
	double spent = 0;

	if (x->code == CURLE_COULDNT_CONNECT)
		return true;
	curl_easy_getinfo(x->easy, CURLINFO_CONNECT_TIME, &spent);
	return x->code == CURLE_OPERATION_TIMEDOUT && spent <= 0;
}
