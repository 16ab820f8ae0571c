/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/net/proxyproto.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define INET "\300\0\2\7\306\63\144\1\303\120\1\273" /* 192.0.2.7:50000 to 198.51.100.1:443 */
#define V2(bytes) str_of(SIGNATURE bytes, sizeof(SIGNATURE bytes) - 1)

static struct proxyproto h;

static const char *
client(void)
{
	static char text[ADDRESS_TEXT_MAX + 8], ip[ADDRESS_TEXT_MAX];

	if (!h.named)
		return "-";
	snprintf(text, sizeof(text), "%s %u", address_bare(&h.client, ip), ntohs(h.client.in.sin_port));
	return text;
}

/* A header is complete with its last byte, whatever follows. */
static void
names(struct str in, const char *expected)
{
	char more[PROXYPROTO_MAX + 8];

	for (size_t n = 0; n < in.n; n++)
		cr_assert_eq(proxyproto_parse(str_of(in.p, n), &h), PROXYPROTO_MORE, "%zu bytes", n);
	cr_assert_eq(proxyproto_parse(in, &h), PROXYPROTO_GOOD);
	cr_expect_eq(h.length, in.n);
	cr_expect_str_eq(client(), expected);
	memcpy(more, in.p, in.n);
	memcpy(more + in.n, "\26\3\1\n", 4);
	cr_assert_eq(proxyproto_parse(str_of(more, in.n + 4), &h), PROXYPROTO_GOOD);
	cr_expect_eq(h.length, in.n);
	cr_expect_str_eq(client(), expected);
}

Test(proxyproto, version_1_names_the_client)
{
	names(STR("PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n"), "192.0.2.7 50000");
	names(STR("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "255.255.255.255 65535");
	names(STR("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0 0");
	names(STR("PROXY TCP6 2001:db8::7 2001:db8::1 50000 443\r\n"), "2001:db8::7 50000");
	names(STR("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		  "65535 65535\r\n"),
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535");
	names(STR("PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 50000 443\r\n"), "192.0.2.7 50000");
}

Test(proxyproto, version_1_may_name_nobody)
{
	names(STR("PROXY UNKNOWN\r\n"), "-");
	names(STR("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"), /* 107 bytes: the longest */
	    "-");
}

Test(proxyproto, version_1_is_read_strictly)
{
	static const char *const lines[] = {
		"GET / HTTP/1.1\r\n",
		"proxy TCP4 192.0.2.7 198.51.100.1 50000 443\r\n",
		"PROXY\r\n",
		"PROXY \r\n",
		"PROXY TCP4\r\n",
		"PROXY UNKNOWNX\r\n",
		"PROXY UDP4 192.0.2.7 198.51.100.1 50000 443\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 50000 443 \r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 50000\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 50000 443 1\r\n",
		"PROXY TCP4  192.0.2.7 198.51.100.1 50000 443\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 050 443\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 +50 443\r\n",
		"PROXY TCP4 192.0.2.256 198.51.100.1 50000 443\r\n",
		"PROXY TCP4 192.0.2.7 host 50000 443\r\n",
		"PROXY TCP4 2001:db8::7 2001:db8::1 50000 443\r\n",
		"PROXY TCP6 192.0.2.7 198.51.100.1 50000 443\r\n",
		"PROXY TCP6 [2001:db8::7] [2001:db8::1] 50000 443\r\n",
	};
	char endless[PROXYPROTO_V1_MAX + 3] = "PROXY UNKNOWN ";

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		cr_expect_eq(proxyproto_parse(str_z(lines[i]), &h), PROXYPROTO_BAD, "%s", lines[i]);
	memset(endless + 14, 'x', sizeof(endless) - 14);
	memcpy(endless + PROXYPROTO_V1_MAX, "\r\n", 2);
	cr_expect_eq(proxyproto_parse(str_of(endless, sizeof(endless)), &h), PROXYPROTO_BAD);
	cr_expect_eq(proxyproto_parse(str_of(endless, PROXYPROTO_V1_MAX - 1), &h), PROXYPROTO_MORE);
}

Test(proxyproto, version_2_names_the_client)
{
	names(V2("\x21\x11\0\x0c" INET), "192.0.2.7 50000");
	names(V2("\x21\x21\0\x24\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
		 "\303\120\1\273"),
	    "2001:db8::7 50000");
	names(V2("\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\xff\xff\300\0\2\7\0\0\0\0\0\0\0\0\0\0\xff\xff\300\0\2\1"
		 "\303\120\1\273"),
	    "192.0.2.7 50000");
}

Test(proxyproto, version_2_may_name_nobody)
{
	names(V2("\x20\0\0\0"), "-");
	names(V2("\x20\x11\0\x0c" INET), "-"); /* LOCAL: addresses are to be ignored */
	names(V2("\x21\0\0\0"), "-");
	names(V2("\x21\0\0\4abcd"), "-");
}

Test(proxyproto, version_2_skips_other_fields)
{
	names(V2("\x21\x11\0\x11" INET "\1\0\2h2"), "192.0.2.7 50000");
	names(V2("\x21\x11\0\x12" INET "\4\0\0\xee\0\0"), "192.0.2.7 50000");
}

Test(proxyproto, version_2_checksum)
{
	/* made with an implementation of CRC32c that gives e3069283 for "123456789" */
	names(V2("\x21\x11\0\x13" INET "\3\0\4\334\226\272\007"), "192.0.2.7 50000");
	cr_expect_eq(proxyproto_parse(V2("\x21\x11\0\x13" INET "\3\0\4\0\0\0\0"), &h), PROXYPROTO_BAD);
	cr_expect_eq(proxyproto_parse(V2("\x21\x11\0\x12" INET "\3\0\3\0\0\0"), &h), PROXYPROTO_BAD);
}

Test(proxyproto, version_2_is_read_strictly)
{
	static char huge[PROXYPROTO_MAX + 1] = SIGNATURE "\x21\0";
	const struct str bad[] = {
		V2("\x11\x11\0\x0c" INET),             /* version 1 in binary */
		V2("\x22\x11\0\x0c" INET),             /* unknown command */
		V2("\x21\x41\0\x0c" INET),             /* unknown family */
		V2("\x21\x13\0\x0c" INET),             /* unknown protocol */
		V2("\x21\x12\0\x0c" INET),             /* datagrams */
		V2("\x21\x11\0\x0b\1\2\3\4\5\6\7\10\11\12\13"), /* addresses cut short */
		V2("\x21\x21\0\x0c" INET),             /* the same of IPv6 */
		V2("\x21\x11\0\x0e" INET "\1\0"),      /* a field cut short */
		V2("\x21\x11\0\x11" INET "\1\0\3h2"),  /* a field longer than the header */
		V2("\x21\x11\xff\xff"),                /* longer than we take */
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(proxyproto_parse(bad[i], &h), PROXYPROTO_BAD, "row %zu", i);
	huge[14] = (PROXYPROTO_MAX - 16) >> 8;
	huge[15] = (char)((PROXYPROTO_MAX - 16) & 255);
	names(str_of(huge, PROXYPROTO_MAX), "-");
	huge[15]++;
	cr_expect_eq(proxyproto_parse(str_of(huge, PROXYPROTO_MAX), &h), PROXYPROTO_BAD);
}
