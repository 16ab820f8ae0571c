/* SPDX-License-Identifier: Apache-2.0 */
/* Against a server in a thread of the test.  The name "test" is in its certificate and a fixed host
 * of the resolver. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/http/fetch.h"
#include "tests/unit/httpd.h"

#define OK_REPLY \
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nCache-Control: max-age=60\r\nETag:  \"v1\" " \
	"\r\n\r\nhello"

static struct httpd server;
static char url[128];
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

static void
start(const char *first, const char *second)
{
	server.replies[0] = first;
	server.replies[1] = second;
	httpd_start(&server);
}

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
	const struct fetcher_config cfg = { .resolver = resolver,
		.private_addresses = private_addresses };

	fetcher_free(fetcher);
	fetcher = fetcher_new(loop, &cfg);
	cr_assert_not_null(fetcher);
}

static void
setup(void)
{
	static const struct resolver_host hosts[] = { { "test", "127.0.0.1" },
		{ "other", "127.0.0.1" } };
	const struct resolver_config rc = { .hosts = hosts, .n_hosts = 2 };

	httpd_open(&server, true);
	loop = loop_new(NULL);
	resolver = resolver_new(loop, &rc);
	open_fetcher(true);
	snprintf(url, sizeof(url), "https://test:%u/path?q", server.port);
	req = (struct fetch_request){
		.url = url, .anchors = server.anchors, .max_bytes = 1000, .timeout_ms = 20000
	};
}

static void
teardown(void)
{
	fetcher_free(fetcher);
	resolver_free(resolver);
	loop_free(loop);
	httpd_close(&server);
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
	cr_assert_not_null(strstr(server.requests[0], "GET /path?q HTTP/1.1\r\n"));
	cr_assert_not_null(strstr(server.requests[0], "User-Agent: schleuse/"));
}

Test(fetch, connects_where_told_and_verifies_the_name_of_the_url)
{
	const struct fetch_endpoint via = { "other", server.port };

	req.url = "https://test/";
	req.host = "delegated.example";
	req.via = &via;
	req.n_via = 1;
	start(OK_REPLY, NULL);
	run();
	cr_assert_eq(got.err, OK);
	cr_assert_not_null(strstr(server.requests[0], "Host: delegated.example\r\n"));
}

Test(fetch, refuses_a_certificate_of_another_name)
{
	const struct fetch_endpoint via = { "test", server.port };

	req.url = "https://other/";
	req.via = &via;
	req.n_via = 1;
	start(OK_REPLY, NULL);
	run();
	cr_assert_eq(got.err, ERR_TLS);
	cr_assert_str_empty(server.requests[0]);
}

Test(fetch, refuses_an_unknown_issuer)
{
	req.anchors = NULL; /* the fetcher trusts nobody */
	start(OK_REPLY, NULL);
	run();
	cr_assert_eq(got.err, ERR_TLS);
}

static void
on_first(void *arg, const struct fetch_result *r)
{
	cr_assert_eq(r->err, OK);
	req.anchors = NULL;
	cr_assert_not_null(fetch_start(fetcher, &req, on_result, NULL));
}

/* libcurl keeps the anchors of a handle for those that come later, unless it is told not to. */
Test(fetch, believes_no_issuer_because_an_earlier_fetch_did)
{
	start(OK_REPLY, OK_REPLY);
	cr_assert_not_null(fetch_start(fetcher, &req, on_first, NULL));
	loop_run(loop);
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
	const struct fetch_endpoint via[] = { { "test", 1 }, { "test", server.port } };

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
	cr_assert_not_null(strstr(server.requests[1], "GET /there HTTP/1.1\r\n"));
	cr_assert_null(strstr(server.requests[1], "secret"));
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
	start(
	    "HTTP/1.1 302 Found\r\nLocation: https://a:b@test/\r\nContent-Length: 0\r\n\r\n", NULL);
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
	cr_assert_not_null(strstr(server.requests[0], "POST /path"));
	cr_assert_not_null(strstr(server.requests[0], "If-None-Match: \"v1\"\r\n"));
	cr_assert_not_null(strstr(server.requests[0], "Authorization: Bearer secret\r\n"));
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
	char path[64];

	httpd_close(&server);
	snprintf(path, sizeof(path), "fetch-%d.sock", (int)getpid());
	httpd_open_unix(&server, path);
	open_fetcher(false);
	req = (struct fetch_request){ .url = "http://localhost/x",
		.local = true,
		.unix_path = path,
		.max_bytes = 100,
		.timeout_ms = 20000 };
	start(OK_REPLY, NULL);
	run();
	unlink(path);
	cr_assert_eq(got.err, OK);
	cr_assert_str_eq(got.body, "hello");
}
