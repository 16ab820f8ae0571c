/* SPDX-License-Identifier: Apache-2.0 */
/* Server names and user IDs (Matrix specification, Appendices; FD-5.2.1.2-15). */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/matrix/name.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define X10 "xxxxxxxxxx"
#define X50 X10 X10 X10 X10 X10
#define X250 X50 X50 X50 X50 X50

static struct arena arena;

static void
set_up(void)
{
	arena_init(&arena, 1 << 16);
}

static void
tear_down(void)
{
	arena_fini(&arena);
}

TestSuite(name, .init = set_up, .fini = tear_down);

Test(name, splits_server_names)
{
	static const struct {
		struct str text, host;
		uint16_t port;
		enum name_host kind;
	} rows[] = {
		{ STR("example.org"), STR("example.org"), 0, NAME_DNS },
		{ STR("example.org:8448"), STR("example.org"), 8448, NAME_DNS },
		{ STR("example.org:1"), STR("example.org"), 1, NAME_DNS },
		{ STR("example.org:65535"), STR("example.org"), 65535, NAME_DNS },
		{ STR("example.org:00443"), STR("example.org"), 443, NAME_DNS },
		{ STR("Example.ORG"), STR("Example.ORG"), 0, NAME_DNS },
		{ STR("example.org."), STR("example.org"), 0, NAME_DNS },
		{ STR("example.org.:443"), STR("example.org"), 443, NAME_DNS },
		{ STR("localhost"), STR("localhost"), 0, NAME_DNS },
		{ STR("a"), STR("a"), 0, NAME_DNS },
		{ STR("xn--bcher-kva.example"), STR("xn--bcher-kva.example"), 0, NAME_DNS },
		{ STR("1.2.3.4.example"), STR("1.2.3.4.example"), 0, NAME_DNS },
		{ STR("1.2.3.4a"), STR("1.2.3.4a"), 0, NAME_DNS },
		{ STR("-a-.b-"), STR("-a-.b-"), 0, NAME_DNS },
		{ STR("1.2.3.4"), STR("1.2.3.4"), 0, NAME_IPV4 },
		{ STR("255.255.255.255:80"), STR("255.255.255.255"), 80, NAME_IPV4 },
		{ STR("[::1]"), STR("::1"), 0, NAME_IPV6 },
		{ STR("[1234:5678::ABCD]:5678"), STR("1234:5678::ABCD"), 5678, NAME_IPV6 },
		{ STR("[::ffff:1.2.3.4]"), STR("::ffff:1.2.3.4"), 0, NAME_IPV6 },
		{ STR(X250 ".test"), STR(X250 ".test"), 0, NAME_DNS },
		{ STR(X250 ":8448"), STR(X250), 8448, NAME_DNS },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct server_name out;

		cr_assert(name_parse(rows[i].text, &out), "%s", rows[i].text.p);
		cr_assert(str_eq(out.text, rows[i].text), "%s", rows[i].text.p);
		cr_assert(str_eq(out.host, rows[i].host), "%s", rows[i].text.p);
		cr_assert_eq(out.port, rows[i].port, "%s", rows[i].text.p);
		cr_assert_eq(out.kind, rows[i].kind, "%s", rows[i].text.p);
	}
}

Test(name, refuses_what_is_no_server_name)
{
	static const struct str bad[] = {
		STR(""),
		STR("."),
		STR(":"),
		STR(":8448"),
		STR("a:"),
		STR("a:b"),
		STR("a:0"),
		STR("a:00000"),
		STR("a:65536"),
		STR("a:000443"),
		STR("a:-1"),
		STR("a:+1"),
		STR("a: 1"),
		STR("a:1:2"),
		STR("a:8448/"),
		STR("a..b"),
		STR(".a"),
		STR("a.."),
		STR("a..:1"),
		STR("a_b.example"),
		STR("_matrix.example"),
		STR("a b"),
		STR(" a"),
		STR("a "),
		STR("a\0"),
		STR("a\n"),
		STR("a/b"),
		STR("a?b"),
		STR("a#b"),
		STR("a@b"),
		STR("a%41"),
		STR("a,b"),
		STR("bücher.example"),
		STR("a\\b"),
		STR("*.example"),
		STR("[]"),
		STR("["),
		STR("[::1"),
		STR("::1"),
		STR("::1]"),
		STR("[::1]8448"),
		STR("[::1]:"),
		STR("[::1]:x"),
		STR("[::1].example"),
		STR("[1.2.3.4]"),
		STR("[example.org]"),
		STR("[fe80::1%eth0]"),
		STR("[::1\0]"),
		STR("[1:2:3:4:5:6:7:8:9]"),
		STR("[:::1]"),
		STR("[12345::]"),
		STR("[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]"),
		/* not addresses, yet some resolvers take them for such */
		STR("1.2.3"),
		STR("127.1"),
		STR("1.2.3.256"),
		STR("1.2.3.04"),
		STR("1.2.3.4."),
		STR("2130706433"),
		STR("1.2.3.4.5"),
		STR("a.1"),
		STR(X250 "x.test"),
		STR(X250 "x:8448"),
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct server_name out;

		cr_assert_not(name_parse(bad[i], &out), "#%zu %s", i, bad[i].p);
	}
	cr_assert_eq(STR(X250 ".test").n, 255);
	cr_assert_eq(STR(X250 "x.test").n, 256);
}

Test(name, has_one_normal_form)
{
	static const struct {
		struct str text, want;
	} rows[] = {
		{ STR("example.org"), STR("example.org") },
		{ STR("EXAMPLE.Org"), STR("example.org") },
		{ STR("Example.org."), STR("example.org") },
		{ STR("Example.org.:8448"), STR("example.org:8448") },
		{ STR("example.org:00443"), STR("example.org:443") },
		{ STR("example.org:10000"), STR("example.org:10000") },
		{ STR("1.2.3.4:80"), STR("1.2.3.4:80") },
		{ STR("[2001:DB8::1]:08448"), STR("[2001:db8::1]:8448") },
		{ STR("[::1]"), STR("[::1]") },
		{ STR("a..b"), STR("") },
		{ STR(""), STR("") },
		{ STR(X250 ".TEST"), STR(X250 ".test") },
	};
	char out[NAME_MAX_LEN + 1];

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str normal = name_normal(rows[i].text, out);

		cr_assert(str_eq(normal, rows[i].want), "%s", rows[i].text.p);
	}
}

Test(name, splits_user_ids)
{
	static const struct {
		struct str text, localpart, server;
	} rows[] = {
		{ STR("@anna:tim.praxis.example.org"), STR("anna"), STR("tim.praxis.example.org") },
		{ STR("@a:b:8448"), STR("a"), STR("b:8448") },
		{ STR("@a:[::1]:1"), STR("a"), STR("[::1]:1") },
		{ STR("@a/b=c-d_e.f+g:hs"), STR("a/b=c-d_e.f+g"), STR("hs") },
		{ STR("@A:hs"), STR("A"), STR("hs") },
		{ STR("@@a:hs"), STR("@a"), STR("hs") },
		{ STR("@ä b:hs"), STR("ä b"), STR("hs") },
		{ STR("@:hs"), STR(""), STR("hs") },
		{ STR("@" X250 ":hs1"), STR(X250), STR("hs1") },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str localpart, server;

		cr_assert(mxid_parse(rows[i].text, &localpart, &server), "%s", rows[i].text.p);
		cr_assert(str_eq(localpart, rows[i].localpart), "%s", rows[i].text.p);
		cr_assert(str_eq(server, rows[i].server), "%s", rows[i].text.p);
	}
}

Test(name, refuses_what_is_no_user_id)
{
	static const struct str bad[] = {
		STR(""),
		STR("@"),
		STR("@a"),
		STR("@a:"),
		STR("a:hs"),
		STR("!a:hs"),
		STR("@a:b:c"),
		STR("@a: hs"),
		STR("@a:hs "),
		STR("@a\0:hs"),
		STR("@a\xff:hs"),
		STR("@a\xed\xa0\x80:hs"),
		STR("@a:h_s"),
		STR("@" X250 ":hs12"),
		STR(" @a:hs"),
	};
	struct str localpart, server;

	for (size_t i = 0; i < COUNT(bad); i++)
		cr_assert_not(mxid_parse(bad[i], &localpart, &server), "#%zu", i);
}

Test(name, finds_the_user_behind_a_uri)
{
	static const struct {
		struct str uri, mxid;
	} rows[] = {
		{ STR("matrix:u/anna:tim.praxis.example.org"),
		    STR("@anna:tim.praxis.example.org") },
		{ STR("MATRIX:u/anna:hs"), STR("@anna:hs") },
		{ STR("matrix:u/anna%3Ahs"), STR("@anna:hs") },
		{ STR("matrix:u/anna%3ahs"), STR("@anna:hs") },
		{ STR("matrix:u/%61nna:hs"), STR("@anna:hs") },
		{ STR("matrix:u/a%2Fb:hs"), STR("@a/b:hs") },
		{ STR("matrix:u/%C3%A4:hs"), STR("@ä:hs") },
		{ STR("matrix:u/anna:hs?action=chat"), STR("@anna:hs") },
		{ STR("matrix:u/anna:hs/?PASSporT=a.b.c"), STR("@anna:hs") },
		{ STR("matrix:u/anna:hs#x"), STR("@anna:hs") },
		{ STR("matrix:u/anna:hs:8448"), STR("@anna:hs:8448") },
		{ STR("@anna:hs"), STR("@anna:hs") },
		{ STR("@an%61:hs"), STR("@an%61:hs") },
		/* neither one nor the other */
		{ STR(""), STR("") },
		{ STR("anna:hs"), STR("") },
		{ STR("matrix:"), STR("") },
		{ STR("matrix:u/"), STR("") },
		{ STR("matrix:r/anna:hs"), STR("") },
		{ STR("matrix:U/anna:hs"), STR("") },
		{ STR("matrix:user/anna:hs"), STR("") },
		{ STR("matrix:u/anna"), STR("") },
		{ STR("matrix:u/anna:hs/e/event"), STR("") },
		{ STR("matrix:u/a/b:hs"), STR("") },
		{ STR("matrix:u/anna:hs//"), STR("") },
		{ STR("matrix://hs/u/anna:hs"), STR("") },
		{ STR("matrix:/u/anna:hs"), STR("") },
		{ STR("matrix:u/ann%:hs"), STR("") },
		{ STR("matrix:u/anna:hs%4"), STR("") },
		{ STR("matrix:u/anna:hs%"), STR("") },
		{ STR("matrix:u/ann%zz:hs"), STR("") },
		{ STR("matrix:u/ann%00:hs"), STR("") },
		{ STR("matrix:u/ann%ff:hs"), STR("") },
		{ STR("https://matrix.to/#/@anna:hs"), STR("") },
		{ STR("tel:+49"), STR("") },
		{ STR("@anna:hs?x"), STR("") },
		{ STR("matrix:u/" X250 X250 X250 X250 ":hs"), STR("") },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		cr_assert(
		    str_eq(mxid_from_uri(&arena, rows[i].uri), rows[i].mxid), "%s", rows[i].uri.p);
}

Test(name, compares_localparts_exactly_and_servers_without_case)
{
	cr_assert(mxid_same(STR("@anna:hs"), STR("@anna:hs")));
	cr_assert(mxid_same(STR("@anna:HS.example"), STR("@anna:hs.Example")));
	cr_assert(mxid_same(STR("@anna:hs.example."), STR("@anna:hs.example")));
	cr_assert_not(mxid_same(STR("@Anna:hs"), STR("@anna:hs")));
	cr_assert_not(mxid_same(STR("@anna:hs:8448"), STR("@anna:hs")));
	cr_assert_not(mxid_same(STR("@anna:hs1"), STR("@anna:hs2")));
	cr_assert_not(mxid_same(STR("anna"), STR("anna")));
	cr_assert_not(mxid_same(STR(""), STR("")));
}
