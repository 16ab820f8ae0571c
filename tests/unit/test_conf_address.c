/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "lib/conf/address.h"

static struct arena arena;

static const char *
parse(const char *text, struct conf_address *out)
{
	return conf_address_parse(&arena, str_z(text), "/run/x", out);
}

static void
start(void)
{
	arena_init(&arena, 1 << 16);
}

static void
finish(void)
{
	arena_fini(&arena);
}

TestSuite(conf_address, .init = start, .fini = finish);

Test(conf_address, reads_the_three_forms)
{
	struct conf_address ad;

	cr_assert_null(parse("127.0.0.1:8008", &ad));
	cr_assert_str_eq(ad.text, "127.0.0.1:8008");
	cr_assert_str_eq(ad.host, "127.0.0.1");
	cr_assert_eq(ad.port, 8008);
	cr_assert_null(ad.unix_path);
	cr_assert_null(parse("[::1]:8448", &ad));
	cr_assert_str_eq(ad.host, "::1");
	cr_assert_eq(ad.port, 8448);
	cr_assert_null(parse("matrix.example.org:0", &ad));
	cr_assert_str_eq(ad.host, "matrix.example.org");
	cr_assert_eq(ad.port, 0);
	cr_assert_null(parse("unix:/run/hs.sock", &ad));
	cr_assert_str_eq(ad.unix_path, "/run/hs.sock");
	cr_assert_null(ad.host);
	cr_assert_null(parse("unix:hs.sock", &ad));
	cr_assert_str_eq(ad.unix_path, "/run/x/hs.sock");
}

Test(conf_address, says_what_is_wrong)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "the port is missing; expected host:port, [ipv6]:port or unix:/path" },
		{ "localhost",
		    "the port is missing; expected host:port, [ipv6]:port or unix:/path" },
		{ "[::1]", "the port is missing; expected host:port, [ipv6]:port or unix:/path" },
		{ "[::1]8448",
		    "the port is missing; expected host:port, [ipv6]:port or unix:/path" },
		{ "[::1:8448", "a closing ] is missing" },
		{ "[1.2.3.4]:80", "no IPv6 address between the brackets" },
		{ "::1:8448", "an IPv6 address needs brackets: [::1]:8448" },
		{ "127.0.0.1:65536", "the port must be a number from 0 to 65535" },
		{ "127.0.0.1:", "the port must be a number from 0 to 65535" },
		{ "127.0.0.1:+1", "the port must be a number from 0 to 65535" },
		{ "127.1:80", "not an IPv4 address" },
		{ "300.0.0.1:80", "not an IPv4 address" },
		{ ":80", "not a host name; expected host:port, [ipv6]:port or unix:/path" },
		{ "a b:80", "not a host name; expected host:port, [ipv6]:port or unix:/path" },
		{ "a..b:80", "not a host name; expected host:port, [ipv6]:port or unix:/path" },
		{ "http://a:80", "a URL; expected host:port, [ipv6]:port or unix:/path" },
		{ "unix:", "the path behind unix: is empty" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct conf_address ad;
		const char *why = parse(cases[i].text, &ad);

		cr_assert(why != NULL, "accepted %s", cases[i].text);
		cr_assert_str_eq(why, cases[i].why);
	}
}

Test(conf_address, bounds_the_path_of_a_unix_socket)
{
	struct conf_address ad;
	char text[256] = "unix:/";

	memset(text + 6, 'a', 106);
	cr_assert_null(parse(text, &ad));
	memset(text + 6, 'a', 107);
	cr_assert_str_eq(parse(text, &ad), "the path of a unix socket has at most 107 bytes");
}

/* ML-123615: plain HTTP does not leave the machine. */
Test(conf_address, knows_loopback)
{
	static const struct {
		const char *text;
		bool loopback, ip;
	} cases[] = {
		{ "127.0.0.1:1", true, true },
		{ "127.9.9.9:1", true, true },
		{ "[::1]:1", true, true },
		{ "unix:/x", true, false },
		{ "localhost:1", false, false },
		{ "128.0.0.1:1", false, true },
		{ "0.0.0.0:1", false, true },
		{ "[::]:1", false, true },
		{ "[::ffff:127.0.0.1]:1", false, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct conf_address ad;

		cr_assert_null(parse(cases[i].text, &ad));
		cr_assert_eq(conf_address_is_loopback(&ad), cases[i].loopback, "%s", cases[i].text);
		cr_assert_eq(conf_address_is_ip(&ad), cases[i].ip, "%s", cases[i].text);
	}
}
