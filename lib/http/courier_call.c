/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_call - one request: what libcurl is told, what it made of it, and the telling.
 */
#include <netinet/tcp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/http/courier_int.h"

/* --- the request --- */

static bool
copy_fields(struct courier_call *x, const struct courier_request *req)
{
	for (size_t i = 0; i < req->n_fields; i++)
		/* A line break would begin another field. */
		if (strpbrk(req->fields[i], "\r\n") != NULL ||
		    !curlopt_line(&x->fields, req->fields[i]))
			return false;
	return curlopt_line(&x->fields, "Expect:"); /* not to be sent */
}

bool
courier_call_copy(
    struct courier_call *x, const struct courier_request *req, char **host, uint16_t *port)
{
	for (const char *p = req->url; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~') /* other letters would make libcurl change the name */
			return false;
	x->url = strdup(req->url);
	x->body = malloc(req->body.n + 1);
	if (x->url == NULL || x->body == NULL)
		return false;
	str_put(x->body, req->body);
	x->body_len = req->body.n;
	return copy_fields(x, req) && curlopt_place(x->url, false, host, port);
}

/* Nothing of it runs any more. */
static void
stop(struct courier_call *x)
{
	if (x->easy != NULL) {
		curlloop_remove(x->host->curl, x->easy);
		curl_easy_cleanup(x->easy);
		x->easy = NULL;
		x->host->n_running--;
	}
	x->ended = false;
	list_remove(&x->node);
	timer_clear(&x->deadline);
	curl_slist_free_all(x->resolve);
	curlopt_wipe(x->proxy_fields);
	curlopt_wipe(x->fields);
	x->resolve = x->proxy_fields = x->fields = NULL;
}

static void
leave(struct courier_call *x)
{
	struct courier_host *h = x->host;

	stop(x);
	x->host = NULL;
	if (h != NULL)
		courier_host_left(h);
}

void
courier_call_free(struct courier_call *x)
{
	leave(x);
	task_cancel(&x->task);
	curlopt_wipe_text(x->url);
	if (x->body != NULL)
		sodium_memzero(x->body, x->body_len);
	free(x->body);
	buf_fini(&x->answer);
	free(x);
}

/* --- what libcurl calls --- */

static bool
may_connect(const struct courier_host *h, const struct sockaddr *sa)
{
	struct address a = { 0 };

	if (h->courier->proxy.host == NULL)
		return h->courier->private_addresses || address_is_public(sa);
	memcpy(&a, sa, sa->sa_family == AF_INET6 ? sizeof(a.in6) : sizeof(a.in));
	for (size_t i = 0; i < h->n_addrs; i++)
		if (address_eq(&a, &h->addrs[i]))
			return true;
	return false;
}

/* The last check: whatever made libcurl choose this address, the policy applies. */
static curl_socket_t
on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct courier_call *x = arg;
	unsigned silence = COURIER_SILENCE_MS;
	int fd;

	if (!may_connect(x->host, &a->addr)) {
		x->refused_address = true;
		return CURL_SOCKET_BAD;
	}
	fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	if (!courier_host_opened(x->host, fd)) {
		close(fd);
		return CURL_SOCKET_BAD;
	}
	/* Else the kernel would go on for a quarter of an hour, and so would all that is sent. */
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence, sizeof(silence));
	return fd;
}

/* Asked before a name is resolved by other means than the addresses given: never. */
static int
on_resolve(void *resolver_state, void *reserved, void *arg)
{
	const struct courier_call *x = arg;
	const struct courier *c = x->host->courier;
	struct address a;

	return !address_parse(str_z(c->proxy.host != NULL ? c->proxy.host : x->host->name), 0, &a);
}

static CURLcode
on_ssl_ctx(CURL *easy, void *ctx, void *arg)
{
	struct courier_call *x = arg;
	const struct courier *c = x->host->courier;

	x->host->proving = !x->host->h1;
	return curlopt_ssl_ctx(ctx, c->anchors, &c->identity);
}

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	struct courier_call *x = arg;

	if (buf_put(&x->answer, str_of(data, n)))
		return n;
	x->too_large = true;
	return 0;
}

static size_t
on_header(char *data, size_t size, size_t n, void *arg)
{
	struct courier_call *x = arg;

	curlopt_header(str_of(data, n), "retry-after", x->retry_after);
	return n;
}

void
courier_call_ended(void *of_handle, CURLcode code)
{
	struct courier_call *x = of_handle;

	x->code = code;
	x->ended = true;
	task_defer(x->host->courier->loop, &x->task);
}

/* --- giving it to libcurl --- */

#define SET(opt, value) (curl_easy_setopt(x->easy, CURLOPT_##opt, value) == CURLE_OK)

/* The addresses, as libcurl's answer to the name: connections are found again by the name. */
static bool
set_addresses(struct courier_call *x, const char *name, uint16_t port)
{
	const struct courier_host *h = x->host;
	char literal[ADDRESS_TEXT_MAX];
	struct address a;
	struct buf line;
	bool ok;

	if (address_parse(str_z(name), 0, &a))
		return true;
	buf_init(&line, RESOLVER_NAME_MAX + 16 + RESOLVER_MAX_ANSWERS * ADDRESS_TEXT_MAX);
	ok = buf_printf(&line, "%s:%u:", name, port);
	for (size_t i = 0; ok && i < h->n_addrs; i++)
		ok = buf_printf(
		    &line, "%s%s", i > 0 ? "," : "", address_text(&h->addrs[i], literal));
	ok = ok && buf_put(&line, str_of("", 1)) && curlopt_line(&x->resolve, buf_str(&line).p);
	buf_fini(&line);
	return ok && SET(RESOLVE, x->resolve);
}

static bool
set_way(struct courier_call *x)
{
	const struct curlopt_proxy *p = &x->host->courier->proxy;
	char literal[ADDRESS_TEXT_MAX];
	struct address a;

	if (p->host == NULL)
		return set_addresses(x, x->host->name, x->host->port);
	return set_addresses(x, p->host, p->port) &&
	       curlopt_proxy_use(x->easy, p,
		   address_parse(str_z(p->host), 0, &a) ? address_text(&a, literal) : p->host,
		   p->port, &x->proxy_fields);
}

static bool
set_options(struct courier_call *x)
{
	const struct courier *c = x->host->courier;

	return SET(PRIVATE, x) && SET(URL, x->url) && SET(PROTOCOLS_STR, "https") &&
	       SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) && SET(PIPEWAIT, 1L) &&
	       SET(MAXAGE_CONN, (long)(COURIER_IDLE_MS / 1000)) &&
	       SET(MAXLIFETIME_CONN, (long)(COURIER_LIFETIME_MS / 1000)) &&
	       SET(TCP_KEEPALIVE, 1L) && SET(TCP_KEEPIDLE, 60L) && SET(TCP_KEEPINTVL, 15L) &&
	       SET(CONNECTTIMEOUT_MS, (long)c->connect_timeout) &&
	       SET(OPENSOCKETFUNCTION, on_open_socket) && SET(OPENSOCKETDATA, x) &&
	       SET(CLOSESOCKETFUNCTION, courier_host_close) && SET(CLOSESOCKETDATA, x->host) &&
	       SET(RESOLVER_START_FUNCTION, on_resolve) && SET(RESOLVER_START_DATA, x) &&
	       SET(SSL_CTX_FUNCTION, on_ssl_ctx) && SET(SSL_CTX_DATA, x) &&
	       SET(WRITEFUNCTION, on_body) && SET(WRITEDATA, x) && SET(HEADERFUNCTION, on_header) &&
	       SET(HEADERDATA, x) && SET(HTTPHEADER, x->fields) && SET(POST, 1L) &&
	       SET(POSTFIELDS, x->body) && SET(POSTFIELDSIZE, (long)x->body_len);
}

bool
courier_call_start(struct courier_call *x)
{
	x->easy = curl_easy_init();
	if (x->easy == NULL)
		return false;
	x->host->n_running++;
	return curlopt_basics(x->easy) && set_way(x) && set_options(x) &&
	       curlloop_add(x->host->curl, x->easy);
}

/* --- its end --- */

void
courier_call_finish(struct courier_call *x, enum err err)
{
	struct courier *c = x->host->courier;

	x->err = err;
	leave(x);
	list_append(&c->done, &x->node);
	task_defer(c->loop, &x->task);
}

static enum err
judge(struct courier_call *x)
{
	struct courier_host *h = x->host;
	long status = 0, version = 0;
	enum err err = curlopt_err(x->code, x->too_large, x->refused_address);

	if (err != OK && h->courier->proxy.host != NULL && curlopt_proxy_refused(x->easy))
		return ERR_CONNECT;
	if (err != OK && err != ERR_TOO_LARGE)
		return err;
	curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(x->easy, CURLINFO_HTTP_VERSION, &version);
	x->status = (int)status;
	x->http2 = version == CURL_HTTP_VERSION_2_0;
	h->h1 = !x->http2;
	h->proving = false;
	return err;
}

static void
tell(struct courier_call *x)
{
	const struct courier_answer a = { .err = x->err,
		.status = x->status,
		.http2 = x->http2,
		.body = x->err == OK ? buf_str(&x->answer) : STR_NONE,
		.retry_after = x->err == OK ? x->retry_after : "" };

	/* Nothing of the courier is touched after the call: it may be gone. */
	list_remove(&x->node);
	x->fn(x->arg, &a);
	courier_call_free(x);
}

void
courier_call_on_task(void *call)
{
	struct courier_call *x = call;

	if (x->ended) {
		x->err = judge(x);
		leave(x);
	}
	tell(x);
}

/* A connection on which an answer does not come may be dead: others are not sent after it.  With
 * HTTP/1.1 libcurl has closed it. */
void
courier_call_on_deadline(void *call)
{
	struct courier_call *x = call;
	struct courier_host *h = x->host;
	bool suspect = x->easy != NULL && !h->h1;

	if (x->ended)
		return; /* it is about to be told */
	courier_call_finish(x, ERR_TIMEOUT);
	if (suspect)
		courier_host_retire(h);
}
