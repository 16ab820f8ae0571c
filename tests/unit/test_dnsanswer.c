/* SPDX-License-Identifier: Apache-2.0 */
/* Lifetimes in DNS messages (RFC 1035, 4.1; RFC 2181, 8; RFC 2308, 5). */
#include <criterion/criterion.h>

#include "lib/net/dnsanswer.h"

#define HEAD(answers, authorities) "\0\1\x81\x80\0\1\0" answers "\0" authorities "\0\0"
#define QUESTION "\1a\4test\0\0\1\0\1"
#define A(ttl) "\xc0\x0c\0\1\0\1" ttl "\0\4\x09\x09\x09\x09"
#define CNAME(ttl) "\xc0\x0c\0\5\0\1" ttl "\0\2\xc0\x0c"
#define SOA(ttl, minimum) \
	"\4test\0\0\6\0\1" ttl "\0\x18\xc0\x0c\xc0\x0c\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" minimum

Test(dnsanswer, has_the_shortest_ttl_aliases_included)
{
	struct dnsanswer a = dnsanswer_read(
	    STR(HEAD("\3", "\0") QUESTION CNAME("\0\0\0\x1e") A("\0\0\1\0") A("\0\0\0\xff")),
	    DNS_TYPE_A);

	cr_assert_eq(a.n, 2);
	cr_assert(a.has_ttl);
	cr_assert_eq(a.ttl, 30);
	cr_assert_not(a.has_negative);
}

Test(dnsanswer, of_none_holds_as_long_as_the_soa_record_says)
{
	struct dnsanswer a = dnsanswer_read(
	    STR(HEAD("\0", "\1") QUESTION SOA("\0\0\1\0", "\0\0\0\x3c")), DNS_TYPE_A);

	cr_assert_eq(a.n, 0);
	cr_assert(a.has_negative);
	cr_assert_eq(a.negative, 60);
	a = dnsanswer_read(
	    STR(HEAD("\0", "\1") QUESTION SOA("\0\0\0\x1e", "\0\0\0\x3c")), DNS_TYPE_A);
	cr_assert_eq(a.negative, 30, "or as the record itself lives");
}

Test(dnsanswer, takes_a_ttl_beyond_31_bits_as_none)
{
	struct dnsanswer a =
	    dnsanswer_read(STR(HEAD("\1", "\0") QUESTION A("\xff\xff\xff\xff")), DNS_TYPE_A);

	cr_assert(a.has_ttl);
	cr_assert_eq(a.ttl, 0);
}

Test(dnsanswer, of_half_a_message_says_nothing)
{
	static const char whole[] =
	    HEAD("\1", "\1") QUESTION A("\0\0\0\x1e") SOA("\0\0\1\0", "\0\0\0\x3c");

	cr_assert(dnsanswer_read(str_of(whole, sizeof(whole) - 1), DNS_TYPE_A).has_ttl);
	for (size_t n = 0; n < sizeof(whole) - 1; n++)
		cr_assert_not(dnsanswer_read(str_of(whole, n), DNS_TYPE_A).has_ttl, "%zu", n);
}
