/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix server-server API, "Server discovery"; what needs no network, and what fixed hosts stand
 * in for. */
#include <criterion/criterion.h>

#include "lib/matrix/discovery.h"
#include "lib/net/dnsanswer.h"
#include "tests/unit/dnsd.h"

#define SERVFAIL 2
#define SECOND ((clock_ms)1000)

static const struct {
	const char *name;
	bool delegated;
	enum discovery_step first;
} firsts[] = {
	{ "a.example", false, DISCOVERY_WELL_KNOWN },
	{ "a.example", true, DISCOVERY_SRV_FED }, /* one level of delegation */
	{ "a.example:8448", false, DISCOVERY_DIRECT },
	{ "a.example:443", true, DISCOVERY_DIRECT },
	{ "192.0.2.1", false, DISCOVERY_DIRECT },
	{ "192.0.2.1", true, DISCOVERY_DIRECT },
	{ "[2001:db8::1]", false, DISCOVERY_DIRECT },
};

Test(discovery, begins_with_the_first_step_that_applies)
{
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		struct server_name n;

		cr_assert(name_parse(str_z(firsts[i].name), &n));
		cr_expect_eq(
		    discovery_first(&n, firsts[i].delegated), firsts[i].first, "row %zu", i);
	}
}

static const struct {
	enum discovery_step step;
	enum err err;
	enum discovery_step next;
} nexts[] = {
	{ DISCOVERY_WELL_KNOWN, ERR_NOT_FOUND, DISCOVERY_SRV_FED },
	{ DISCOVERY_WELL_KNOWN, ERR_TLS, DISCOVERY_SRV_FED },
	{ DISCOVERY_SRV_FED, OK, DISCOVERY_DONE },
	{ DISCOVERY_SRV_FED, ERR_NOT_FOUND, DISCOVERY_SRV_OLD },
	{ DISCOVERY_SRV_FED, ERR_DNS, DISCOVERY_FAILED }, /* SERVFAIL does not fall through */
	{ DISCOVERY_SRV_FED, ERR_TIMEOUT, DISCOVERY_FAILED },
	{ DISCOVERY_SRV_OLD, OK, DISCOVERY_DONE },
	{ DISCOVERY_SRV_OLD, ERR_NOT_FOUND, DISCOVERY_DEFAULT },
	{ DISCOVERY_SRV_OLD, ERR_DNS, DISCOVERY_FAILED },
};

Test(discovery, falls_through_only_where_nothing_exists)
{
	for (size_t i = 0; i < sizeof(nexts) / sizeof(nexts[0]); i++)
		cr_expect_eq(
		    discovery_next(nexts[i].step, nexts[i].err), nexts[i].next, "row %zu", i);
}

/* --- whole discoveries --- */

static struct dnsd dns;
static struct loop *loop;
static struct resolver *resolver;
static struct fetcher *fetcher;
static struct discovery *discovery;
static const struct fact *found;

static void
on_fact(void *arg, const struct fact *f)
{
	found = snapshot_hold(&((struct fact *)(uintptr_t)f)->snap);
}

static void
setup(void)
{
	/* 127.0.0.1 is not public, so nothing is ever connected to. */
	static const struct resolver_host hosts[] = { { "fixed.example", "127.0.0.1" } };
	const char *nameservers[] = { dns.where };
	const struct resolver_config r = { hosts, 1, nameservers, 1, 50, 2 };
	struct fetcher_config f = { 0 };
	struct discovery_config d = { .max_entries = 10,
		.max_pending = 10,
		.timeout_ms = 60000,
		.negative_ttl = 30000,
		.negative_ttl_max = 3600000 };

	dnsd_open(&dns);
	loop = loop_new(NULL);
	f.resolver = d.resolver = resolver = resolver_new(loop, &r);
	d.fetcher = fetcher = fetcher_new(loop, &f);
	discovery = discovery_new(loop, &d);
	cr_assert_not_null(discovery);
}

static void
teardown(void)
{
	snapshot_drop((struct snapshot *)(uintptr_t)found);
	discovery_free(discovery);
	fetcher_free(fetcher);
	resolver_free(resolver);
	loop_free(loop);
	dnsd_close(&dns);
}

static const struct discovery_target *
discover(struct str name)
{
	struct fact_wait w;

	fact_wait_init(&w);
	fact_get(discovery_cache(discovery), name, NULL, 0, &w, on_fact, NULL);
	while (found == NULL)
		loop_turn(loop);
	return (const struct discovery_target *)(const void *)found;
}

TestSuite(discovery_whole, .init = setup, .fini = teardown);

Test(discovery_whole, points_an_ip_literal_to_itself)
{
	const struct discovery_target *t = discover(STR("[2001:db8::1]"));

	cr_assert_eq(t->fact.err, OK);
	cr_assert_str_eq(t->host, "[2001:db8::1]");
	cr_assert_str_eq(t->tls_name, "[2001:db8::1]");
	cr_assert_eq(t->n, 1);
	cr_assert_str_eq(t->at[0].host, "2001:db8::1");
	cr_assert_eq(t->at[0].port, 8448);
}

Test(discovery_whole, keeps_an_explicit_port)
{
	const struct discovery_target *t = discover(STR("a.example:443"));
	struct fetch_request req = { 0 };
	char url[64];

	cr_assert_eq(t->fact.err, OK);
	cr_assert_str_eq(t->host, "a.example:443");
	cr_assert_str_eq(t->tls_name, "a.example");
	cr_assert_eq(t->at[0].port, 443);
	cr_assert(discovery_request(t, "/x", url, sizeof(url), &req));
	cr_assert_str_eq(url, "https://a.example/x");
}

Test(discovery_whole, falls_back_to_port_8448)
{
	const struct discovery_target *t = discover(STR("fixed.example"));

	cr_assert_eq(t->fact.err, OK);
	cr_assert_str_eq(t->host, "fixed.example");
	cr_assert_eq(t->at[0].port, 8448);
}

Test(discovery_whole, refuses_what_is_no_server_name)
{
	cr_assert_eq(discover(STR("a b"))->fact.err, ERR_SERVER_NAME);
}

Test(discovery_whole, does_not_fall_back_while_name_servers_fail)
{
	dnsd_a(&dns, "s.test", 60, "127.0.0.1");
	dnsd_fail(&dns, SERVFAIL, DNS_TYPE_SRV);
	cr_assert_eq(discover(STR("s.test"))->fact.err, ERR_DNS);
	cr_assert_not(found->final);
}

Test(discovery_whole, ends_where_the_service_is_not_offered)
{
	dnsd_srv(&dns, "_matrix-fed._tcp.s.test", 60, 0, 0, 0, "");
	cr_assert_eq(discover(STR("s.test"))->fact.err, ERR_NOT_FOUND);
	cr_assert(found->final);
}

Test(discovery_whole, lives_as_long_as_srv_records_do)
{
	const struct discovery_target *t;

	dnsd_srv(&dns, "_matrix-fed._tcp.s.test", 100, 1, 1, 443, "t.test");
	t = discover(STR("s.test"));
	cr_assert_eq(t->fact.err, OK);
	cr_assert_eq(t->fact.usable_until - t->fact.looked_up, 100 * SECOND);
	cr_assert_eq(t->fact.fresh_until - t->fact.looked_up, 80 * SECOND);
	cr_assert_eq(t->fact.grace_until - t->fact.usable_until, 7200 * SECOND);
}

Test(discovery_whole, lives_as_long_as_there_are_no_srv_records)
{
	const struct discovery_target *t;

	dns.minimum = 70;
	t = discover(STR("s.test"));
	cr_assert_eq(t->fact.err, OK);
	cr_assert_eq(t->at[0].port, 8448);
	cr_assert_eq(t->fact.usable_until - t->fact.looked_up, 70 * SECOND);
}

Test(discovery_whole, is_freed_while_looking_up)
{
	static struct fact_wait w;

	fact_wait_init(&w);
	fact_get(discovery_cache(discovery), STR("fixed.example"), NULL, 0, &w, on_fact, NULL);
}
