/* SPDX-License-Identifier: Apache-2.0 */
/* Whom an outbound request is meant for: FD-5.2.1.2-4, O-11, O-13. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "proxy/outbound/aim.h"

static struct arena arena;
static struct h1_head req;
static struct aim aim;

static void
setup(void)
{
	arena_init(&arena, 1 << 20);
	aim = (struct aim){ 0 };
}

static void
teardown(void)
{
	arena_fini(&arena);
}

TestSuite(aim, .init = setup, .fini = teardown);

static enum err
aim_of(const char *method, const char *target)
{
	static const struct h1_limits limits = { 8192, 4096, 50, .proxy = true };
	char head[1024];
	int n = snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n", method, target);

	cr_assert_eq(h1_parse_request(&arena, arena_dup(&arena, str_of(head, (size_t)n)), &limits, &req), OK, "%s", target);
	aim = (struct aim){ 0 };
	return aim_of_request(&aim, &arena, &req);
}

static void
check_at(const char *host, uint16_t port)
{
	cr_assert(str_eq(aim.host, str_z(host)), "%s: " STR_FMT, host, STR_ARG(aim.host));
	cr_assert_eq(aim.port, port, "%s: %u", host, aim.port);
	cr_assert_eq(aim.server.n, 0);
}

/* As the homeserver spells it: so it is in the signed text. */
Test(aim, of_matrix_federation_is_a_server_name)
{
	cr_assert_eq(aim_of("PUT", "matrix-federation://Them.Example:8448/_matrix/federation/v1/send/1"), OK);
	cr_assert(str_eq(aim.server, STR("Them.Example:8448")));
	cr_assert_eq(aim.host.n, 0);
}

Test(aim, of_an_absolute_form_is_its_authority_and_not_host)
{
	cr_assert_eq(aim_of("GET", "https://them.example/x"), OK);
	check_at("them.example", 443);
	cr_assert_not(aim.plain);
	cr_assert_eq(aim_of("GET", "https://them.example:8448/x"), OK);
	check_at("them.example", 8448);
	cr_assert_eq(aim_of("GET", "http://them.example/x"), OK);
	check_at("them.example", 80);
	cr_assert(aim.plain);
}

Test(aim, needs_an_absolute_form)
{
	cr_assert_eq(aim_of("GET", "/_matrix/federation/v1/version"), ERR_PROXY_FORM);
	cr_assert_eq(aim_of("OPTIONS", "*"), ERR_PROXY_FORM);
}

/* What resolvers might read in their own way is no host. */
Test(aim, refuses_what_is_no_server_name)
{
	static const char *const targets[] = {
		"matrix-federation://them_example/x", "matrix-federation://them..example/x",
		"matrix-federation://127.1/x", "matrix-federation://them.example:0/x",
		"https://127.1/x", "https://0x7f000001.1/x", "https://them.example:0/x",
		"https://[::1%25lo]/x",
	};

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		static const struct h1_limits limits = { 8192, 4096, 50, .proxy = true };
		char head[1024];
		int n = snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", targets[i]);

		/* or the parser has refused it before */
		if (h1_parse_request(&arena, arena_dup(&arena, str_of(head, (size_t)n)), &limits, &req) == OK)
			cr_assert_eq(aim_of_request(&aim, &arena, &req), ERR_OUT_TARGET, "%s", targets[i]);
	}
}

/* One form whatever the letter case, a dot at the end or the brackets of IPv6. */
Test(aim, of_a_connect_is_in_one_form)
{
	static const struct { const char *authority, *host; } rows[] = {
		{ "them.example:8448", "them.example" }, { "THEM.Example:8448", "them.example" },
		{ "them.example.:8448", "them.example" }, { "[2001:DB8::1]:8448", "2001:db8::1" },
		{ "2001:db8::1:8448", "2001:db8::1" }, { "192.0.2.1:8448", "192.0.2.1" },
		{ "[::ffff:192.0.2.1]:8448", "::ffff:192.0.2.1" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		aim = (struct aim){ 0 };
		cr_assert_eq(aim_at(&aim, &arena, str_z(rows[i].authority), 0), OK, "%s", rows[i].authority);
		check_at(rows[i].host, 8448);
	}
}

Test(aim, of_a_connect_needs_host_and_port)
{
	static const char *const authorities[] = { "them.example", "them.example:", "them.example:0",
		"them.example:65536", ":443", "[::1]", "::1", "127.1:443", "them_example:443", "a..b:443" };

	for (size_t i = 0; i < sizeof(authorities) / sizeof(authorities[0]); i++)
		cr_assert_eq(aim_at(&aim, &arena, str_z(authorities[i]), 0), ERR_OUT_TARGET, "%s", authorities[i]);
}

/* --- what is allowed beside the federation --- */

static const struct allowed_conf *
allowed(const char *host, uint16_t port)
{
	static struct allowed_conf allow[] = {
		{ .host = (char *)(uintptr_t)"push.example", .port = 443 },
		{ .host = (char *)(uintptr_t)"*.sso.example", .port = 8443 },
		{ .host = (char *)(uintptr_t)"2001:db8::1", .port = 443 },
	};
	static const struct way_out_conf w = { .allow = allow, .n_allow = 3 };

	aim = (struct aim){ .host = str_z(host), .port = port };
	return aim_allowed(&aim, &w);
}

Test(aim, is_allowed_by_host_and_port)
{
	cr_assert_not_null(allowed("push.example", 443));
	cr_assert_not_null(allowed("2001:db8::1", 443));
	cr_assert_null(allowed("push.example", 8443));
	cr_assert_null(allowed("a.push.example", 443));
	cr_assert_null(allowed("xpush.example", 443));
	cr_assert_null(allowed("push.example.evil.example", 443));
}

Test(aim, is_allowed_below_a_wildcard_but_not_at_it)
{
	cr_assert_not_null(allowed("a.sso.example", 8443));
	cr_assert_not_null(allowed("a.b.sso.example", 8443));
	cr_assert_null(allowed("sso.example", 8443));
	cr_assert_null(allowed(".sso.example", 8443));
	cr_assert_null(allowed("xsso.example", 8443));
	cr_assert_null(allowed("a.sso.example", 443));
}
