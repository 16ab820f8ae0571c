/* SPDX-License-Identifier: Apache-2.0 */
/* Where to connect: endpoints, their addresses, the filter (O-13, FD-5.2.1.2-9).  Nothing is
 * connected to; what is on the Internet here are addresses only. */
#include <criterion/criterion.h>

#include "lib/matrix/destination.h"
#include "tests/unit/dnsd.h"

#define SERVFAIL 2
#define SECOND ((clock_ms)1000)
#define SHORT ((clock_ms)5)

static struct dnsd dns;
static struct loop *loop;
static struct resolver *resolver;
static struct fetcher *fetcher;
static struct discovery *discovery;
static struct destinations *destinations;
static const struct fact *found;

static void
on_fact(void *arg, const struct fact *f)
{
	found = snapshot_hold(&((struct fact *)(uintptr_t)f)->snap);
}

static void
open_with(bool private_addresses, bool by_name, clock_ms ttl_max)
{
	static const struct resolver_host hosts[] = { { "inside.example", "127.0.0.1" },
		{ "both.example", "192.0.2.1" }, { "both.example", "9.9.9.9" },
		{ "both.example", "8.8.8.8" }, { "both.example", "2620:fe::9" },
		{ "both.example", "2620:fe::9" }, { "both.example", "fe80::1" } };
	const char *nameservers[] = { dns.where };
	const struct resolver_config r = { hosts, 7, nameservers, dns.port != 0, 50, 2 };
	struct fetcher_config f = { 0 };
	struct discovery_config d = { .max_entries = 10,
		.max_pending = 10,
		.timeout_ms = 60000,
		.negative_ttl = 30000,
		.negative_ttl_max = 3600000 };
	struct destinations_config c = { .private_addresses = private_addresses,
		.by_name = by_name,
		.max_entries = 10,
		.max_pending = 10,
		.timeout_ms = 60000,
		.negative_ttl = ttl_max != 0 ? ttl_max : 30000,
		.negative_ttl_max = 3600000,
		.ttl_min = ttl_max != 0 ? 1 : 0,
		.ttl_max = ttl_max };

	loop = loop_new(NULL);
	c.resolver = f.resolver = d.resolver = resolver = resolver_new(loop, &r);
	d.fetcher = fetcher = fetcher_new(loop, &f);
	c.discovery = discovery = discovery_new(loop, &d);
	destinations = destinations_new(loop, &c);
	cr_assert_not_null(destinations);
}

static void
open_up(bool private_addresses, bool by_name)
{
	open_with(private_addresses, by_name, 0);
}

/* Whatever the TTL of records, facts live as long as ttl_max; 0: as records say. */
static void
open_with_dns(clock_ms ttl_max)
{
	dnsd_open(&dns);
	open_with(false, false, ttl_max);
}

static void
teardown(void)
{
	snapshot_drop((struct snapshot *)(uintptr_t)found);
	destinations_free(destinations);
	discovery_free(discovery);
	fetcher_free(fetcher);
	resolver_free(resolver);
	loop_free(loop);
	if (dns.port != 0)
		dnsd_close(&dns);
}

TestSuite(destination, .fini = teardown);

static const struct destination *
find(struct str key)
{
	struct fact_wait w;

	snapshot_drop((struct snapshot *)(uintptr_t)found);
	found = NULL;
	fact_wait_init(&w);
	fact_get(destinations_cache(destinations), key, NULL, 0, &w, on_fact, NULL);
	cr_assert_null(found);
	while (found == NULL)
		loop_turn(loop);
	cr_assert_not_null(found);
	return (const struct destination *)(const void *)found;
}

static void
is_address(const struct address *a, const char *literal, uint16_t port)
{
	char text[ADDRESS_TEXT_MAX];

	cr_expect_str_eq(address_text(a, text), literal);
	cr_expect_eq(ntohs(a->in.sin_port), port);
}

Test(destination, has_public_addresses_only_families_alternating)
{
	const struct destination *d;

	open_up(false, false);
	d = find(STR("both.example:443"));
	cr_assert_eq(d->fact.err, OK);
	cr_assert_str_eq(d->key, "both.example:443");
	cr_assert_str_eq(d->tls_name, "both.example");
	cr_assert_str_eq(d->host, "both.example:443");
	cr_assert_eq(d->n_endpoints, 1);
	cr_assert_str_eq(d->endpoints[0].host, "both.example");
	cr_assert_eq(d->endpoints[0].port, 443);
	cr_assert_eq(d->n, 3);
	is_address(&d->at[0], "[2620:fe::9]", 443);
	is_address(&d->at[1], "9.9.9.9", 443);
	is_address(&d->at[2], "8.8.8.8", 443);
}

Test(destination, is_nowhere_if_all_addresses_are_private)
{
	open_up(false, false);
	cr_assert_eq(find(STR("inside.example"))->fact.err, ERR_REMOTE_ADDRESS);
	cr_assert(found->final);
}

Test(destination, has_private_addresses_where_they_are_allowed)
{
	const struct destination *d;

	open_up(true, false);
	d = find(STR("inside.example"));
	cr_assert_eq(d->fact.err, OK);
	cr_assert_eq(d->n, 1);
	is_address(&d->at[0], "127.0.0.1", 8448);
}

Test(destination, filters_literals)
{
	open_up(false, false);
	cr_assert_eq(find(STR("[::1]:8448"))->fact.err, ERR_REMOTE_ADDRESS);
}

Test(destination, takes_a_literal_without_brackets_as_the_name_in_the_certificate)
{
	const struct destination *d;

	open_up(false, false);
	d = find(STR("[2620:fe::9]"));
	cr_assert_eq(d->fact.err, OK);
	cr_assert_str_eq(d->tls_name, "2620:fe::9");
	cr_assert_str_eq(d->host, "[2620:fe::9]");
	is_address(&d->at[0], "[2620:fe::9]", 8448);
	cr_assert(destination_is_at(d, STR("2620:fe:0::9"), 8448));
	cr_assert(destination_is_at(d, STR("[2620:fe::9]"), 8448));
	cr_assert_not(destination_is_at(d, STR("2620:fe::9"), 443));
	cr_assert_not(destination_is_at(d, STR("2620:fe::8"), 8448));
}

static const struct {
	const char *host;
	uint16_t port;
	const char *key, *tls_name, *field;
} hosts[] = {
	{ "both.example", 443, "@both.example:443", "both.example", "both.example" },
	{ "both.example", 8080, "@both.example:8080", "both.example", "both.example:8080" },
	{ "2620:fe::9", 443, "@[2620:fe::9]:443", "2620:fe::9", "[2620:fe::9]" },
	{ "[2620:fe::9]", 1, "@[2620:fe::9]:1", "2620:fe::9", "[2620:fe::9]:1" },
	{ "9.9.9.9", 443, "@9.9.9.9:443", "9.9.9.9", "9.9.9.9" },
};

Test(destination, of_a_host_needs_no_discovery)
{
	open_up(false, false);
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		char key[NAME_MAX_LEN + 16];
		const struct destination *d;

		cr_expect(str_eq(destination_key_host(str_z(hosts[i].host), hosts[i].port, key),
			      str_z(hosts[i].key)),
		    "row %zu", i);
		d = find(str_z(hosts[i].key));
		cr_assert_eq(d->fact.err, OK, "row %zu", i);
		cr_expect_str_eq(d->tls_name, hosts[i].tls_name);
		cr_expect_str_eq(d->host, hosts[i].field);
		cr_expect(destination_is_at(d, str_z(hosts[i].host), hosts[i].port));
	}
}

Test(destination, of_a_host_without_port_is_none)
{
	open_up(false, false);
	cr_assert_eq(find(STR("@both.example"))->fact.err, ERR_SERVER_NAME);
}

Test(destination, leaves_names_to_a_proxy_but_not_literals)
{
	const struct destination *d;

	open_up(false, true);
	d = find(STR("inside.example:8448"));
	cr_assert_eq(d->fact.err, OK);
	cr_assert_eq(d->n, 0);
	cr_assert_eq(d->n_endpoints, 1);
	cr_assert_eq(find(STR("10.0.0.1:8448"))->fact.err, ERR_REMOTE_ADDRESS);
	/* The proxy's own machine, however it is spelled. */
	cr_assert_eq(find(STR("localhost:8448"))->fact.err, ERR_REMOTE_ADDRESS);
	cr_assert_eq(find(STR("a.localhost.:8448"))->fact.err, ERR_REMOTE_ADDRESS);
	cr_assert_eq(find(STR("0x7f000001:8448"))->fact.err, ERR_REMOTE_ADDRESS);
	cr_assert_eq(find(STR("127.0x1:8448"))->fact.err, ERR_REMOTE_ADDRESS);
	cr_assert_eq(find(STR("@0x7f.0x1:8448"))->fact.err, ERR_REMOTE_ADDRESS);
}

Test(destination, is_found_by_host_whatever_the_case_but_not_elsewhere)
{
	const struct destination *d;

	open_up(false, false);
	d = find(STR("both.example:8448"));
	cr_assert(destination_is_at(d, STR("BOTH.example"), 8448));
	cr_assert(destination_is_at(d, STR("both.example."), 8448));
	cr_assert_not(destination_is_at(d, STR("both.example"), 443));
	cr_assert_not(destination_is_at(d, STR("other.example"), 8448));
	cr_assert_not(destination_is_at(d, STR("9.9.9.9"), 8448));
	cr_assert_not(destination_is_at(d, STR(""), 8448));
}

Test(destination, is_no_server_name)
{
	open_up(false, false);
	cr_assert_eq(find(STR("a b"))->fact.err, ERR_SERVER_NAME);
}

Test(destination, is_freed_while_looking_up)
{
	static struct fact_wait w;

	open_up(false, false);
	fact_wait_init(&w);
	fact_get(destinations_cache(destinations), STR("both.example"), NULL, 0, &w, on_fact, NULL);
}

/* --- by DNS --- */

Test(destination, lives_as_long_as_the_shortest_ttl)
{
	const struct destination *d;

	open_with_dns(0);
	dnsd_a(&dns, "a.test", 300, "9.9.9.9");
	dnsd_a(&dns, "a.test", 100, "2620:fe::9");
	d = find(STR("a.test:443"));
	cr_assert_eq(d->fact.err, OK);
	cr_assert_eq(d->fact.usable_until - d->fact.looked_up, 100 * SECOND);
	cr_assert_eq(d->fact.fresh_until - d->fact.looked_up, 80 * SECOND);
	cr_assert_gt(d->fact.grace_until, d->fact.usable_until);
}

Test(destination, has_a_shortest_and_a_longest_life)
{
	const struct destination *d;

	open_with_dns(0);
	dnsd_a(&dns, "short.test", 0, "9.9.9.9");
	dnsd_a(&dns, "long.test", 1000000, "9.9.9.9");
	d = find(STR("short.test:443"));
	cr_assert_eq(d->fact.usable_until - d->fact.looked_up, 5 * SECOND);
	d = find(STR("long.test:443"));
	cr_assert_eq(d->fact.usable_until - d->fact.looked_up, 3600 * SECOND);
}

Test(destination, stays_where_it_is_until_its_ttl_is_over)
{
	unsigned asked;

	open_with_dns(0);
	dnsd_a(&dns, "a.test", 300, "9.9.9.9");
	is_address(&find(STR("a.test:443"))->at[0], "9.9.9.9", 443);
	asked = dnsd_asked(&dns);
	dnsd_clear(&dns);
	dnsd_a(&dns, "a.test", 300, "8.8.8.8");
	is_address(&find(STR("a.test:443"))->at[0], "9.9.9.9", 443);
	cr_assert_eq(dnsd_asked(&dns), asked);
}

/* Waits until its time is over, which is a matter of milliseconds here. */
static void
until_over(const struct destination *d)
{
	clock_ms until = d->fact.usable_until;

	cr_assert_leq(until, clock_now() + SHORT);
	while (loop_now(loop) <= until)
		loop_turn(loop);
}

Test(destination, moves_when_its_ttl_is_over)
{
	open_with_dns(SHORT);
	dnsd_a(&dns, "a.test", 300, "9.9.9.9");
	until_over(find(STR("a.test:443")));
	dnsd_clear(&dns);
	dnsd_a(&dns, "a.test", 300, "8.8.8.8");
	is_address(&find(STR("a.test:443"))->at[0], "8.8.8.8", 443);
}

Test(destination, that_is_bound_to_a_private_address_later_is_nowhere)
{
	open_with_dns(SHORT);
	dnsd_a(&dns, "a.test", 0, "9.9.9.9");
	until_over(find(STR("a.test:443")));
	dnsd_clear(&dns);
	dnsd_a(&dns, "a.test", 0, "127.0.0.1");
	cr_assert_eq(find(STR("a.test:443"))->fact.err, ERR_REMOTE_ADDRESS);
}

Test(destination, outlives_its_ttl_while_name_servers_fail)
{
	const struct destination *d;

	open_with_dns(SHORT);
	dnsd_a(&dns, "a.test", 1, "9.9.9.9");
	until_over(find(STR("a.test:443")));
	dnsd_fail(&dns, SERVFAIL, 0);
	d = find(STR("a.test:443"));
	cr_assert_eq(d->fact.err, OK);
	is_address(&d->at[0], "9.9.9.9", 443);
	dnsd_fail(&dns, -1, 0);
	until_over(d);
	cr_assert_eq(find(STR("a.test:443"))->fact.err, OK);
}

Test(destination, ends_when_name_servers_say_that_the_name_does_not_exist)
{
	open_with_dns(SHORT);
	dnsd_a(&dns, "a.test", 1, "9.9.9.9");
	until_over(find(STR("a.test:443")));
	dnsd_clear(&dns);
	cr_assert_eq(find(STR("a.test:443"))->fact.err, ERR_REMOTE_DNS);
	cr_assert(found->final);
}

Test(destination, is_not_found_while_name_servers_fail)
{
	open_with_dns(0);
	dnsd_fail(&dns, SERVFAIL, 0);
	cr_assert_eq(find(STR("a.test:443"))->fact.err, ERR_REMOTE_DNS);
	cr_assert_not(found->final);
	dnsd_fail(&dns, -1, 0);
	cr_assert_eq(find(STR("b.test:443"))->fact.err, ERR_REMOTE_TIMEOUT);
	cr_assert_not(found->final);
}

Test(destination, has_the_addresses_of_all_services_in_their_order)
{
	const struct destination *d;

	open_with_dns(0);
	dnsd_srv(&dns, "_matrix-fed._tcp.s.test", 60, 30, 1, 8003, "third.test");
	dnsd_srv(&dns, "_matrix-fed._tcp.s.test", 60, 10, 1, 8001, "first.test");
	dnsd_srv(&dns, "_matrix-fed._tcp.s.test", 60, 20, 1, 8002, "dead.test");
	dnsd_a(&dns, "first.test", 60, "9.9.9.9");
	dnsd_a(&dns, "first.test", 60, "2620:fe::9");
	dnsd_a(&dns, "third.test", 60, "8.8.8.8");
	d = find(STR("s.test"));
	cr_assert_eq(d->fact.err, OK);
	cr_assert_str_eq(d->tls_name, "s.test");
	cr_assert_str_eq(d->host, "s.test");
	cr_assert_eq(d->n_endpoints, 3);
	cr_assert(destination_is_at(d, STR("dead.test"), 8002));
	cr_assert_not(destination_is_at(d, STR("s.test"), 8448));
	cr_assert_eq(d->n, 3);
	is_address(&d->at[0], "[2620:fe::9]", 8001);
	is_address(&d->at[1], "9.9.9.9", 8001);
	is_address(&d->at[2], "8.8.8.8", 8003);
}

Test(destination, is_off_where_the_service_is_not_offered)
{
	open_with_dns(0);
	dnsd_srv(&dns, "_matrix-fed._tcp.s.test", 60, 0, 0, 0, "");
	dnsd_a(&dns, "s.test", 60, "127.0.0.1");
	cr_assert_eq(find(STR("s.test"))->fact.err, ERR_REMOTE_OFF);
}

static const struct destination_owner *owner;

static void
on_owner(void *arg, const struct fact *f)
{
	owner = snapshot_hold((struct snapshot *)(uintptr_t)&f->snap);
}

Test(destination, is_known_by_its_endpoints)
{
	char key[OWNERS_KEY_MAX];
	struct fact_wait w;

	open_up(false, false);
	find(STR("both.example:8448"));
	fact_wait_init(&w);
	fact_get(owners_cache(discovery_owners(discovery)),
	    owners_key(STR("both.example"), 8448, key), NULL, 0, &w, on_owner, NULL);
	while (owner == NULL)
		loop_turn(loop);
	cr_assert_eq(owner->fact.err, OK);
	cr_assert_eq(owner->n, 1);
	cr_assert_str_eq(owner->names[0], "both.example:8448");
	snapshot_drop((struct snapshot *)(uintptr_t)owner);
}
