/* SPDX-License-Identifier: Apache-2.0 */
/* Against a server of ours on the same loop.  The name "test" is in its certificate and a fixed
 * host of the resolver. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/http/courier.h"
#include "tests/unit/connectd.h"
#include "tests/unit/dnsd.h"
#include "tests/unit/lab.h"
#include "tests/unit/pki.h"
#include "tests/unit/wallclock.h"
#include "tests/unit/webd.h"

#define CALLS 64

static struct webd server;
static struct dnsd names;
static struct loop *loop;
static struct resolver *resolver;
static struct courier *courier;
static struct courier_config config;
static char url[128];

static struct got {
	struct courier_call *call;
	int calls;
	enum err err;
	int status;
	bool http2;
	char body[64], retry_after[COURIER_HEADER_MAX];
} got[CALLS];

static void
on_answer(void *arg, const struct courier_answer *a)
{
	struct got *g = arg;

	g->calls++;
	g->call = NULL;
	g->err = a->err;
	g->status = a->status;
	g->http2 = a->http2;
	snprintf(g->body, sizeof(g->body), STR_FMT, STR_ARG(a->body));
	snprintf(g->retry_after, sizeof(g->retry_after), "%s", a->retry_after);
}

static struct got *
post(size_t i, const char *to, clock_ms timeout)
{
	const char *const fields[] = { "authorization: secret", "Content-Type: application/json" };
	const struct courier_request req = { .url = to,
		.fields = fields,
		.n_fields = 2,
		.body = STR("{\"a\":1}"),
		.answer_max = 63,
		.timeout_ms = timeout };

	got[i] = (struct got){ 0 };
	got[i].call = courier_send(courier, &req, on_answer, &got[i]);
	cr_assert_not_null(got[i].call);
	return &got[i];
}

static struct got *
run(const char *to)
{
	struct got *g = post(0, to, LAB_PATIENCE_MS);

	cr_assert_eq(g->calls, 0, "called from within courier_send()");
	UNTIL(loop, g->calls == 1);
	return g;
}

static size_t
answered(size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += got[i].calls == 1 && got[i].err == OK && got[i].status == 200;
	return sum;
}

/* So many were made since the server was opened. */
static int
connections(void)
{
	return server.counts[HTTP_OPENED];
}

static void
open_courier(void)
{
	courier_free(courier);
	courier = courier_new(loop, &config);
	cr_assert_not_null(courier);
}

static void
setup(void)
{
	static const struct resolver_host hosts[] = { { "test", "127.0.0.1" },
		{ "other", "127.0.0.1" }, { "proxy.test", "127.0.0.1" } };
	static const char *nameserver;
	struct resolver_config rc = { .hosts = hosts,
		.n_hosts = 3,
		.nameservers = &nameserver,
		.n_nameservers = 1,
		.tries = 1 };

	dnsd_open(&names);
	nameserver = names.where;
	loop = loop_new(NULL);
	webd_open(&server, loop);
	server.body = STR("hello");
	resolver = resolver_new(loop, &rc);
	config = (struct courier_config){ .resolver = resolver,
		.anchors = server.anchors,
		.private_addresses = true,
		.connections_max = 1,
		.streams_max = 100,
		.connect_timeout = LAB_PATIENCE_MS };
	open_courier();
	snprintf(url, sizeof(url), "https://test:%u/path?q", server.port);
}

static void
teardown(void)
{
	courier_free(courier);
	webd_close(&server);
	lab_turn(loop);
	resolver_free(resolver);
	loop_free(loop);
	dnsd_close(&names);
	buf_drop_cache();
	arena_drop_cache();
}

TestSuite(courier, .init = setup, .fini = teardown);

/* --- requests and answers --- */

Test(courier, brings_status_body_and_retry_after_by_http2)
{
	struct got *g;

	server.status = 429;
	server.fields = "Retry-After: 30\r\n";
	g = run(url);
	cr_assert_eq(g->err, OK, "%s", err_rows[g->err].name);
	cr_assert_eq(g->status, 429);
	cr_assert(g->http2);
	cr_assert_str_eq(g->body, "hello");
	cr_assert_str_eq(g->retry_after, "30");
	cr_assert_str_eq(server.requests[0].method, "POST");
	cr_assert_str_eq(server.requests[0].target, "/path?q");
	cr_assert_str_eq(server.requests[0].body, "{\"a\":1}");
	cr_assert_str_eq(webd_field(&server.requests[0], "authorization"), "secret");
	cr_assert_str_eq(webd_field(&server.requests[0], "content-type"), "application/json");
}

Test(courier, speaks_http_1_1_where_there_is_no_other)
{
	server.h1 = true;
	for (int i = 0; i < 3; i++) {
		struct got *g = run(url);

		cr_assert_eq(g->err, OK, "%s", err_rows[g->err].name);
		cr_assert(!g->http2);
		cr_assert_str_eq(g->body, "hello");
	}
	cr_assert_eq(server.counts[HTTP_H1], 1, "the connection is kept");
	cr_assert_eq(connections(), 1);
}

Test(courier, has_as_many_http_1_1_connections_as_allowed)
{
	config.connections_max = 3;
	open_courier();
	server.h1 = server.hold = true;
	for (size_t i = 0; i < 8; i++)
		post(i, url, LAB_PATIENCE_MS);
	UNTIL(loop, server.n == 1);
	webd_answer(&server.requests[0]); /* one goes ahead */
	UNTIL(loop, server.n == 4);
	cr_assert_eq(server.counts[HTTP_H1], 3);
	server.hold = false;
	for (size_t i = 1; i < 4; i++)
		webd_answer(&server.requests[i]);
	UNTIL(loop, answered(8) == 8);
	cr_assert_eq(server.counts[HTTP_H1], 3);
}

Test(courier, sends_many_at_the_same_time_over_one_connection)
{
	server.hold = true;
	for (size_t i = 0; i < 50; i++)
		post(i, url, LAB_PATIENCE_MS);
	UNTIL(loop, server.n == 1);
	webd_answer(&server.requests[0]);
	UNTIL(loop, server.n == 50); /* none waits for the answer to another */
	for (size_t i = 1; i < 50; i++)
		webd_answer(&server.requests[i]);
	UNTIL(loop, answered(50) == 50);
	cr_assert_eq(server.counts[HTTP_H2], 1);
	cr_assert_eq(connections(), 1);
}

Test(courier, lets_one_go_ahead_on_a_new_connection)
{
	server.hold = true;
	for (size_t i = 0; i < 10; i++)
		post(i, url, LAB_PATIENCE_MS);
	UNTIL(loop, server.n == 1);
	lab_pass(loop, 200);
	cr_assert_eq(server.n, 1);
	server.hold = false;
	webd_answer(&server.requests[0]);
	UNTIL(loop, answered(10) == 10);
}

Test(courier, loses_nothing_with_a_server_that_takes_one_at_a_time)
{
	server.server.limits.h2.streams_max = 1;
	for (size_t i = 0; i < 30; i++)
		post(i, url, LAB_PATIENCE_MS);
	UNTIL(loop, answered(30) == 30);
	cr_assert_eq(server.counts[HTTP_REFUSED], 0);
	cr_assert_eq(server.counts[HTTP_H2], 1);
}

Test(courier, sends_again_what_the_server_refused_to_look_at)
{
	run(url);
	server.refuse = 3;
	for (size_t i = 1; i < 7; i++)
		post(i, url, LAB_PATIENCE_MS);
	UNTIL(loop, answered(7) == 7);
	cr_assert_eq(server.n, 7, "none came twice");
}

/* --- its life --- */

Test(courier, uses_a_connection_again_but_none_that_was_closed)
{
	run(url);
	run(url);
	cr_assert_eq(connections(), 1);
	webd_cut(&server);
	UNTIL(loop, server.server.n_conns == 0);
	lab_turn(loop);
	cr_assert_eq(run(url)->err, OK, "%s", err_rows[got[0].err].name);
	cr_assert_eq(connections(), 2);
}

Test(courier, follows_a_server_that_goes_away)
{
	run(url);
	server.hold = true;
	post(1, url, LAB_PATIENCE_MS);
	UNTIL(loop, server.n == 2);
	http_server_leave(&server.server, &server); /* GOAWAY; what is under way is answered */
	post(2, url, LAB_PATIENCE_MS);
	UNTIL(loop, server.n == 3);
	server.hold = false;
	webd_answer(&server.requests[1]);
	webd_answer(&server.requests[2]);
	UNTIL(loop, got[1].calls == 1 && got[2].calls == 1);
	cr_assert_eq(got[1].err, OK, "%s", err_rows[got[1].err].name);
	cr_assert_eq(got[2].err, OK, "%s", err_rows[got[2].err].name);
	UNTIL(loop, server.server.n_conns == 0);
	cr_assert_eq(run(url)->err, OK);
	cr_assert_eq(connections(), 2);
}

Test(courier, tells_of_calls_whose_connection_is_lost)
{
	run(url);
	server.hold = true;
	for (size_t i = 1; i < 6; i++)
		post(i, url, LAB_PATIENCE_MS);
	UNTIL(loop, server.n == 6);
	webd_cut(&server);
	for (size_t i = 1; i < 6; i++) {
		UNTIL(loop, got[i].calls == 1);
		cr_assert(got[i].err == ERR_TRUNCATED || got[i].err == ERR_CONNECT, "%s",
		    err_rows[got[i].err].name); /* libcurl's versions differ */
	}
	server.hold = false;
	cr_assert_eq(run(url)->err, OK);
}

Test(courier, renewed_leaves_the_old_connection_to_what_is_under_way)
{
	run(url);
	server.hold = true;
	post(1, url, LAB_PATIENCE_MS);
	UNTIL(loop, server.n == 2);
	courier_renew(courier);
	server.hold = false;
	cr_assert_eq(run(url)->err, OK);
	cr_assert_eq(connections(), 2);
	webd_answer(&server.requests[1]);
	UNTIL(loop, got[1].calls == 1);
	cr_assert_eq(got[1].err, OK);
	UNTIL(loop, server.server.n_conns == 1); /* the old one is closed with it */
}

Test(courier, renewed_hands_over_what_waits)
{
	char other[64];

	snprintf(other, sizeof(other), "https://other:%u/", server.port);
	server.hold = true;
	post(0, url, LAB_PATIENCE_MS);
	post(1, url, LAB_PATIENCE_MS); /* waits until the first has its answer */
	post(2, other, LAB_PATIENCE_MS);
	post(3, other, LAB_PATIENCE_MS);
	UNTIL(loop, server.n == 1);
	courier_renew(courier);
	UNTIL(loop, server.n == 2);
	server.hold = false;
	webd_answer(&server.requests[0]);
	webd_answer(&server.requests[1]);
	UNTIL(loop, answered(2) == 2);
	UNTIL(loop, got[2].calls == 1 && got[3].calls == 1);
	cr_assert_eq(got[2].err, ERR_TLS);
	cr_assert_eq(got[3].err, ERR_TLS);
}

Test(courier, does_not_trust_a_connection_on_which_no_answer_came)
{
	run(url);
	server.hold = true;
	post(1, url, 100);
	UNTIL(loop, got[1].calls == 1);
	cr_assert_eq(got[1].err, ERR_TIMEOUT);
	server.hold = false;
	cr_assert_eq(run(url)->err, OK);
	cr_assert_eq(connections(), 2);
}

Test(courier, hands_waiting_calls_over_when_the_first_gets_no_answer)
{
	server.hold = true;
	post(1, url, 100);
	for (size_t i = 2; i < 8; i++)
		post(i, url, LAB_PATIENCE_MS);
	UNTIL(loop, got[1].calls == 1);
	cr_assert_eq(got[1].err, ERR_TIMEOUT);
	server.hold = false;
	UNTIL(loop, server.n >= 2);
	webd_answer(&server.requests[1]);
	UNTIL(loop, answered(8) == 6);
}

Test(courier, forgets_cancelled_calls)
{
	run(url);
	server.hold = true;
	for (size_t i = 1; i < 4; i++)
		post(i, url, LAB_PATIENCE_MS);
	courier_cancel(got[1].call); /* at once */
	UNTIL(loop, server.n == 3);
	courier_cancel(got[2].call); /* on its way */
	server.hold = false;
	webd_answer(&server.requests[1]);
	webd_answer(&server.requests[2]);
	UNTIL(loop, got[3].calls == 1);
	cr_assert_eq(got[1].calls + got[2].calls, 0);
	cr_assert_eq(connections(), 1, "the others were not disturbed");
}

static void
on_answer_free(void *arg, const struct courier_answer *a)
{
	on_answer(arg, a);
	courier_free(courier);
	courier = NULL;
}

Test(courier, may_be_freed_by_what_it_calls)
{
	const struct courier_request req = { .url = url, .answer_max = 63, .timeout_ms = 100 };

	server.hold = true;
	for (size_t i = 0; i < 5; i++)
		cr_assert_not_null(courier_send(courier, &req, on_answer_free, &got[i]));
	UNTIL(loop, courier == NULL);
	lab_pass(loop, 200);
	cr_assert_eq(got[0].calls + got[1].calls + got[2].calls + got[3].calls + got[4].calls, 1);
}

/* --- what it refuses --- */

Test(courier, ends_an_answer_that_is_too_large)
{
	static char large[100];

	server.body = str_of(memset(large, 'x', sizeof(large)), sizeof(large));
	cr_assert_eq(run(url)->err, ERR_TOO_LARGE);
	cr_assert_eq(got[0].status, 200);
	server.body = STR("hello");
	cr_assert_eq(run(url)->err, OK);
	cr_assert_eq(connections(), 1);
}

Test(courier, follows_no_redirect)
{
	server.status = 307;
	server.fields = "Location: https://other/\r\n";
	cr_assert_eq(run(url)->status, 307);
	cr_assert_eq(server.n, 1);
}

Test(courier, verifies_the_certificate_and_its_name)
{
	char to[64];

	snprintf(to, sizeof(to), "https://other:%u/", server.port);
	cr_assert_eq(run(to)->err, ERR_TLS);
	config.anchors = pki_store(NULL);
	open_courier();
	cr_assert_eq(run(url)->err, ERR_TLS);
	X509_STORE_free(config.anchors);
	cr_assert_eq(server.n, 0);
}

Test(courier, connects_to_public_addresses_only)
{
	char to[64];

	config.private_addresses = false;
	open_courier();
	cr_assert_eq(run(url)->err, ERR_ADDRESS);
	snprintf(to, sizeof(to), "https://127.0.0.1:%u/", server.port);
	cr_assert_eq(run(to)->err, ERR_ADDRESS);
	snprintf(to, sizeof(to), "https://0x7f.1:%u/", server.port);
	cr_assert_eq(run(to)->err, ERR_ADDRESS);
	snprintf(to, sizeof(to), "https://[::ffff:127.0.0.1]:%u/", server.port);
	cr_assert_eq(run(to)->err, ERR_ADDRESS);
	cr_assert_eq(server.counts[HTTP_OPENED], 0);
}

Test(courier, takes_no_other_urls_and_no_line_breaks)
{
	static const char *const bad[] = { "http://test/", "https://u:p@test/", "https://u@test/",
		"https://:p@test/", "ftp://test/", "test", "", "https://", "https://t\xc3\xa4st/",
		"https://test/\x7f", "https://test/ x", "https://test/\r\nX: y",
		"file:///etc/passwd" };
	const char *const field = "A: b\r\nC: d";
	struct courier_request req = { .answer_max = 1, .timeout_ms = 1000 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		req.url = bad[i];
		cr_assert_null(courier_send(courier, &req, on_answer, &got[0]), "%s", bad[i]);
	}
	req = (struct courier_request){ .url = url, .fields = &field, .n_fields = 1 };
	cr_assert_null(courier_send(courier, &req, on_answer, &got[0]));
}

/* --- names --- */

Test(courier, asks_for_a_name_once_and_goes_on_with_it)
{
	char to[64];
	unsigned asked;

	snprintf(to, sizeof(to), "https://push.example:%u/", server.port);
	cr_assert_eq(run(to)->err, ERR_DNS);
	dnsd_a(&names, "push.example", 0, "127.0.0.1");
	cr_assert_eq(run(to)->err, ERR_TLS, "it was found, and has another name");
	asked = dnsd_asked(&names);
	cr_assert_eq(run(to)->err, ERR_TLS);
	cr_assert_eq(dnsd_asked(&names), asked);
}

static void
pass(int64_t s)
{
	wallclock_passed_s += s;
	lab_turn(loop);
}

/* ERR_TLS: an address was known, where our server has another name. */
Test(courier, asks_again_after_a_minute_and_goes_on_while_name_servers_fail)
{
	char to[64];
	unsigned asked;

	snprintf(to, sizeof(to), "https://push.example:%u/", server.port);
	dnsd_a(&names, "push.example", 1, "127.0.0.1");
	cr_assert_eq(run(to)->err, ERR_TLS);
	pass(61);
	asked = dnsd_asked(&names);
	cr_assert_eq(run(to)->err, ERR_TLS);
	cr_assert_gt(dnsd_asked(&names), asked);
	pass(61);
	dnsd_fail(&names, 2, 0);
	cr_assert_eq(run(to)->err, ERR_TLS, "the earlier answer counts");
	pass(61);
	dnsd_fail(&names, 0, 0);
	dnsd_clear(&names);
	cr_assert_eq(run(to)->err, ERR_DNS, "there is no such name any more");
	dnsd_a(&names, "push.example", 1, "127.0.0.1");
	pass(2); /* what the resolver may remember */
	cr_assert_eq(run(to)->err, ERR_TLS, "which is not kept for a minute");
}

Test(courier, tries_all_addresses_of_a_name)
{
	char to[64];

	snprintf(to, sizeof(to), "https://push.example:%u/", server.port);
	dnsd_a(&names, "push.example", 60, "127.0.0.2"); /* nobody listens there */
	dnsd_a(&names, "push.example", 60, "::1");
	dnsd_a(&names, "push.example", 60, "127.0.0.1");
	cr_assert_eq(run(to)->err, ERR_TLS);
	cr_assert_eq(server.counts[HTTP_OPENED], 1);
}

/* --- credentials, proxy --- */

Test(courier, shows_its_certificate)
{
	EVP_PKEY *key = pki_key(PKI_P256);
	X509 *cert = pki_certificate(key, &(struct pki_certificate){ .common_name = "client" });
	const struct fetch_identity id = { .certificate = cert, .key = key };

	webd_ask_certificate(&server, cert);
	run(url);
	cr_assert(!server.requests[0].certificate);
	config.identity = &id;
	open_courier();
	cr_assert_eq(run(url)->err, OK);
	cr_assert(server.requests[1].certificate);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static struct connectd proxy;

Test(courier, goes_through_a_proxy_that_knows_the_names)
{
	const struct fetch_proxy way = { "proxy.test", 0, STR("Basic dTpw") };
	struct fetch_proxy at = way;

	proxy.leads_to = server.port;
	connectd_start(&proxy);
	at.port = proxy.port;
	config.proxy = &at;
	config.private_addresses = false; /* that of the proxy may be any */
	open_courier();
	post(0, "https://test/", LAB_PATIENCE_MS);
	UNTIL(loop, got[0].calls == 1);
	cr_assert_eq(got[0].err, OK, "%s", err_rows[got[0].err].name);
	cr_assert(got[0].http2);
	cr_assert_eq(run("https://test/")->err, OK);
	cr_assert_eq(connections(), 1);
	cr_assert_not_null(strstr(proxy.asked[0], "CONNECT test:443 HTTP/1.1\r\n"));
	cr_assert_not_null(strstr(proxy.asked[0], "Proxy-Authorization: Basic dTpw\r\n"));
	cr_assert_null(strstr(proxy.asked[0], "secret"));
	cr_assert_str_eq(webd_field(&server.requests[0], "proxy-authorization"), "");
	cr_assert_eq(run("https://localhost/")->err, ERR_ADDRESS);
	cr_assert_eq(run("https://10.0.0.1/")->err, ERR_ADDRESS);
	courier_free(courier);
	courier = NULL;
	connectd_close(&proxy);
}

Test(courier, says_that_a_proxy_refuses)
{
	struct fetch_proxy at = { .host = "127.0.0.1" };

	proxy.leads_to = server.port;
	proxy.replies[0] = "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n";
	connectd_start(&proxy);
	at.port = proxy.port;
	config.proxy = &at;
	open_courier();
	cr_assert_eq(run("https://test/")->err, ERR_CONNECT);
	courier_free(courier);
	courier = NULL;
	connectd_close(&proxy);
}
