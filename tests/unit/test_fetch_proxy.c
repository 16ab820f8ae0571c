/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches through an HTTP proxy, which knows the way to all names; our resolver knows its name only. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/http/fetch.h"
#include "tests/unit/connectd.h"
#include "tests/unit/httpd.h"

#define OK_REPLY "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define REFUSAL(line) "HTTP/1.1 " line "\r\nContent-Length: 0\r\n\r\n"

static struct httpd server;
static struct connectd proxy;
static struct fetch_proxy way;
static struct loop *loop;
static struct resolver *resolver;
static struct fetcher *fetcher;
static struct fetch_request req;

static struct {
	size_t calls;
	enum err err;
	int status;
	char body[64], etag[64];
} got;

static void
on_result(void *arg, const struct fetch_result *r)
{
	(void)arg;
	got.calls++;
	got.err = r->err;
	got.status = r->status;
	snprintf(got.body, sizeof(got.body), STR_FMT, STR_ARG(r->body));
	snprintf(got.etag, sizeof(got.etag), "%s", r->etag);
	loop_stop(loop);
}

static void
run(void)
{
	cr_assert_not_null(fetch_start(fetcher, &req, on_result, NULL));
	loop_run(loop);
	cr_assert_eq(got.calls, 1);
}

/* Addresses of others must be public: that of the proxy is not. */
static void
open_fetcher(void)
{
	const struct fetcher_config cfg = { .resolver = resolver, .proxy = &way };

	fetcher_free(fetcher);
	fetcher = fetcher_new(loop, &cfg);
	cr_assert_not_null(fetcher);
}

static void
setup(void)
{
	static const struct resolver_host hosts[] = { { "proxy.test", "127.0.0.2" },
		{ "proxy.test", "127.0.0.1" } };
	static const char *const nobody[] = { "127.0.0.1:1" };
	const struct resolver_config rc = { .hosts = hosts, .n_hosts = 2, .nameservers = nobody,
		.n_nameservers = 1 };

	httpd_open(&server, true);
	server.replies[0] = OK_REPLY;
	proxy.leads_to = server.port;
	connectd_start(&proxy);
	way = (struct fetch_proxy){ .host = "proxy.test", .port = proxy.port };
	loop = loop_new(NULL);
	resolver = resolver_new(loop, &rc);
	open_fetcher();
	req = (struct fetch_request){ .url = "https://test/path", .anchors = server.anchors,
		.max_bytes = 1000, .timeout_ms = 20000 };
}

static void
teardown(void)
{
	fetcher_free(fetcher);
	resolver_free(resolver);
	loop_free(loop);
	connectd_close(&proxy);
	httpd_close(&server);
}

TestSuite(fetch_proxy, .init = setup, .fini = teardown);

Test(fetch_proxy, leaves_names_to_the_proxy)
{
	httpd_start(&server);
	run();
	cr_assert_eq(got.err, OK, "%s", err_rows[got.err].name);
	cr_assert_str_eq(got.body, "hello");
	cr_assert_str_empty(got.etag, "a field of the proxy's answer counted");
	cr_assert_not_null(strstr(proxy.asked[0], "CONNECT test:443 HTTP/1.1\r\n"));
	cr_assert_null(strstr(proxy.asked[0], "Proxy-Authorization"));
	cr_assert_not_null(strstr(server.requests[0], "GET /path HTTP/1.1\r\n"));
}

Test(fetch_proxy, shows_credentials_to_the_proxy_only)
{
	way.authorization = STR("Basic dTpw");
	open_fetcher();
	req.bearer = "secret";
	httpd_start(&server);
	run();
	cr_assert_eq(got.err, OK);
	cr_assert_not_null(strstr(proxy.asked[0], "Proxy-Authorization: Basic dTpw\r\n"));
	cr_assert_null(strstr(proxy.asked[0], "secret"));
	cr_assert_not_null(strstr(server.requests[0], "Authorization: Bearer secret\r\n"));
	cr_assert_null(strstr(server.requests[0], "dTpw"));
}

Test(fetch_proxy, names_the_endpoint_and_verifies_the_name_of_the_url)
{
	const struct fetch_endpoint via = { "delegated.example", 8448 };

	req.via = &via;
	req.n_via = 1;
	httpd_start(&server);
	run();
	cr_assert_eq(got.err, OK);
	cr_assert_not_null(strstr(proxy.asked[0], "CONNECT delegated.example:8448 HTTP/1.1\r\n"));
}

Test(fetch_proxy, names_an_ipv6_address_in_brackets)
{
	const struct fetch_endpoint via = { "2a00:1450:4001::1", 8448 };

	req.via = &via;
	req.n_via = 1;
	httpd_start(&server);
	run();
	cr_assert_eq(got.err, OK);
	cr_assert_not_null(strstr(proxy.asked[0], "CONNECT [2a00:1450:4001::1]:8448 HTTP/1.1\r\n"));
}

Test(fetch_proxy, verifies_the_peer_behind_the_proxy)
{
	req.url = "https://other/";
	httpd_start(&server);
	run();
	cr_assert_eq(got.err, ERR_TLS);
	cr_assert_str_empty(server.requests[0]);
}

Test(fetch_proxy, tries_the_next_endpoint_when_the_proxy_does_not_reach_one)
{
	const struct fetch_endpoint via[] = { { "one.example", 8448 }, { "two.example", 8448 } };

	proxy.replies[0] = REFUSAL("503 Service Unavailable");
	req.via = via;
	req.n_via = 2;
	httpd_start(&server);
	run();
	cr_assert_eq(got.err, OK);
	cr_assert_not_null(strstr(proxy.asked[0], "CONNECT one.example:8448 "));
	cr_assert_not_null(strstr(proxy.asked[1], "CONNECT two.example:8448 "));
}

Test(fetch_proxy, tells_when_the_proxy_refuses)
{
	proxy.replies[0] = REFUSAL("407 Proxy Authentication Required");
	run();
	cr_assert_eq(got.err, ERR_CONNECT);
	cr_assert_eq(got.status, 0);
}

Test(fetch_proxy, tells_when_the_proxy_is_not_there)
{
	way.port = 1;
	open_fetcher();
	run();
	cr_assert_eq(got.err, ERR_CONNECT);
}

Test(fetch_proxy, names_no_address_that_is_not_public)
{
	static const char *const hosts[] = { "127.0.0.1", "10.0.0.1", "::1", "localhost", "localhost.",
		"0x7f000001" };

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		const struct fetch_endpoint via = { hosts[i], 8448 };

		req.via = &via;
		req.n_via = 1;
		cr_assert_not_null(fetch_start(fetcher, &req, on_result, NULL));
		while (got.calls == 0)
			loop_turn(loop);
		cr_assert_eq(got.err, ERR_ADDRESS, "%s", hosts[i]);
		got.calls = 0;
	}
	cr_assert_str_empty(proxy.asked[0]);
}

Test(fetch_proxy, reaches_the_own_homeserver_without_it)
{
	char url[64];

	snprintf(url, sizeof(url), "https://127.0.0.1:%u/", server.port);
	req.url = url;
	req.local = true;
	httpd_start(&server);
	run();
	cr_assert_eq(got.err, ERR_TLS, "the certificate is for another name, but it was there");
	cr_assert_str_empty(proxy.asked[0]);
}
