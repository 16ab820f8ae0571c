/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix server-server API, "Server discovery": the answer of .well-known/matrix/server, and what
 * follows from it. */
#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/matrix/delegation.h"
#include "tests/unit/httpd.h"

#define MINUTE ((clock_ms)60000)
#define HOUR (60 * MINUTE)
#define NOW 1767225600 /* 2026-01-01T00:00:00Z */

static const struct {
	const char *cache_control, *expires;
	clock_ms lifetime;
} lifetimes[] = {
	{ "", "", 24 * HOUR },
	{ "public", "", 24 * HOUR },
	{ "max-age=3600", "", HOUR },
	{ "public, MAX-AGE = \"7200\"", "", 2 * HOUR },
	{ "max-age=0", "", 5 * MINUTE },
	{ "max-age=nonsense", "", 5 * MINUTE },
	{ "max-age=99999999999999999999", "", 48 * HOUR },
	{ "max-age=999999", "", 48 * HOUR },
	{ "max-age=3600, no-store", "", 5 * MINUTE },
	{ "no-store", "Thu, 01 Jan 2026 10:00:00 GMT", 5 * MINUTE },
	{ "max-age=3600", "Thu, 01 Jan 2026 10:00:00 GMT", HOUR },
	{ "", "Thu, 01 Jan 2026 10:00:00 GMT", 10 * HOUR },
	{ "", "Wed, 31 Dec 2025 10:00:00 GMT", 5 * MINUTE },
	{ "", "0", 5 * MINUTE },
	{ "", "Fri, 01 Jan 2036 10:00:00 GMT", 48 * HOUR },
	{ "", "Fri, 01 Jan 9999 10:00:00 GMT", 48 * HOUR },
};

Test(delegation, uses_an_answer_as_long_as_its_headers_say_within_bounds)
{
	for (size_t i = 0; i < sizeof(lifetimes) / sizeof(lifetimes[0]); i++)
		cr_expect_eq(
		    delegation_lifetime(lifetimes[i].cache_control, lifetimes[i].expires, NOW),
		    lifetimes[i].lifetime, "row %zu", i);
}

static const struct {
	const char *body, *to;
} delegations[] = {
	{ "{\"m.server\":\"delegated.example:443\"}", "delegated.example:443" },
	{ " { \"x\": [1], \"m.server\" : \"a.example\" } ", "a.example" },
	{ "{\"m.server\":\"[2001:db8::1]:8448\"}", "[2001:db8::1]:8448" },
	{ "", "" },
	{ "{}", "" },
	{ "[]", "" },
	{ "{\"m.server\":1}", "" },
	{ "{\"m.server\":\"\"}", "" },
	{ "{\"m.server\":\"https://a.example\"}", "" },
	{ "{\"m.server\":\"a.example/x\"}", "" },
	{ "{\"m.server\":\"a.example:99999999\"}", "" },
	{ "{\"m.server\":\"a.example\"", "" },
	{ "{\"m.server\":\"a.example\"} x", "" },
	{ "{\"m.server\":\"a.example\",\"ttl\":1.5,\"m.server2\":\"b\"}", "a.example" },
	{ "{\"m\\u002eserver\":\"a\\u002eexample\"}", "a.example" },
	{ "{\"m.server\":\"a.example\",\"m.server\":3}", "" },
	{ "\"m.server\"", "" },
	{ "{\"m.server\":\"a.example\",\"m.server\":\"b.example\"}", "" },
	{ "<html>not found</html>", "" },
};

Test(delegation, takes_only_a_valid_delegation)
{
	for (size_t i = 0; i < sizeof(delegations) / sizeof(delegations[0]); i++) {
		char out[NAME_MAX_LEN + 1];
		struct str to = delegation_read(str_z(delegations[i].body), out);

		cr_expect(str_eq(to, str_z(delegations[i].to)), "row %zu", i);
	}
}

Test(delegation, is_no_name_longer_than_names_are)
{
	char body[600], out[NAME_MAX_LEN + 1];
	size_t n = 0;

	n += (size_t)sprintf(body, "{\"m.server\":\"");
	for (int i = 0; i < 130; i++)
		n += (size_t)sprintf(body + n, "a.");
	sprintf(body + n, "b\"}");
	cr_assert_eq(delegation_read(str_z(body), out).n, 0);
}

enum {
	TAKE = DELEGATION_TAKE,
	AGAIN = DELEGATION_AGAIN,
	NONE = DELEGATION_NONE,
	FAULT = DELEGATION_FAULT
};

static const struct {
	enum err err;
	int status;
	const char *to;
	bool lately;
	unsigned tries;
	int what;
	clock_ms lifetime;
} verdicts[] = {
	{ OK, 200, "a.example", false, 1, TAKE, HOUR },
	{ OK, 200, "a.example", true, 3, TAKE, HOUR },
	/* never a valid one: left alone for an hour, after a fault as the backoff says */
	{ OK, 200, "", false, 1, NONE, HOUR },
	{ OK, 404, "", false, 1, NONE, HOUR },
	{ OK, 302, "", false, 1, NONE, HOUR },
	{ OK, 500, "", false, 1, FAULT, 0 },
	{ ERR_CONNECT, 0, "", false, 1, FAULT, 0 },
	{ ERR_TLS, 0, "", false, 1, FAULT, 0 },
	{ ERR_TIMEOUT, 0, "", false, 1, FAULT, 0 },
	{ ERR_DNS, 0, "", false, 1, FAULT, 0 },
	{ ERR_TOO_LARGE, 0, "", false, 1, NONE, HOUR },
	{ ERR_ADDRESS, 0, "", false, 1, NONE, HOUR },
	{ ERR_HTTP_ANSWER, 0, "", false, 1, NONE, HOUR },
	/* a valid one lately: thrice after a fault, and soon again */
	{ OK, 503, "", true, 1, AGAIN, 0 },
	{ ERR_CONNECT, 0, "", true, 2, AGAIN, 0 },
	{ ERR_CONNECT, 0, "", true, 3, FAULT, 2 * MINUTE },
	{ OK, 404, "", true, 1, NONE, 2 * MINUTE },
	{ OK, 200, "", true, 1, NONE, 2 * MINUTE },
};

Test(delegation, is_judged_by_answer_and_past)
{
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		const struct fetch_result r = { .err = verdicts[i].err,
			.status = verdicts[i].status,
			.cache_control = "max-age=3600",
			.expires = "" };
		struct delegation_verdict v = delegation_judge(
		    &r, str_z(verdicts[i].to), verdicts[i].lately, verdicts[i].tries, NOW);

		cr_expect_eq((int)v.what, verdicts[i].what, "row %zu", i);
		cr_expect_eq(v.lifetime, verdicts[i].lifetime, "row %zu", i);
	}
}

Test(delegation, lives_a_little_shorter_than_it_may)
{
	bool spread = false;

	for (int i = 0; i < 100; i++) {
		clock_ms ms = delegation_jitter(HOUR);

		cr_assert_leq(ms, HOUR);
		cr_assert_geq(ms, HOUR - HOUR / 10);
		spread |= ms != delegation_jitter(HOUR);
	}
	cr_assert(spread);
	cr_assert_eq(delegation_jitter(0), 0);
}

Test(delegation, is_kept_by_the_host_in_lower_case)
{
	char out[NAME_MAX_LEN + 1];

	cr_assert(str_eq(delegations_key(STR("A.Example"), out), STR("a.example")));
}

/* --- with a server, which has the name "test" --- */

#define VALID \
	"HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nContent-Length: 24\r\n\r\n" \
	"{\"m.server\":\"a.example\"}"
#define MISSING "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
#define BROKEN "HTTP/1.1 503 Out\r\nContent-Length: 0\r\n\r\n"

static struct httpd server;
static struct loop *loop;
static struct resolver *resolver;
static struct fetcher *fetcher;
static struct delegations *all;
static const struct delegation *found;
static char anchors[32];

static void
serve(const char *const *replies)
{
	char address[32];
	struct resolver_host host = { "test", address };
	const struct resolver_config rc = { .hosts = &host, .n_hosts = 1 };
	struct fetcher_config fc = { .private_addresses = true, .ca_file = anchors };
	FILE *pem;
	struct delegations_config c = { .max_entries = 10,
		.max_pending = 10,
		.timeout_ms = 20000,
		.grace = HOUR,
		.retry_pause = 1 };

	snprintf(
	    address, sizeof(address), "127.%d.%d.77", 1 + getpid() % 250, getpid() / 250 % 250);
	httpd_open_at(&server, address, 443);
	for (size_t i = 0; replies[i] != NULL; i++)
		server.replies[i] = replies[i];
	snprintf(anchors, sizeof(anchors), "delegation-%d.pem", getpid());
	pem = fopen(anchors, "w");
	cr_assert_not_null(pem);
	PEM_write_X509(pem, server.cert);
	fclose(pem);
	httpd_start(&server);
	loop = loop_new(NULL);
	fc.resolver = resolver = resolver_new(loop, &rc);
	c.fetcher = fetcher = fetcher_new(loop, &fc);
	all = delegations_new(loop, &c);
	cr_assert_not_null(all);
}

static void
close_all(void)
{
	snapshot_drop((struct snapshot *)(uintptr_t)found);
	delegations_free(all);
	fetcher_free(fetcher);
	resolver_free(resolver);
	loop_free(loop);
	httpd_close(&server);
	remove(anchors);
}

TestSuite(delegation_asked, .fini = close_all);

static void
on_fact(void *arg, const struct fact *f)
{
	found = snapshot_hold((struct snapshot *)(uintptr_t)&f->snap);
}

/* again: even if there is an answer already. */
static void
ask(bool again)
{
	struct fact_wait w;
	clock_ms begin = loop_now(loop);

	while (again && loop_now(loop) == begin)
		loop_turn(loop);
	snapshot_drop((struct snapshot *)(uintptr_t)found);
	found = NULL;
	fact_wait_init(&w);
	fact_get(delegations_cache(all), STR("test"), NULL, again ? loop_now(loop) : 0, &w, on_fact,
	    NULL);
	while (found == NULL)
		loop_turn(loop);
}

static void
lives(clock_ms most)
{
	clock_ms ms = found->fact.fresh_until - found->fact.looked_up;

	cr_assert_leq(ms, most);
	cr_assert_geq(ms, most - most / 10);
}

Test(delegation_asked, is_taken)
{
	serve((const char *[]){ VALID, NULL });
	ask(false);
	cr_assert_eq(found->fact.err, OK);
	cr_assert_str_eq(found->to, "a.example");
	lives(HOUR * 8 / 10); /* then it is asked for again in the background */
	cr_assert_not_null(strstr(server.requests[0], "GET /.well-known/matrix/server HTTP/1.1"));
	ask(false);
	cr_assert_eq(found->fact.err, OK, "the one answer there was");
}

Test(delegation_asked, is_tried_thrice_after_a_fault_if_there_was_one_lately)
{
	serve((const char *[]){ VALID, BROKEN, BROKEN, VALID, NULL });
	ask(false);
	fact_clear(delegations_cache(all));
	ask(false);
	cr_assert_eq(found->fact.err, OK);
}

Test(delegation_asked, goes_on_after_three_faults)
{
	serve((const char *[]){ VALID, BROKEN, BROKEN, BROKEN, NULL });
	ask(false);
	ask(true);
	cr_assert_eq(found->fact.err, OK);
}

Test(delegation_asked, is_lost_for_a_short_time_after_three_faults_without_an_answer_at_hand)
{
	serve((const char *[]){ VALID, BROKEN, BROKEN, BROKEN, NULL });
	ask(false);
	fact_clear(delegations_cache(all));
	ask(false);
	cr_assert_eq(found->fact.err, ERR_NOT_FOUND);
	lives(2 * MINUTE);
}

Test(delegation_asked, ends_when_the_host_says_so)
{
	serve((const char *[]){ VALID, MISSING, NULL });
	ask(false);
	ask(true);
	cr_assert_eq(found->fact.err, ERR_NOT_FOUND);
	lives(2 * MINUTE);
}

Test(delegation_asked, is_asked_once_where_there_never_was_one)
{
	serve((const char *[]){ BROKEN, VALID, NULL });
	ask(false);
	cr_assert_eq(found->fact.err, ERR_NOT_FOUND);
	lives(5 * MINUTE);
	ask(false);
	cr_assert_eq(found->fact.err, ERR_NOT_FOUND);
}

Test(delegation_asked, is_left_alone_for_an_hour_where_there_is_none)
{
	serve((const char *[]){ MISSING, NULL });
	ask(false);
	cr_assert_eq(found->fact.err, ERR_NOT_FOUND);
	lives(HOUR);
}

Test(delegation_asked, is_freed_while_asking)
{
	static struct fact_wait w;

	serve((const char *[]){ VALID, NULL });
	fact_wait_init(&w);
	fact_get(delegations_cache(all), STR("test"), NULL, 0, &w, on_fact, NULL);
	loop_turn(loop);
}
