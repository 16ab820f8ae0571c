/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/net/dnsanswer.h"
#include "lib/net/resolver.h"
#include "tests/unit/dnsd.h"

#define SERVFAIL 2
#define SECOND ((clock_ms)1000)

static struct dnsd dns;
static struct loop *loop;
static struct resolver *resolver;

static struct {
	size_t calls;
	enum err err;
	size_t n;
	char first[RESOLVER_NAME_MAX];
	uint16_t port;
	clock_ms ttl_ms;
	bool none;
} got;

static void
on_addrs(void *arg, enum err err, const struct address *addrs, size_t n)
{
	got.calls++;
	got.err = err;
	got.n = n;
	if (n > 0) {
		address_text(&addrs[0], got.first);
		got.port = ntohs(addrs[0].in.sin_port);
	}
}

static void
on_services(void *arg, enum err err, const struct resolver_service *s, size_t n)
{
	got.calls++;
	got.err = err;
	got.n = n;
	if (n > 0) {
		snprintf(got.first, sizeof(got.first), "%s", s[0].target);
		got.port = s[0].port;
	}
}

static void
run(const struct resolver_req *q)
{
	cr_assert_eq(got.calls, 0);
	while (got.calls == 0)
		loop_turn(loop);
	cr_assert_eq(got.calls, 1);
	got.ttl_ms = q->ttl_ms;
	got.none = q->none;
	got.calls = 0;
}

static void
ask_addrs(struct str host)
{
	struct resolver_req q;

	resolver_req_init(&q);
	cr_assert(resolver_addrs(resolver, host, 443, &q, on_addrs, NULL));
	run(&q);
}

static void
ask_services(struct str host)
{
	struct resolver_req q;

	resolver_req_init(&q);
	cr_assert(
	    resolver_services(resolver, STR("_matrix-fed._tcp"), host, &q, on_services, NULL));
	run(&q);
}

static void
setup(void)
{
	static const struct resolver_host hosts[] = { { "Fixed.test", "192.0.2.1" },
		{ "fixed.test", "::1" } };
	const char *nameservers[] = { dns.where };
	const struct resolver_config cfg = { hosts, 2, nameservers, 1, 50, 2 };

	dnsd_open(&dns);
	dnsd_srv(&dns, "_matrix-fed._tcp.srv.test", 300, 20, 1, 2, "second");
	dnsd_srv(&dns, "_matrix-fed._tcp.srv.test", 200, 10, 1, 1, "first");
	dnsd_srv(&dns, "none.test", 60, 0, 0, 0, ""); /* exists, without address */
	dnsd_a(&dns, "a.test", 60, "192.0.2.7");
	loop = loop_new(NULL);
	resolver = resolver_new(loop, &cfg);
	cr_assert_not_null(resolver);
}

static void
teardown(void)
{
	resolver_free(resolver);
	loop_free(loop);
	dnsd_close(&dns);
}

TestSuite(resolver, .init = setup, .fini = teardown);

Test(resolver, finds_addresses)
{
	ask_addrs(STR("a.test"));
	cr_assert_eq(got.err, OK);
	cr_assert_str_eq(got.first, "192.0.2.7");
	cr_assert_eq(got.port, 443);
}

Test(resolver, prefers_fixed_hosts_whatever_the_case)
{
	ask_addrs(STR("FIXED.test"));
	cr_assert_eq(got.err, OK);
	cr_assert_eq(got.n, 2);
	cr_assert_str_eq(got.first, "192.0.2.1");
}

Test(resolver, takes_literals_as_they_are)
{
	ask_addrs(STR("[2001:db8::1]"));
	cr_assert_eq(got.err, OK);
	cr_assert_str_eq(got.first, "[2001:db8::1]");
}

Test(resolver, says_when_there_is_no_address)
{
	ask_addrs(STR("none.test"));
	cr_assert_eq(got.err, ERR_DNS);
}

Test(resolver, says_when_there_is_no_such_name)
{
	ask_addrs(STR("nobody.test"));
	cr_assert_eq(got.err, ERR_DNS);
}

Test(resolver, orders_services_by_priority)
{
	ask_services(STR("srv.test"));
	cr_assert_eq(got.err, OK);
	cr_assert_eq(got.n, 2);
	cr_assert_str_eq(got.first, "first");
	cr_assert_eq(got.port, 1);
}

Test(resolver, tells_no_services_from_a_failing_name_server)
{
	ask_services(STR("nobody.test"));
	cr_assert_eq(got.err, ERR_NOT_FOUND);
}

Test(resolver, tells_a_failing_name_server_from_no_services)
{
	dnsd_fail(&dns, SERVFAIL, 0);
	ask_services(STR("srv.test"));
	cr_assert_eq(got.err, ERR_DNS);
	cr_assert_not(got.none);
}

Test(resolver, tells_the_shortest_ttl_of_addresses)
{
	dnsd_a(&dns, "both.test", 300, "192.0.2.7");
	dnsd_a(&dns, "both.test", 200, "2001:db8::7");
	ask_addrs(STR("both.test"));
	cr_assert_eq(got.n, 2);
	cr_assert_eq(got.ttl_ms, 200 * SECOND);
}

Test(resolver, counts_the_ttl_of_an_alias)
{
	dnsd_a(&dns, "real.test", 300, "192.0.2.7");
	dnsd_cname(&dns, "alias.test", 30, "real.test");
	ask_addrs(STR("alias.test"));
	cr_assert_eq(got.err, OK);
	cr_assert_str_eq(got.first, "192.0.2.7");
	cr_assert_eq(got.ttl_ms, 30 * SECOND);
}

Test(resolver, tells_the_shortest_ttl_of_services)
{
	ask_services(STR("srv.test"));
	cr_assert_eq(got.ttl_ms, 200 * SECOND);
}

Test(resolver, tells_how_long_none_holds)
{
	dns.minimum = 17;
	ask_addrs(STR("nobody.test"));
	cr_assert(got.none);
	cr_assert_eq(got.ttl_ms, 17 * SECOND);
	ask_addrs(STR("none.test"));
	cr_assert(got.none);
	cr_assert_eq(got.ttl_ms, 17 * SECOND);
	ask_services(STR("nobody.test"));
	cr_assert(got.none);
	cr_assert_eq(got.ttl_ms, 17 * SECOND);
}

Test(resolver, has_a_time_for_none_without_soa_record)
{
	dns.minimum = -1;
	ask_addrs(STR("nobody.test"));
	cr_assert(got.none);
	cr_assert_eq(got.ttl_ms, RESOLVER_TTL_NONE);
}

Test(resolver, takes_an_alias_of_nothing_as_none)
{
	dnsd_cname(&dns, "alias.test", 30, "nobody.test");
	ask_addrs(STR("alias.test"));
	cr_assert_eq(got.err, ERR_DNS);
	cr_assert(got.none);
}

Test(resolver, does_not_take_half_an_answer_for_none)
{
	dnsd_fail(&dns, SERVFAIL, DNS_TYPE_A);
	ask_addrs(STR("none.test"));
	cr_assert_eq(got.err, ERR_DNS);
	cr_assert_not(got.none);
	dnsd_fail(&dns, SERVFAIL, DNS_TYPE_AAAA);
	ask_addrs(STR("none.test"));
	cr_assert_not(got.none);
}

Test(resolver, is_sure_of_none_only_by_two_denials)
{
	dns.spare = 3; /* two questions by c-ares, one of ours */
	dnsd_fail(&dns, SERVFAIL, 0);
	ask_addrs(STR("none.test"));
	cr_assert_eq(got.err, ERR_DNS);
	cr_assert_not(got.none);
}

Test(resolver, is_content_with_one_family)
{
	dnsd_fail(&dns, SERVFAIL, DNS_TYPE_AAAA);
	ask_addrs(STR("a.test"));
	cr_assert_eq(got.err, OK);
	cr_assert_eq(got.n, 1);
}

Test(resolver, says_when_no_answer_comes)
{
	dnsd_fail(&dns, -1, 0);
	ask_addrs(STR("a.test"));
	cr_assert_eq(got.err, ERR_TIMEOUT);
	cr_assert_not(got.none);
	ask_services(STR("srv.test"));
	cr_assert_eq(got.err, ERR_TIMEOUT);
}

Test(resolver, knows_the_sign_of_a_service_that_is_not_offered)
{
	dnsd_srv(&dns, "_matrix-fed._tcp.off.test", 60, 0, 0, 0, "");
	ask_services(STR("off.test"));
	cr_assert_eq(got.err, OK);
	cr_assert_eq(got.n, 1);
	cr_assert_str_eq(got.first, "");
}

Test(resolver, has_no_services_for_fixed_hosts)
{
	ask_services(STR("fixed.test"));
	cr_assert_eq(got.err, ERR_NOT_FOUND);
}

Test(resolver, refuses_names_that_are_too_long)
{
	char name[300];

	memset(name, 'a', sizeof(name));
	ask_addrs(str_of(name, sizeof(name)));
	cr_assert_eq(got.err, ERR_DNS);
}

Test(resolver, calls_nobody_who_cancelled)
{
	struct resolver_req flying, literal;

	resolver_req_init(&flying);
	resolver_req_init(&literal);
	cr_assert(resolver_addrs(resolver, STR("a.test"), 1, &flying, on_addrs, NULL));
	cr_assert(resolver_addrs(resolver, STR("::1"), 1, &literal, on_addrs, NULL));
	resolver_cancel(&flying);
	resolver_cancel(&literal);
	ask_addrs(STR("a.test"));
	cr_assert_eq(got.n, 1);
}

Test(resolver, is_freed_with_queries_in_flight)
{
	static struct resolver_req flying, literal;

	resolver_req_init(&flying);
	resolver_req_init(&literal);
	cr_assert(resolver_addrs(resolver, STR("a.test"), 1, &flying, on_addrs, NULL));
	cr_assert(resolver_addrs(resolver, STR("::1"), 1, &literal, on_addrs, NULL));
}

Test(resolver_order, draws_only_within_one_priority)
{
	struct resolver_service s[] = { { "c", 1, 2, 0 }, { "a", 1, 1, 9 }, { "b", 1, 1, 0 },
		{ "d", 1, 3, 5 } };

	for (int i = 0; i < 100; i++) {
		resolver_order(s, 4);
		cr_assert_eq(s[0].priority, 1);
		cr_assert_eq(s[1].priority, 1);
		cr_assert_str_eq(s[2].target, "c");
		cr_assert_str_eq(s[3].target, "d");
	}
}
