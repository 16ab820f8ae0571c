/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch_attempt - one request to one address: what curl is told, and what it made of it.
 */
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

	for (size_t i = 0; i < FETCH_FIELDS; i++)
		curlopt_header(str_of(data, n), field_names[i], x->headers[i]);
	return n;
}

static CURLcode
on_ssl_ctx(CURL *easy, void *ctx, void *arg)
{
	struct fetch *x = arg;

	return curlopt_ssl_ctx(ctx, x->anchors, &x->identity);
}

static bool
set_fields(struct fetch *x)
{
	for (size_t i = 0; i < x->n_extra; i++)
		if (!curlopt_line(&x->fields, x->extra[i]))
			return false;
	return (x->host == NULL || curlopt_field(&x->fields, "Host", x->host)) &&
	       (x->authorization == NULL ||
		   curlopt_field(&x->fields, "Authorization", x->authorization)) &&
	       (x->etag == NULL || curlopt_field(&x->fields, "If-None-Match", x->etag)) &&
	       (x->post == NULL || curlopt_field(&x->fields, "Content-Type", x->post_type));
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
	char literal[ADDRESS_TEXT_MAX];
	struct address a;

	return curlopt_proxy_use(x->easy, &f->proxy, address, port, &x->proxy_fields) &&
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
		return SET(UNIX_SOCKET_PATH, x->unix_path);
	port = ntohs(a->sa.sa_family == AF_INET6 ? a->in6.sin6_port : a->in.sin_port);
	address_text(a, literal);
	if (x->proxied)
		return set_proxy(x, literal, port);
	return connect_to(x, literal, port);
}

static bool
set_options(struct fetch *x)
{
	bool ok = SET(PRIVATE, x) && SET(URL, x->url) && SET(FORBID_REUSE, 1L) &&
		  SET(FRESH_CONNECT, 1L) && SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
		  SET(PROTOCOLS_STR, x->local || x->plain ? "http,https" : "https") &&
		  SET(WRITEFUNCTION, on_body) && SET(WRITEDATA, x) &&
		  SET(HEADERFUNCTION, on_header) && SET(HEADERDATA, x) &&
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

void
fetch_attempt_end(struct fetch *x)
{
	if (x->easy != NULL) {
		curlloop_remove(x->fetcher->curl, x->easy);
		curl_easy_cleanup(x->easy);
		x->easy = NULL;
	}
	curlopt_wipe(x->fields);
	curlopt_wipe(x->proxy_fields);
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
	return x->easy != NULL && curlopt_basics(x->easy) && set_fields(x) && set_place(x) &&
	       set_options(x) && curlloop_add(x->fetcher->curl, x->easy);
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
	return x->proxied && x->code != CURLE_OK && curlopt_proxy_refused(x->easy);
}

enum err
fetch_attempt_err(const struct fetch *x)
{
	return fetch_attempt_refused(x) ? ERR_CONNECT
					: curlopt_err(x->code, x->too_large, x->refused_address);
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
