/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to a forward proxy (RFC 9112 3.2.2, RFC 9110 9.3.6), as Synapse and others write them. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/http/h1.h"

static const struct h1_limits plain = { .head_max = 16384, .target_max = 4096, .fields_max = 100 };
static const struct h1_limits proxy = {
	.head_max = 16384, .target_max = 4096, .fields_max = 100, .proxy = true };

static struct arena arena;

static void
setup(void)
{
	arena_init(&arena, 1 << 20);
}

static void
teardown(void)
{
	arena_fini(&arena);
	arena_drop_cache();
}

TestSuite(h1_proxy, .init = setup, .fini = teardown);

static enum err
parse(const char *head, const struct h1_limits *lim, struct h1_head *out)
{
	size_t scanned = 0;

	cr_assert_eq(h1_head_end(str_z(head), &scanned), strlen(head), "%s", head);
	return h1_parse_request(&arena, str_z(head), lim, out);
}

#define FORM_A(name, host) \
	"GET matrix-federation://" name "/_matrix/federation/v1/version HTTP/1.1\r\n" \
	"Connection: close\r\nUser-Agent: Synapse/1.160.0\r\nAuthorization: X-Matrix origin=\"a\"\r\n" \
	"Proxy-Authorization: Bearer s3cret\r\nHost: " host "\r\n\r\n"

Test(h1_proxy, reads_matrix_federation_as_synapse_writes_it)
{
	static const struct {
		const char *head;
		const char *authority;
	} rows[] = {
		{ FORM_A("remote.test", "remote.test:80"), "remote.test" },
		{ FORM_A("remote.test:8448", "remote.test:8448"), "remote.test:8448" },
		{ FORM_A("192.0.2.1", "192.0.2.1:80"), "192.0.2.1" },
		{ FORM_A("[2001:db8::5]", "[2001:db8::5]:80"), "[2001:db8::5]" },
		{ FORM_A("[2001:db8::5]:8448", "[2001:db8::5]:8448"), "[2001:db8::5]:8448" },
		{ FORM_A("remote.test", "something.else"), "remote.test" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct h1_head h;
		const struct h1_field *f;

		cr_assert_eq(parse(rows[i].head, &proxy, &h), OK, "row %zu", i);
		cr_assert_eq(h.scheme, H1_MATRIX_FEDERATION);
		cr_assert(str_eq(h.authority, str_z(rows[i].authority)), "row %zu", i);
		cr_assert(str_eq(h.target, STR("/_matrix/federation/v1/version")));
		cr_assert_not(h.keep_alive);
		f = h1_only(&h, H1_F_PROXY_AUTHORIZATION);
		cr_assert_not_null(f);
		cr_assert(f->hop && str_eq(f->value, STR("Bearer s3cret")));
		cr_assert_eq(parse(rows[i].head, &plain, &h), ERR_HTTP_TARGET, "not for others");
	}
}

Test(h1_proxy, says_what_scheme_an_absolute_target_has)
{
	static const struct {
		const char *head;
		enum h1_scheme scheme;
		bool plain; /* the same for everybody */
		const char *authority, *target;
	} rows[] = {
		{ "GET https://a.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n", H1_HTTPS, true, "a.test", "/x" },
		{ "GET HTTP://A.test:80?x HTTP/1.1\r\nHost: a.test:80\r\n\r\n", H1_HTTP, true, "A.test:80",
		    "/?x" },
		{ "GET https://a.test HTTP/1.1\r\nHost: b.test\r\n\r\n", H1_HTTPS, false, "a.test", "/" },
		{ "GET https://a.test/ HTTP/1.0\r\n\r\n", H1_HTTPS, false, "a.test", "/" },
		{ "PUT Matrix-Federation://a.test/a?b HTTP/1.0\r\n\r\n", H1_MATRIX_FEDERATION, false, "a.test",
		    "/a?b" },
		{ "OPTIONS http://a.test HTTP/1.1\r\nHost: b\r\n\r\n", H1_HTTP, false, "a.test", "*" },
		{ "GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n", H1_NO_SCHEME, true, "", "/a" },
		{ "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n", H1_NO_SCHEME, true, "", "*" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int with = 0; with < 2; with++) {
			struct h1_head h;
			enum err err = parse(rows[i].head, with ? &proxy : &plain, &h);

			if (!with && !rows[i].plain) {
				cr_expect_neq(err, OK, "row %zu", i);
				continue;
			}
			cr_assert_eq(err, OK, "row %zu", i);
			cr_assert_eq(h.scheme, rows[i].scheme, "row %zu", i);
			cr_assert(str_eq(h.authority, str_z(rows[i].authority)), "row %zu", i);
			cr_assert(str_eq(h.target, str_z(rows[i].target)), "row %zu", i);
		}
}

Test(h1_proxy, refuses_what_could_be_read_in_two_ways)
{
	static const struct {
		const char *head;
		enum err err;
	} rows[] = {
		{ "GET https://a.test/ HTTP/1.1\r\n\r\n", ERR_HTTP_HOST },
		{ "GET https://a.test/ HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n\r\n", ERR_HTTP_HOST },
		{ "GET https://a.test/ HTTP/1.0\r\nHost: a.test\r\nHost: a.test\r\n\r\n", ERR_HTTP_HOST },
		{ "GET https://a.test/ HTTP/1.1\r\nHost: a b\r\n\r\n", ERR_HTTP_HOST },
		{ "GET https://a.test/ HTTP/1.0\r\nHost:\r\n\r\n", ERR_HTTP_HOST },
		{ "GET https://a.test/ HTTP/1.1\r\nHost: u@a.test\r\n\r\n", ERR_HTTP_HOST },
		{ "GET https://u:p@a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", ERR_HTTP_TARGET },
		{ "GET matrix-federation://u@a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", ERR_HTTP_TARGET },
		{ "GET matrix-federation://a.test/x#y HTTP/1.1\r\nHost: a.test\r\n\r\n", ERR_HTTP_TARGET },
		{ "GET matrix-federation://a.test#/ HTTP/1.1\r\nHost: a.test\r\n\r\n", ERR_HTTP_TARGET },
		{ "GET matrix-federation:///x HTTP/1.1\r\nHost: a.test\r\n\r\n", ERR_HTTP_TARGET },
		{ "GET matrix-federation://2001:db8::5/ HTTP/1.1\r\nHost: a.test\r\n\r\n", ERR_HTTP_TARGET },
		{ "GET matrix-federation:/a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", ERR_HTTP_TARGET },
		{ "GET matrix-federations://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", ERR_HTTP_TARGET },
		{ "GET ftp://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", ERR_HTTP_TARGET },
		{ "GET a.test HTTP/1.1\r\nHost: a.test\r\n\r\n", ERR_HTTP_TARGET },
		{ "CONNECT a.test HTTP/1.0\r\n\r\n", ERR_HTTP_TARGET },
		{ "CONNECT a.test:0 HTTP/1.0\r\n\r\n", ERR_HTTP_TARGET },
		{ "CONNECT https://a.test:443 HTTP/1.0\r\n\r\n", ERR_HTTP_TARGET },
		{ "CONNECT u@a.test:443 HTTP/1.0\r\n\r\n", ERR_HTTP_TARGET },
		{ "CONNECT a.test:443/ HTTP/1.0\r\n\r\n", ERR_HTTP_TARGET },
		{ "CONNECT a.test:443 HTTP/1.1\r\n\r\n", ERR_HTTP_HOST },
		{ "CONNECT a.test:443 HTTP/1.0\r\nContent-Length: 1\r\n\r\n", ERR_HTTP_FRAMING },
	};
	struct h1_head h;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(parse(rows[i].head, &proxy, &h), rows[i].err, "row %zu: %s", i, rows[i].head);
}

Test(h1_proxy, takes_connect_as_synapse_writes_it)
{
	static const char *const targets[] = { "deleg.test:8999", "2001:db8::5:9999",
		"[2001:db8::5]:9999", "192.0.2.1:443" };

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct h1_head h;
		char head[200];

		snprintf(head, sizeof(head),
		    "CONNECT %s HTTP/1.0\r\nProxy-Authorization: Basic dXNlcjpwdw==\r\n\r\n", targets[i]);
		cr_assert_eq(parse(head, &proxy, &h), OK, "%s", targets[i]);
		cr_assert_eq(h.method, H1_CONNECT);
		cr_assert_eq(h.scheme, H1_NO_SCHEME);
		cr_assert_eq(h.host.n, 0);
		cr_assert_eq(h.framing, H1_NO_BODY);
		cr_assert(str_eq(h.authority, str_z(targets[i])));
		cr_assert_eq(parse(head, &plain, &h), ERR_HTTP_HOST);
	}
}

Test(h1_proxy, finds_host_and_port_of_connect)
{
	static const struct {
		const char *authority;
		const char *host; /* NULL: refused */
		unsigned port;
	} rows[] = {
		{ "a.test:443", "a.test", 443 },
		{ "a_b-c~.test:65535", "a_b-c~.test", 65535 },
		{ "192.0.2.1:1", "192.0.2.1", 1 },
		{ "[2001:db8::5]:9999", "2001:db8::5", 9999 },
		{ "[::ffff:192.0.2.1]:443", "::ffff:192.0.2.1", 443 },
		{ "2001:db8::5:9999", "2001:db8::5", 9999 },
		{ "::1:443", "::1", 443 },
		{ ":::443", "::", 443 },
		{ "1:2:3:4:5:6:7:8:443", "1:2:3:4:5:6:7:8", 443 },
		{ "1:2:3:4:5:6:7:443", NULL, 0 }, /* seven groups and a port, or eight */
		{ "2001:db8::5", NULL, 0 },
		{ "1:2:3:4:5:6:7:8", NULL, 0 },
		{ "a.test", NULL, 0 },
		{ "a.test:", NULL, 0 },
		{ "a.test:0", NULL, 0 },
		{ "a.test:65536", NULL, 0 },
		{ "a.test:+443", NULL, 0 },
		{ "a.test: 443", NULL, 0 },
		{ "a.test:443x", NULL, 0 },
		{ "a.test:1:443", NULL, 0 },
		{ "u@a.test:443", NULL, 0 },
		{ "u:p@a.test:443", NULL, 0 },
		{ "a%2etest:443", NULL, 0 },
		{ ":443", NULL, 0 },
		{ ":", NULL, 0 },
		{ "", NULL, 0 },
		{ "[]:443", NULL, 0 },
		{ "[:443", NULL, 0 },
		{ "[a.test]:443", NULL, 0 },
		{ "[192.0.2.1]:443", NULL, 0 },
		{ "[fe80::1%eth0]:443", NULL, 0 },
		{ "[2001:db8::5:443", NULL, 0 },
		{ "2001:db8::5]:443", NULL, 0 },
		{ "[2001:db8::5]443", NULL, 0 },
		{ "[[2001:db8::5]]:443", NULL, 0 },
		{ "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:443", NULL, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str host = STR_NONE;
		uint16_t port = 0;
		bool ok = h1_connect_target(str_z(rows[i].authority), &host, &port);

		cr_assert_eq(ok, rows[i].host != NULL, "%s", rows[i].authority);
		if (!ok)
			continue;
		cr_assert(str_eq(host, str_z(rows[i].host)), "%s", rows[i].authority);
		cr_assert_eq(port, rows[i].port, "%s", rows[i].authority);
	}
	cr_assert_not(h1_connect_target(STR("::1\0.evil.test:443"), &(struct str){ 0 }, &(uint16_t){ 0 }));
}

Test(h1_proxy, of_several_fields_none_is_the_only_one)
{
	struct h1_head h;

	cr_assert_eq(parse("GET / HTTP/1.1\r\nHost: a\r\nProxy-Authorization: a\r\nproxy-authorization: a\r\n"
			   "User-Agent: b\r\n\r\n", &proxy, &h), OK);
	cr_assert_null(h1_only(&h, H1_F_PROXY_AUTHORIZATION));
	cr_assert_null(h1_only(&h, H1_F_COOKIE));
	cr_assert_eq(h1_only(&h, H1_F_USER_AGENT), &h.fields[3]);
	cr_assert_eq(parse("CONNECT a:1 HTTP/1.0\r\n\r\n", &proxy, &h), OK);
	cr_assert_null(h1_only(&h, H1_F_HOST), "no fields at all");
}
