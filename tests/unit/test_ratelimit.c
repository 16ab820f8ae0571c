/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "proxy/ratelimit.h"
#include "tests/unit/judge.h"

#define NOW UINT64_C(1000000)
#define V4 "198.51.100.7"

static struct rates *rates;
static struct proxy_conf conf;

static void
setup(void)
{
	rates = rates_new(1024);
	for (int i = 0; i < RATE_LIMITS; i++)
		conf.rates[i] = (struct rate_conf){ 0, 2 };
}

static void
teardown(void)
{
	rates_free(rates);
}

TestSuite(ratelimit, .init = setup, .fini = teardown);

static void
limit(enum rate_limit which)
{
	conf.rates[which].per_minute = 60;
}

static clock_ms
ask_with(const char *method, const char *target, const char *fields, const char *peer)
{
	struct request r;
	clock_ms wait;

	cr_assert_eq(request_init(&r, method, target, fields, ""), OK, "%s", target);
	wait = ratelimit_head(rates, &conf, &r.j, peer, NOW);
	request_fini(&r);
	return wait;
}

static clock_ms
ask(const char *method, const char *target, const char *peer)
{
	return ask_with(method, target, "", peer);
}

/* Whether the third of three requests has to wait. */
static bool
is_limited(const char *method, const char *target)
{
	static unsigned n;
	char peer[32];

	snprintf(peer, sizeof(peer), "203.0.113.%u", n++ % 256);
	cr_assert_eq(ask(method, target, peer), 0);
	cr_assert_eq(ask(method, target, peer), 0);
	return ask(method, target, peer) > 0;
}

Test(ratelimit, nothing_is_limited_by_default)
{
	cr_expect_not(is_limited("POST", "/_matrix/client/v3/login"));
	cr_expect_not(is_limited("POST", "/_matrix/client/v3/register"));
	cr_expect_not(is_limited("GET", "/_matrix/federation/v1/event/x"));
	for (int i = 0; i < 5; i++)
		cr_expect_eq(
		    ask_with("GET", "/_matrix/client/v3/sync", "Authorization: Bearer a", V4), 0);
}

Test(ratelimit, logins_by_address)
{
	limit(RATE_LOGIN);
	cr_expect_eq(ask("POST", "/_matrix/client/v3/login", V4), 0);
	cr_expect_eq(ask("POST", "/_matrix/client/r0/login", V4), 0);
	cr_expect_eq(ask("POST", "/_matrix/client/v3/login", V4), 1000);
	cr_expect_eq(ask("POST", "/_matrix/client/api/v1/login?x=1", V4), 1000, "whatever the version");
	cr_expect_eq(ask("POST", "/_matrix/client/v3/login", "198.51.100.8"), 0);
	cr_expect_eq(ask("GET", "/_matrix/client/v3/login", V4), 0, "only lists the ways");
	cr_expect_eq(ask("OPTIONS", "/_matrix/client/v3/login", V4), 0, "a browser's question");
	cr_expect_eq(ask("POST", "/_matrix/client/v3/register", V4), 0);
}

Test(ratelimit, an_ipv6_client_is_its_64)
{
	limit(RATE_LOGIN);
	cr_expect_eq(ask("POST", "/_matrix/client/v3/login", "2001:db8:1:1::1"), 0);
	cr_expect_eq(ask("POST", "/_matrix/client/v3/login", "2001:db8:1:1::2"), 0);
	cr_expect_gt(ask("POST", "/_matrix/client/v3/login", "2001:db8:1:1::3"), 0);
	cr_expect_eq(ask("POST", "/_matrix/client/v3/login", "2001:db8:1:2::3"), 0);
}

Test(ratelimit, exempt_networks_are_not_limited)
{
	struct network n;

	cr_assert(network_parse(STR("198.51.100.0/24"), &n));
	conf.exempt = (struct networks){ &n, 1 };
	limit(RATE_LOGIN);
	for (int i = 0; i < 9; i++)
		cr_expect_eq(ask("POST", "/_matrix/client/v3/login", V4), 0);
	cr_expect(is_limited("POST", "/_matrix/client/v3/login"));
}

Test(ratelimit, what_else_is_limited_by_address)
{
	limit(RATE_REGISTER);
	limit(RATE_PASSWORD);
	limit(RATE_FEDERATION_ADDRESS);
	cr_expect(is_limited("POST", "/_matrix/client/v3/register"));
	cr_expect(is_limited("GET", "/_matrix/client/v3/register/available?username=a"));
	cr_expect(is_limited("POST", "/_matrix/client/v3/register/email/requestToken"));
	cr_expect(is_limited("GET", "/_matrix/client/v1/register/m.login.registration_token/validity"));
	cr_expect(is_limited("POST", "/_matrix/client/v3/account/password"));
	cr_expect(is_limited("POST", "/_matrix/client/r0/account/password/email/requestToken"));
	cr_expect(is_limited("POST", "/_matrix/client/v3/account/3pid/msisdn/requestToken"));
	cr_expect(is_limited("PUT", "/_matrix/federation/v1/send/1"));
	cr_expect(is_limited("GET", "/_matrix/key/v2/server"));
	cr_expect_not(is_limited("GET", "/_matrix/client/v3/sync"));
}

Test(ratelimit, clients_by_token)
{
	static const char *const a = "Authorization: Bearer a", *const b = "Authorization: Bearer b";

	limit(RATE_CLIENT);
	cr_expect_eq(ask_with("GET", "/_matrix/client/v3/sync", a, V4), 0);
	cr_expect_eq(ask("GET", "/_matrix/client/v3/sync?access_token=a", "203.0.113.1"), 0);
	cr_expect_gt(ask_with("POST", "/_matrix/client/v3/createRoom", a, V4), 0);
	cr_expect_eq(ask_with("GET", "/_matrix/client/v3/sync", b, V4), 0);
	for (int i = 0; i < 5; i++)
		cr_expect_eq(ask("GET", "/_matrix/client/versions", V4), 0, "without a token");
}

Test(ratelimit, servers_by_name)
{
	struct judged beta = { .origin = STR("beta.example") }, gamma = { .origin = STR("gamma.example") };

	cr_expect_eq(ratelimit_origin(rates, &conf, &beta, NOW), 0);
	limit(RATE_FEDERATION);
	cr_expect_eq(ratelimit_origin(rates, &conf, &beta, NOW), 0);
	cr_expect_eq(ratelimit_origin(rates, &conf, &beta, NOW), 0);
	cr_expect_eq(ratelimit_origin(rates, &conf, &beta, NOW), 1000);
	cr_expect_eq(ratelimit_origin(rates, &conf, &beta, NOW + 1000), 0);
	cr_expect_eq(ratelimit_origin(rates, &conf, &gamma, NOW), 0);
}
