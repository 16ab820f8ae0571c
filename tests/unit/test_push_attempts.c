/* SPDX-License-Identifier: Apache-2.0 */
/* Guessing homeservers' passwords is slowed down, and stops no homeserver. */
#include <criterion/criterion.h>
#include <sodium.h>

#include "pushgw/notify/attempts.h"

#define WRONG "Basic aHMxOndyb25n"     /* hs1:wrong */
#define RIGHT "Basic aHMxOnNlY3JldA==" /* hs1:secret */
#define OTHER "Basic aHMyOnNlY3JldA==" /* hs2:secret */

static const struct guard_conf guard = { .failures = 3, .forget = 10000, .places = 64 };
static char one[] = "hs1", two[] = "hs2";
static struct client_conf homeservers[] = {
	{ .name = one, .password = { "secret", 6 } },
	{ .name = two, .password = { "secret", 6 } },
};
static struct clients_conf conf = { .basic = homeservers, .n_basic = 2 };
static struct attempts *attempts;
static struct exchange ex;
static struct str lines;

static void
setup(void)
{
	cr_assert_geq(sodium_init(), 0);
	arena_init(&ex.arena, 1 << 20);
	attempts = attempts_new(&guard);
	cr_assert_not_null(attempts);
}

static void
teardown(void)
{
	attempts_free(attempts);
	arena_fini(&ex.arena);
}

TestSuite(push_attempts, .init = setup, .fini = teardown);

static enum err
ask(const char *peer, const char *authorization, clock_ms now)
{
	struct h1_field head = { STR("Authorization"), str_z(authorization), H1_F_AUTHORIZATION,
		false };

	ex.peer = peer;
	ex.req = (struct h1_head){ .target = STR("/"), .fields = &head, .n_fields = 1 };
	return attempts_check(attempts, &conf, &ex, now, &lines);
}

static void
fail_often(const char *peer)
{
	for (int i = 0; i < 3; i++)
		cr_assert_eq(ask(peer, WRONG, 1000), ERR_AUTH_REFUSED);
}

Test(push_attempts, an_address_that_failed_has_to_wait_whatever_it_shows)
{
	fail_often("192.0.2.1");
	cr_assert_eq(ask("192.0.2.1", WRONG, 1000), ERR_AUTH_SLOWED);
	cr_assert(str_eq(lines, STR("Retry-After: 10\r\n")), STR_FMT, STR_ARG(lines));
	cr_assert_eq(ask("192.0.2.1", RIGHT, 1000), ERR_AUTH_SLOWED, "nor is a hit told");
	cr_assert_eq(ask("192.0.2.1", RIGHT, 1001), ERR_AUTH_SLOWED);
	cr_assert(str_eq(lines, STR("Retry-After: 10\r\n")), "not too early");
	cr_assert_eq(ask("192.0.2.1", RIGHT, 11000), OK, "one failure is forgotten");
}

Test(push_attempts, other_addresses_do_not_wait)
{
	fail_often("192.0.2.1");
	cr_assert_eq(ask("192.0.2.2", RIGHT, 1000), OK);
	fail_often("2001:db8::1");
	cr_assert_eq(ask("2001:db8::2", WRONG, 1000), ERR_AUTH_SLOWED, "one /64 is one customer");
	cr_assert_eq(ask("2001:db8:0:1::1", RIGHT, 1000), OK);
}

Test(push_attempts, a_homeserver_known_to_be_right_is_not_slowed_by_others)
{
	cr_assert_eq(ask("192.0.2.1", RIGHT, 1000), OK);
	fail_often("192.0.2.1");
	for (int i = 0; i < 5; i++)
		cr_assert_eq(ask("192.0.2.1", RIGHT, 1000), OK);
	cr_assert_eq(ask("192.0.2.1", OTHER, 1000), ERR_AUTH_SLOWED, "this one is not known");
	fail_often("192.0.2.2");
	cr_assert_eq(ask("192.0.2.2", RIGHT, 1000), ERR_AUTH_SLOWED, "nor from elsewhere");
}

Test(push_attempts, what_was_right_is_still_judged)
{
	cr_assert_eq(ask("192.0.2.1", RIGHT, 1000), OK);
	homeservers[0].password = STR("changed");
	fail_often("192.0.2.1");
	cr_assert_eq(ask("192.0.2.1", RIGHT, 1000), ERR_AUTH_REFUSED);
	cr_assert_eq(ask("192.0.2.1", RIGHT, 1000), ERR_AUTH_SLOWED, "now it is a failure too");
	homeservers[0].password = STR("secret");
}

Test(push_attempts, only_passwords_are_guesses)
{
	fail_often("192.0.2.1");
	cr_assert_eq(ask("192.0.2.1", "Bearer abc", 1000), ERR_AUTH_REFUSED);
	cr_assert_eq(ask("192.0.2.1", "Nonsense", 1000), ERR_AUTH_SYNTAX);
}

Test(push_attempts, other_credentials_count_for_nothing)
{
	for (int i = 0; i < 5; i++)
		cr_assert_eq(ask("192.0.2.1", "Bearer abc", 1000), ERR_AUTH_REFUSED);
	cr_assert_eq(ask("192.0.2.1", RIGHT, 1000), OK);
}

Test(push_attempts, where_there_are_no_passwords_none_is_guessed)
{
	conf.n_basic = 0;
	conf.token_keys.n = 1;
	for (int i = 0; i < 5; i++)
		cr_assert_eq(ask("192.0.2.1", WRONG, 1000), ERR_AUTH_REFUSED);
	conf.token_keys.n = 0;
	conf.n_basic = 2;
	cr_assert_eq(ask("192.0.2.1", RIGHT, 1000), OK);
}

Test(push_attempts, what_is_malformed_is_no_failure)
{
	for (int i = 0; i < 5; i++)
		cr_assert_eq(ask("192.0.2.1", "Basic !", 1000), ERR_AUTH_SYNTAX);
	cr_assert_eq(ask("192.0.2.1", RIGHT, 1000), OK);
}
