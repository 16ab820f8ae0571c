/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "lib/net/address.h"

/* clang-format off */
static const struct row {
	const char *text;
	bool is_public;
} rows[] = {
	{ "0.0.0.0", false }, { "0.255.255.255", false }, { "1.1.1.1", true }, { "9.255.255.255", true },
	{ "10.0.0.1", false }, { "10.255.255.255", false }, { "11.0.0.0", true },
	{ "100.63.255.255", true }, { "100.64.0.0", false }, { "100.127.255.255", false },
	{ "100.128.0.0", true }, { "127.0.0.1", false }, { "127.255.255.254", false },
	{ "128.0.0.1", true }, { "169.253.255.255", true }, { "169.254.169.254", false },
	{ "172.15.255.255", true }, { "172.16.0.0", false }, { "172.31.255.255", false },
	{ "172.32.0.0", true }, { "192.0.0.1", false }, { "192.0.1.1", true }, { "192.0.2.1", false },
	{ "192.88.99.1", false }, { "192.167.255.255", true }, { "192.168.0.1", false },
	{ "192.169.0.1", true }, { "198.17.255.255", true }, { "198.18.0.1", false },
	{ "198.19.255.255", false }, { "198.20.0.1", true }, { "198.51.100.7", false },
	{ "203.0.113.7", false }, { "203.0.114.7", true }, { "223.255.255.255", true },
	{ "224.0.0.1", false }, { "239.1.2.3", false }, { "240.0.0.1", false },
	{ "255.255.255.255", false },
	{ "::", false }, { "::1", false }, { "::ffff:8.8.8.8", false }, { "::ffff:127.0.0.1", false },
	{ "::8.8.8.8", false }, { "64:ff9b::808:808", false }, { "64:ff9b:1::1", false },
	{ "100::1", false }, { "2001::1", false }, { "2001:10::1", false }, { "2001:1ff::1", false },
	{ "2001:200::1", true }, { "2001:db8::1", false }, { "2001:db9::1", true },
	{ "2002:a00:1::1", false }, { "2002:808:808::1", false }, { "2003::1", true },
	{ "2606:4700::1111", true }, { "2620:4f:8000::1", false }, { "3ffe::1", false },
	{ "3fff::1", false }, { "3fff:1000::1", true }, { "5f00::1", false }, { "4000::1", false },
	{ "fc00::1", false }, { "fd12:3456::1", false }, { "fe80::1", false }, { "fec0::1", false },
	{ "ff02::1", false },
};
/* clang-format on */

Test(address, only_global_unicast_is_public)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a;

		cr_assert(address_parse(str_z(rows[i].text), 443, &a), "%s", rows[i].text);
		cr_expect_eq(address_is_public(&a.sa), rows[i].is_public, "%s", rows[i].text);
	}
}

Test(address, other_families_are_not_public)
{
	const struct sockaddr sa = { .sa_family = AF_UNIX };

	cr_assert_not(address_is_public(&sa));
}

Test(address, parses_only_literals)
{
	static const char *const bad[] = { "", "localhost", "1.2.3", "1.2.3.4.5", "01.2.3.4",
		"1.2.3.4:80", "[::1", "[]", "fe80::1%lo", "0x7f000001", "2130706433" };
	struct address a;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(address_parse(str_z(bad[i]), 0, &a), "%s", bad[i]);
	cr_expect_not(address_parse(STR("1.2.3.4\0.example.org"), 0, &a));
	cr_expect_not(address_parse(STR("::1\0"), 0, &a));
}

/* FD-5.2.1.2-9: names that a proxy resolves */
Test(address, names_tell_whether_they_may_be_public)
{
	static const char *const bad[] = { "127.0.0.1", "[::1]", "::ffff:8.8.8.8", "localhost",
		"LocalHost", "localhost.", "a.localhost", "a.localhost.", "127.1", "2130706433",
		"0x7f000001", "0X7F.1", "0x7f.0x1", "127.0x1", "017700000001", "a.0x", "a.1.", "" };
	static const char *const good[] = { "8.8.8.8", "2606:4700::1111", "a.example", "a.example.",
		"1.2.3.example", "0x7f.example", "0x7g", "localhost.example", "xlocalhost", "x0" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(address_may_be_public(str_z(bad[i])), "%s", bad[i]);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_expect(address_may_be_public(str_z(good[i])), "%s", good[i]);
}

Test(address, prints_what_it_parsed)
{
	char out[ADDRESS_TEXT_MAX];
	struct address a;

	cr_assert(address_parse(STR("[2001:DB8:0::1]"), 8448, &a));
	cr_assert_str_eq(address_text(&a, out), "[2001:db8::1]");
	cr_assert_eq(ntohs(a.in6.sin6_port), 8448);
	cr_assert(address_parse(STR("127.0.0.1"), 1, &a));
	cr_assert_str_eq(address_text(&a, out), "127.0.0.1");
}

Test(address, a_mapped_address_is_the_embedded_one)
{
	char text[ADDRESS_TEXT_MAX];
	struct address a;

	cr_assert(address_parse(STR("::ffff:192.0.2.7"), 99, &a));
	address_unmap(&a);
	cr_expect_str_eq(address_bare(&a, text), "192.0.2.7");
	cr_expect_eq(a.in.sin_port, htons(99));
	cr_expect_eq(a.len, sizeof(struct sockaddr_in));
	cr_assert(address_parse(STR("2001:db8::1"), 99, &a));
	address_unmap(&a);
	cr_expect_str_eq(address_bare(&a, text), "2001:db8::1");
	a.sa.sa_family = AF_UNIX;
	cr_expect_str_eq(address_bare(&a, text), "");
	cr_expect_eq(address_party(&a).n, 0);
}

static bool
same_party(const char *one, const char *other)
{
	struct address a, b;

	cr_assert(address_parse(str_z(one), 1, &a) && address_parse(str_z(other), 2, &b));
	return str_eq(address_party(&a), address_party(&b));
}

Test(address, a_party_is_an_ipv4_address_or_a_64)
{
	cr_expect(same_party("192.0.2.1", "192.0.2.1"));
	cr_expect_not(same_party("192.0.2.1", "192.0.2.2"));
	cr_expect(same_party("2001:db8:1:2::1", "2001:db8:1:2:ffff::2"));
	cr_expect_not(same_party("2001:db8:1:2::1", "2001:db8:1:3::1"));
}

static bool
within(const char *network, const char *literal)
{
	struct network n;
	struct address a;

	cr_assert(network_parse(str_z(network), &n), "%s", network);
	cr_assert(address_parse(str_z(literal), 0, &a), "%s", literal);
	return networks_have(&(struct networks){ &n, 1 }, &a);
}

Test(address, networks_hold_their_addresses)
{
	cr_expect(within("10.0.0.0/8", "10.255.0.1"));
	cr_expect_not(within("10.0.0.0/8", "11.0.0.1"));
	cr_expect(within("192.0.2.128/25", "192.0.2.129"));
	cr_expect_not(within("192.0.2.128/25", "192.0.2.127"));
	cr_expect(within("192.0.2.7", "192.0.2.7"));
	cr_expect_not(within("192.0.2.7", "192.0.2.6"));
	cr_expect(within("0.0.0.0/0", "8.8.8.8"));
	cr_expect_not(within("0.0.0.0/0", "::1"));
	cr_expect(within("::/0", "2001:db8::1"));
	cr_expect_not(within("::/0", "127.0.0.1"));
	cr_expect(within("2001:db8:8000::/33", "2001:db8:8000::1"));
	cr_expect_not(within("2001:db8:8000::/33", "2001:db8:7fff::1"));
	cr_expect(within("::1", "::1"));
}

Test(address, what_is_no_network)
{
	static const char *const texts[] = { "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8",
		"10.0.0.0/-1", "10.0.0.0/8/8", "10/8", "::/129", "2001:db8::1/64", "[::1]", "[::]/0",
		"host/8", "10.0.0.0 /8" };
	struct network n;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cr_expect_not(network_parse(str_z(texts[i]), &n), "%s", texts[i]);
}
