/* SPDX-License-Identifier: Apache-2.0 */
/* Against a server in a thread of the test: TLS on loopback, or plain on a unix socket.  The name "test" is the one in the
 * certificate and a fixed host of the resolver. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/http/fetch.h"
#include "tests/unit/pki.h"

#define OK_REPLY \
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nCache-Control: max-age=60\r\nETag:  \"v1\" \r\n\r\nhello"

static struct server {
	int fd;
	SSL_CTX *tls; /* NULL: plain */
	const char *replies[4]; /* one per connection */
	size_t served;
	char request[4096]; /* the last one */
	pthread_t thread;
} server;

static EVP_PKEY *key;
static X509 *cert;
static X509_STORE *anchors;
static char url[128];
static uint16_t port;
static struct loop *loop;
static struct resolver *resolver;
static struct fetcher *fetcher;
static struct fetch_request req;

static struct {
	size_t calls;
	enum err err;
	int status;
	char body[64], etag[64], cache_control[64];
} got;

/* --- the server --- */

static void
talk(int fd, SSL *ssl, const char *reply)
{
	size_t n = 0;

	server.request[0] = '\0';
	while (strstr(server.request, "\r\n\r\n") == NULL && n < sizeof(server.request) - 1) {
		size_t room = sizeof(server.request) - 1 - n;
		ssize_t r = ssl != NULL ? SSL_read(ssl, server.request + n, (int)room)
					: read(fd, server.request + n, room);

		if (r <= 0)
			return;
		n += (size_t)r;
		server.request[n] = '\0';
	}
	if (ssl != NULL) {
		SSL_write(ssl, reply, (int)strlen(reply));
		SSL_shutdown(ssl);
	} else {
		(void)!write(fd, reply, strlen(reply));
	}
}

static void *
serve(void *arg)
{
	while (server.replies[server.served] != NULL) {
		int fd = accept(server.fd, NULL, NULL);
		SSL *ssl = NULL;

		if (fd < 0)
			break;
		if (server.tls != NULL) {
			ssl = SSL_new(server.tls);
			SSL_set_fd(ssl, fd);
		}
		if (ssl == NULL || SSL_accept(ssl) == 1)
			talk(fd, ssl, server.replies[server.served]);
		server.served++;
		SSL_free(ssl);
		close(fd);
	}
	return NULL;
}

static void
listen_on(const struct sockaddr *sa, socklen_t len)
{
	server.fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(server.fd, sa, len), 0);
	cr_assert_eq(listen(server.fd, 16), 0);
}

static void
start(const char *first, const char *second)
{
	server.replies[0] = first;
	server.replies[1] = second;
	cr_assert_eq(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

/* --- the client --- */

static void
on_result(void *arg, const struct fetch_result *r)
{
	got.calls++;
	got.err = r->err;
	got.status = r->status;
	snprintf(got.body, sizeof(got.body), STR_FMT, STR_ARG(r->body));
	snprintf(got.etag, sizeof(got.etag), "%s", r->etag);
	snprintf(got.cache_control, sizeof(got.cache_control), "%s", r->cache_control);
	loop_stop(loop);
}

static void
run(void)
{
	cr_assert_not_null(fetch_start(fetcher, &req, on_result, NULL));
	cr_assert_eq(got.calls, 0, "called from within fetch_start()");
	loop_run(loop);
	cr_assert_eq(got.calls, 1);
}

static void
open_fetcher(bool private_addresses)
{
	const struct fetcher_config cfg = { .resolver = resolver, .private_addresses = private_addresses };

	fetcher_free(fetcher);
	fetcher = fetcher_new(loop, &cfg);
	cr_assert_not_null(fetcher);
}

static void
setup(void)
{
	static const struct resolver_host hosts[] = { { "test", "127.0.0.1" }, { "other", "127.0.0.1" } };
	const struct resolver_config rc = { .hosts = hosts, .n_hosts = 2 };
	const struct pki_certificate want = { 0 };
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);

	key = pki_key(PKI_P256);
	cert = pki_certificate(key, &want);
	anchors = pki_store(cert);
	listen_on((const struct sockaddr *)&sa, sizeof(sa));
	getsockname(server.fd, (struct sockaddr *)&sa, &len);
	port = ntohs(sa.sin_port);
	server.tls = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(server.tls, cert);
	SSL_CTX_use_PrivateKey(server.tls, key);
	loop = loop_new(NULL);
	resolver = resolver_new(loop, &rc);
	open_fetcher(true);
	snprintf(url, sizeof(url), "https://test:%u/path?q", port);
	req = (struct fetch_request){ .url = url, .anchors = anchors, .max_bytes = 1000, .timeout_ms = 20000 };
}

static void
teardown(void)
{
	fetcher_free(fetcher);
	resolver_free(resolver);
	loop_free(loop);
	shutdown(server.fd, SHUT_RDWR);
	if (server.thread != 0)
		pthread_join(server.thread, NULL);
	close(server.fd);
	SSL_CTX_free(server.tls);
	X509_STORE_free(anchors);
	X509_free(cert);
	EVP_PKEY_free(key);
}

TestSuite(fetch, .init = setup, .fini = teardown);

Test(fetch, brings_status_body_and_headers)
{
	start(OK_REPLY, NULL);
	run();
	cr_assert_eq(got.err, OK);
	cr_assert_eq(got.status, 200);
	cr_assert_str_eq(got.body, "hello");
	cr_assert_str_eq(got.etag, "\"v1\"");
	cr_assert_str_eq(got.cache_control, "max-age=60");
	cr_assert_not_null(strstr(server.request, "GET /path?q HTTP/1.1\r\n"));
	cr_assert_not_null(strstr(server.request, "User-Agent: schleuse/"));
}

Test(fetch, connects_where_told_and_verifies_the_name_of_the_url)
{
	const struct fetch_endpoint via = { "other", port };

	req.url = "https://test/";
	req.host = "delegated.example";
	req.via = &via;
	req.n_via = 1;
	start(OK_REPLY, NULL);
	run();
	cr_assert_eq(got.err, OK);
	cr_assert_not_null(strstr(server.request, "Host: delegated.example\r\n"));
}

Test(fetch, refuses_a_certificate_of_another_name)
{
	const struct fetch_endpoint via = { "test", port };

	req.url = "https://other/";
	req.via = &via;
	req.n_via = 1;
	start(OK_REPLY, NULL);
	run();
	cr_assert_eq(got.err, ERR_TLS);
	cr_assert_str_empty(server.request);
}

Test(fetch, refuses_an_unknown_issuer)
{
	req.anchors = NULL; /* the fetcher trusts nobody */
	start(OK_REPLY, NULL);
	run();
	cr_assert_eq(got.err, ERR_TLS);
}

Test(fetch, does_not_connect_to_private_addresses)
{
	open_fetcher(false);
	run();
	cr_assert_eq(got.err, ERR_ADDRESS);
}

Test(fetch, ends_when_the_answer_is_too_large)
{
	req.max_bytes = 4;
	start(OK_REPLY, NULL);
	run();
	cr_assert_eq(got.err, ERR_TOO_LARGE);
	cr_assert_str_empty(got.body);
}

Test(fetch, tries_the_next_endpoint_when_one_refuses)
{
	const struct fetch_endpoint via[] = { { "test", 1 }, { "test", port } };

	req.via = via;
	req.n_via = 2;
	start(OK_REPLY, NULL);
	run();
	cr_assert_eq(got.err, OK);
}

Test(fetch, says_when_nobody_listens)
{
	req.url = "https://test:1/";
	run();
	cr_assert_eq(got.err, ERR_CONNECT);
}

Test(fetch, does_not_follow_redirects_unless_asked)
{
	start("HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n", NULL);
	run();
	cr_assert_eq(got.err, OK);
	cr_assert_eq(got.status, 302);
}

Test(fetch, follows_as_many_redirects_as_allowed_and_keeps_the_token_to_itself)
{
	req.redirects = 1;
	req.bearer = "secret";
	start("HTTP/1.1 307 T\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n", OK_REPLY);
	run();
	cr_assert_eq(got.status, 200);
	cr_assert_not_null(strstr(server.request, "GET /there HTTP/1.1\r\n"));
	cr_assert_null(strstr(server.request, "secret"));
}

Test(fetch, follows_no_redirect_away_from_https)
{
	req.redirects = 5;
	start("HTTP/1.1 302 Found\r\nLocation: http://test/\r\nContent-Length: 0\r\n\r\n", NULL);
	run();
	cr_assert_eq(got.err, ERR_HTTP_ANSWER);
}

Test(fetch, follows_no_redirect_with_credentials)
{
	req.redirects = 5;
	start("HTTP/1.1 302 Found\r\nLocation: https://a:b@test/\r\nContent-Length: 0\r\n\r\n", NULL);
	run();
	cr_assert_eq(got.err, ERR_HTTP_ANSWER);
}

Test(fetch, refuses_plain_http)
{
	req.url = "http://test/";
	cr_assert_null(fetch_start(fetcher, &req, on_result, NULL));
}

Test(fetch, gives_up_at_its_deadline)
{
	req.timeout_ms = 100; /* the server takes the connection and says nothing */
	run();
	cr_assert_eq(got.err, ERR_TIMEOUT);
}

Test(fetch, sends_etag_token_and_body)
{
	req.if_none_match = "\"v1\"";
	req.bearer = "secret";
	req.post = STR("{}");
	start("HTTP/1.1 304 Not Modified\r\n\r\n", NULL);
	run();
	cr_assert_eq(got.status, 304);
	cr_assert_not_null(strstr(server.request, "POST /path"));
	cr_assert_not_null(strstr(server.request, "If-None-Match: \"v1\"\r\n"));
	cr_assert_not_null(strstr(server.request, "Authorization: Bearer secret\r\n"));
}

Test(fetch, refuses_a_token_that_would_end_its_field)
{
	req.bearer = "x\r\nX-Evil: 1";
	cr_assert_null(fetch_start(fetcher, &req, on_result, NULL));
}

Test(fetch, calls_nobody_who_cancelled)
{
	struct fetch *x = fetch_start(fetcher, &req, on_result, NULL);

	fetch_cancel(x);
	loop_stop(loop);
	loop_run(loop);
	cr_assert_eq(got.calls, 0);
}

Test(fetch, leaks_nothing_when_freed_under_way)
{
	cr_assert_not_null(fetch_start(fetcher, &req, on_result, NULL));
	cr_assert_not_null(fetch_start(fetcher, &req, on_result, NULL));
	loop_stop(loop);
	loop_run(loop); /* both are connecting now */
}

Test(fetch, reaches_the_own_homeserver_by_unix_socket)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	close(server.fd);
	SSL_CTX_free(server.tls);
	server.tls = NULL;
	snprintf(un.sun_path, sizeof(un.sun_path), "fetch-%d.sock", (int)getpid());
	listen_on((const struct sockaddr *)&un, sizeof(un));
	open_fetcher(false);
	req = (struct fetch_request){ .url = "http://localhost/x",
		.local = true,
		.unix_path = un.sun_path,
		.max_bytes = 100,
		.timeout_ms = 20000 };
	start(OK_REPLY, NULL);
	run();
	unlink(un.sun_path);
	cr_assert_eq(got.err, OK);
	cr_assert_str_eq(got.body, "hello");
}
