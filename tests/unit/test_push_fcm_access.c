/* SPDX-License-Identifier: Apache-2.0 */
/* The access token for FCM: how it is got, renewed and waited for, the courier played by the test.
 */
#include <criterion/criterion.h>

#include "lib/base/base64.h"
#include "lib/jose/claims.h"
#include "lib/jose/jws.h"
#include "tests/unit/fcmlab.h"

TestSuite(push_fcm_access, .init = fcmlab_begin, .fini = fcmlab_end);

Test(push_fcm_access, a_token_is_got_then_it_is_sent)
{
	fcmlab_start(0);
	cr_assert_eq(fake.n_posts, 0);
	fake_tasks();
	cr_assert_eq(fake.n_posts, 1);
	cr_assert(fcmlab_is_exchange(0));
	cr_assert(fake_has(0, "Content-Type: application/x-www-form-urlencoded"));
	fake_answer(0, 200, GRANTED("one"));
	cr_assert_eq(fake.n_posts, 2);
	cr_assert(fcmlab_is_send(1, "one"));
	cr_assert(fake_has(1, "Content-Type: application/json"));
	cr_assert_not_null(strstr(fake.posts[1].body, "\"token\":\"phone:1\""));
	cr_assert_not_null(strstr(fake.posts[1].body, "\"ttl\":\"900s\""));
	cr_assert_eq(fcmlab.told[0].calls, 0);
	fake_answer(1, 200, "{\"name\":\"projects/tim-1/messages/1\"}");
	cr_assert_eq(fcmlab.told[0].calls, 1);
	cr_assert_eq(fcmlab.told[0].r.verdict, VERDICT_DELIVERED);
	fcmlab_start(1); /* the token is at hand */
	cr_assert(fcmlab_is_send(2, "one"));
	fake_answer(2, 200, "");
}

/* --- the assertion --- */

static void
assert_text(const struct claims *o, const char *name, const char *want)
{
	struct str s;

	cr_assert(claims_text(claims_get(o, name), &s) && str_eq(s, str_z(want)), "%s", name);
}

static void
assert_times(const struct claims *o)
{
	double iat, exp;

	cr_assert(claims_number(claims_get(o, "iat"), &iat));
	cr_assert(claims_number(claims_get(o, "exp"), &exp));
	cr_assert_eq(exp - iat, 3600);
	cr_assert(iat <= (double)clock_wall_s() && iat > (double)clock_wall_s() - 600);
}

static bool
verifies(const struct jws *j, EVP_PKEY *key)
{
	unsigned char sig[512];
	size_t n;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good;

	cr_assert(base64url_decode(j->parts.sig, sig, sizeof(sig), &n));
	good = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	       EVP_DigestVerify(ctx, sig, n, (const unsigned char *)j->parts.head.p,
		   j->parts.head.n + 1 + j->parts.body.n) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

Test(push_fcm_access, the_assertion_is_what_google_wants)
{
	static const char form[] =
	    "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
	struct claims *header, *payload;
	struct arena a;
	struct jws j;

	fcmlab_start(0);
	fake_tasks();
	cr_assert(str_has_prefix(str_z(fake.posts[0].body), str_z(form)));
	arena_init(&a, 1 << 16);
	cr_assert_eq(jws_parse(&a, str_z(fake.posts[0].body + sizeof(form) - 1), &j), OK);
	cr_assert(verifies(&j, fcmlab.app.fcm.key));
	header = claims_read_object(j.header);
	payload = claims_read_object(j.payload);
	cr_assert_eq(claims_members(header), 3);
	assert_text(header, "alg", "RS256");
	assert_text(header, "typ", "JWT");
	assert_text(header, "kid", "0123abc");
	cr_assert_eq(claims_members(payload), 5);
	assert_text(payload, "iss", "push@tim-1.test");
	assert_text(payload, "scope", "https://www.googleapis.com/auth/firebase.messaging");
	assert_text(payload, "aud", TOKEN_URL);
	assert_times(payload);
	claims_free(header);
	claims_free(payload);
	arena_fini(&a);
}

/* --- the life of a token --- */

Test(push_fcm_access, many_wait_for_one_exchange)
{
	for (size_t i = 0; i < 5; i++)
		fcmlab_start(i);
	fake_tasks();
	fcmlab_start(5);
	fake_tasks();
	cr_assert_eq(fake.n_posts, 1);
	provider_fcm.cancel(fcmlab_start(6));
	fake_answer(0, 200, GRANTED("one"));
	cr_assert_eq(fake.n_posts, 7);
	for (size_t i = 1; i < 7; i++) {
		cr_assert(fcmlab_is_send(i, "one"));
		fake_answer(i, 200, "");
		cr_assert_eq(fcmlab.told[i - 1].r.verdict, VERDICT_DELIVERED);
	}
	cr_assert_eq(fcmlab.told[6].calls, 0);
}

Test(push_fcm_access, it_is_renewed_early_and_nobody_waits)
{
	fcmlab_have_token();
	fake.now += 55 * MINUTE - 1;
	fcmlab_start(1);
	fake_tasks();
	cr_assert_eq(fake.n_posts, 3);
	cr_assert(fcmlab_is_send(2, "one"));
	fake_answer(2, 200, "");
	fake.now += 1;
	fcmlab_start(2);
	cr_assert(fcmlab_is_send(3, "one"));
	fake_tasks();
	cr_assert_eq(fake.n_posts, 5);
	cr_assert(fcmlab_is_exchange(4));
	fcmlab_start(3);
	fake_tasks();
	cr_assert(fcmlab_is_send(5, "one"));
	cr_assert_eq(fake.n_posts, 6, "one exchange");
	fake_answer(4, 200, GRANTED("two"));
	fcmlab_start(4);
	cr_assert(fcmlab_is_send(6, "two"));
	fake_answer(3, 200, "");
	fake_answer(5, 200, "");
	fake_answer(6, 200, "");
}

Test(push_fcm_access, the_old_one_serves_to_its_end_where_there_is_no_new_one)
{
	fcmlab_have_token();
	fake.now += 55 * MINUTE;
	fcmlab_start(1);
	fake_tasks();
	cr_assert(fcmlab_is_exchange(3));
	fake_fail(3, ERR_TIMEOUT);
	fake_answer(2, 200, "");
	fake.now += 5 * MINUTE - 1;
	fcmlab_start(2);
	cr_assert(fcmlab_is_send(4, "one"));
	fake_answer(4, 200, "");
	fake_tasks();
	cr_assert(fcmlab_is_exchange(5));
	fake.now += 1;
	fcmlab_start(3);
	fake_tasks();
	cr_assert_eq(fake.n_posts, 6);
	fake_answer(5, 200, GRANTED("two"));
	cr_assert(fcmlab_is_send(6, "two"));
	fake_answer(6, 200, "");
}

Test(push_fcm_access, one_with_a_short_life)
{
	fcmlab_start(0);
	fake_tasks();
	fake_answer(0, 200, "{\"access_token\":\"brief\",\"expires_in\":60}");
	fake_answer(1, 200, "");
	fake.now += 30000;
	fcmlab_start(1);
	cr_assert(fcmlab_is_send(2, "brief"));
	fake_tasks();
	cr_assert(fcmlab_is_exchange(3));
	fake.now += 30000;
	fcmlab_start(2);
	cr_assert_eq(fake.n_posts, 4, "it is over");
	fake_fail(3, ERR_CONNECT);
	fake_answer(2, 200, "");
}

Test(push_fcm_access, the_token_endpoint_is_left_alone_for_longer_each_time)
{
	static const clock_ms pauses[] = { 1000, 2000, 4000, 5000, 5000 };

	for (size_t i = 0; i < 5; i++) {
		fcmlab_start(i);
		fake_tasks();
		cr_assert_eq(fake.n_posts, i + 1);
		fake_answer(i, 503, "");
		cr_assert_eq(fcmlab.told[i].r.verdict, VERDICT_FAILED);
		cr_assert_eq(fcmlab.told[i].r.status, 503);
		cr_assert_eq(fcmlab.told[i].r.retry_after, pauses[i]);
		fake.now += pauses[i] - 1;
		fcmlab_start(6 + i);
		fake_tasks();
		cr_assert_eq(fake.n_posts, i + 1, "it is not asked");
		cr_assert_eq(fcmlab.told[6 + i].calls, 1);
		cr_assert_eq(fcmlab.told[6 + i].r.status, 503);
		cr_assert_eq(fcmlab.told[6 + i].r.retry_after, 1);
		fake.now += 1;
	}
	fcmlab_start(5);
	fake_tasks();
	fake_answer(5, 200, GRANTED("one"));
	cr_assert(fcmlab_is_send(6, "one"));
	fake_answer(6, 200, "");
	fake.now += 60 * MINUTE; /* and from the beginning the next time */
	fcmlab_start(11);
	fake_tasks();
	fake_answer(7, 503, "");
	cr_assert_eq(fcmlab.told[11].r.retry_after, 1000);
}

Test(push_fcm_access, what_the_token_endpoint_says)
{
	static const struct {
		int status;
		const char *body, *retry_after, *reason;
		enum verdict verdict;
		enum err err;
		clock_ms wait;
	} cases[] = {
		{ 400, "{\"error\":\"invalid_grant\",\"error_description\":\"secret\"}", "",
		    "invalid_grant", VERDICT_FAULT, OK, 1000 },
		{ 401, "{\"error\":\"invalid_client\"}", "", "invalid_client", VERDICT_FAULT, OK,
		    1000 },
		{ 403, "{\"error\":\"something new\"}", "", "", VERDICT_FAULT, OK, 1000 },
		{ 404, "<html>", "", "", VERDICT_FAULT, OK, 1000 },
		{ 429, "", "30", "", VERDICT_FAILED, OK, 30000 },
		{ 500, "{\"error\":\"invalid_grant\"}", "", "", VERDICT_FAILED, OK, 1000 },
		{ 200, "", "", "", VERDICT_FAILED, ERR_HTTP_ANSWER, 1000 },
		{ 200, "{}", "", "", VERDICT_FAILED, ERR_HTTP_ANSWER, 1000 },
		{ 200, "{\"access_token\":\"a b\",\"expires_in\":3600}", "", "", VERDICT_FAILED,
		    ERR_HTTP_ANSWER, 1000 },
		{ 200, "{\"access_token\":\"a\",\"expires_in\":0}", "", "", VERDICT_FAILED,
		    ERR_HTTP_ANSWER, 1000 },
		{ 302, "", "", "", VERDICT_FAILED, OK, 1000 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		provider_fcm.close(fcmlab.provider);
		fcmlab.provider = provider_fcm.open(&fcmlab.env, &fcmlab.app);
		fcmlab_start(i);
		fake_tasks();
		fake_answer_after(i, cases[i].status, cases[i].body, cases[i].retry_after);
		cr_assert_eq(fcmlab.told[i].calls, 1);
		cr_assert_eq(fcmlab.told[i].r.verdict, cases[i].verdict, "%zu", i);
		cr_assert_eq(fcmlab.told[i].r.err, cases[i].err, "%zu", i);
		cr_assert_str_eq(fcmlab.told[i].r.reason, cases[i].reason);
		cr_assert_eq(fcmlab.told[i].r.retry_after, cases[i].wait, "%zu", i);
	}
}

Test(push_fcm_access, no_answer_from_the_token_endpoint)
{
	fcmlab_start(0);
	fake_tasks();
	cr_assert_eq(fake.posts[0].timeout, fcmlab.env.delivery->request_timeout);
	fake_fail(0, ERR_DNS);
	cr_assert_eq(fcmlab.told[0].r.verdict, VERDICT_FAILED);
	cr_assert_eq(fcmlab.told[0].r.err, ERR_DNS);
}

Test(push_fcm_access, waiting_counts)
{
	fcmlab_start(0);
	fake_tasks();
	fake.now += 10000;
	fcmlab_start(1);
	fake.now += 19999;
	fcmlab_start(2);
	fake_answer(0, 200, GRANTED("one"));
	cr_assert_eq(fake.posts[1].timeout, 1);
	cr_assert_eq(fake.posts[2].timeout, 10001);
	cr_assert_eq(fake.posts[3].timeout, 30000);
	for (size_t i = 1; i < 4; i++)
		fake_answer(i, 200, "");
	fake_tasks();
}

Test(push_fcm_access, waited_for_too_long)
{
	fcmlab_start(0);
	fake_tasks();
	fake.now += 30000;
	fake_answer(0, 200, GRANTED("one"));
	cr_assert_eq(fake.n_posts, 1);
	cr_assert_eq(fcmlab.told[0].r.verdict, VERDICT_FAILED);
	cr_assert_eq(fcmlab.told[0].r.err, ERR_TIMEOUT);
}

Test(push_fcm_access, a_token_that_is_not_taken_is_renewed_once)
{
	fcmlab_have_token();
	fcmlab_start(1);
	fcmlab_start(2);
	fcmlab_start(3);
	fake_answer(2, 401, UNAUTHENTICATED);
	fake_answer(3, 401, UNAUTHENTICATED);
	fake_tasks();
	cr_assert_eq(fake.n_posts, 6);
	cr_assert(fcmlab_is_exchange(5));
	fake_answer(5, 200, GRANTED("two"));
	cr_assert(fcmlab_is_send(6, "two"));
	cr_assert(fcmlab_is_send(7, "two"));
	cr_assert_str_eq(fake.posts[6].body, fake.posts[2].body);
	/* who sent the old one, but is answered only now */
	fake_answer(4, 401, UNAUTHENTICATED);
	fake_tasks();
	cr_assert(fcmlab_is_send(8, "two"));
	fake_answer(8, 200, "");
	fake_answer(6, 200, "");
	fake_answer(7, 401, UNAUTHENTICATED);
	cr_assert_eq(fcmlab.told[1].r.verdict, VERDICT_DELIVERED);
	cr_assert_eq(fcmlab.told[2].r.verdict, VERDICT_FAULT);
	cr_assert_str_eq(fcmlab.told[2].r.reason, "UNAUTHENTICATED");
}

Test(push_fcm_access, a_token_that_was_never_taken_brings_another_one_after_a_minute)
{
	fcmlab_start(0);
	fake_tasks();
	fake_answer(0, 200, GRANTED("one"));
	fake_answer(1, 401, UNAUTHENTICATED);
	fake_tasks();
	cr_assert_eq(fcmlab.told[0].r.verdict, VERDICT_FAULT);
	cr_assert_eq(fake.n_posts, 2);
	fake.now += MINUTE - 1;
	fcmlab_start(1);
	fake_answer(2, 401, UNAUTHENTICATED);
	cr_assert_eq(fcmlab.told[1].r.verdict, VERDICT_FAULT);
	fake.now += 1;
	fcmlab_start(2);
	fake_answer(3, 401, UNAUTHENTICATED);
	fake_tasks();
	cr_assert(fcmlab_is_exchange(4));
	fake_answer(4, 200, GRANTED("two"));
	cr_assert(fcmlab_is_send(5, "two"));
	fake_answer(5, 200, "");
}
