/* SPDX-License-Identifier: Apache-2.0 */
/* Attempts at FCM and the life of the access token, the courier played by the test. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/base64.h"
#include "lib/base/buf.h"
#include "lib/jose/claims.h"
#include "lib/jose/jws.h"
#include "tests/unit/courier_fake.h"
#include "tests/unit/wallclock.h"

#define MINUTE 60000
#define SEND_URL "https://fcm.test/v1/projects/tim-1/messages:send"
#define TOKEN_URL "https://oauth2.test/token"
#define GRANTED(token) \
	"{\"access_token\":\"" token "\",\"expires_in\":3600,\"token_type\":\"Bearer\"}"
#define UNAUTHENTICATED "{\"error\":{\"status\":\"UNAUTHENTICATED\"}}"

static char *allowed[] = { (char *)(uintptr_t) "kind", (char *)(uintptr_t) "from" };
static struct app_conf app;
static const struct lookup_conf lookups = { .private_addresses = true };
static const struct delivery_conf delivery = {
	.retry_min = 1000, .retry_max = 5000, .connect_timeout = 5000, .request_timeout = 30000
};
static struct provider_env env;
static struct provider *provider;
static struct told told[16];
static struct push push;
static int64_t expires;

static void
begin(void)
{
	fake_begin();
	memset(told, 0, sizeof(told));
	app = (struct app_conf){ .id = (char *)(uintptr_t) "a.b",
		.provider = APP_FCM,
		.fcm = { .url = (char *)(uintptr_t) "https://fcm.test",
		    .project_id = (char *)(uintptr_t) "tim-1",
		    .ttl = 15 * MINUTE,
		    .payload = { allowed, 2 },
		    .client_email = (char *)(uintptr_t) "push@tim-1.test",
		    .key_id = (char *)(uintptr_t) "0123abc",
		    .token_url = (char *)(uintptr_t)TOKEN_URL,
		    .key = EVP_RSA_gen(2048) } };
	env = (struct provider_env){ .lookups = &lookups, .delivery = &delivery };
	provider = provider_fcm.open(&env, &app);
	cr_assert_not_null(provider);
	push = (struct push){
		.pushkey = STR("phone:1"), .event_id = STR("$e"), .room_id = STR("!r:hs.test")
	};
	expires = clock_wall_ms() + 24 * 3600 * 1000;
}

static void
end(void)
{
	provider_fcm.close(provider);
	EVP_PKEY_free(app.fcm.key);
	fake_end();
	arena_drop_cache();
	buf_drop_cache();
}

TestSuite(push_fcm, .init = begin, .fini = end);

static struct attempt *
start(size_t i)
{
	struct attempt *a = provider_fcm.send(provider, &push, expires, on_told, &told[i]);

	cr_assert_not_null(a);
	cr_assert_eq(told[i].calls, 0, "called from within send()");
	return a;
}

static bool
is_exchange(size_t i)
{
	cr_assert_lt(i, fake.n_posts);
	return strcmp(fake.posts[i].url, TOKEN_URL) == 0;
}

static bool
is_send(size_t i, const char *token)
{
	char field[256];

	cr_assert_lt(i, fake.n_posts);
	snprintf(field, sizeof(field), "Authorization: Bearer %s", token);
	return strcmp(fake.posts[i].url, SEND_URL) == 0 && fake_has(i, field);
}

/* The provider has the token "one" from now on; two requests were made. */
static void
have_token(void)
{
	start(0);
	fake_tasks();
	fake_answer(0, 200, GRANTED("one"));
	fake_answer(1, 200, "");
	cr_assert_eq(told[0].r.verdict, VERDICT_DELIVERED);
}

Test(push_fcm, a_token_is_got_then_it_is_sent)
{
	start(0);
	cr_assert_eq(fake.n_posts, 0);
	fake_tasks();
	cr_assert_eq(fake.n_posts, 1);
	cr_assert(is_exchange(0));
	cr_assert(fake_has(0, "Content-Type: application/x-www-form-urlencoded"));
	fake_answer(0, 200, GRANTED("one"));
	cr_assert_eq(fake.n_posts, 2);
	cr_assert(is_send(1, "one"));
	cr_assert(fake_has(1, "Content-Type: application/json"));
	cr_assert_not_null(strstr(fake.posts[1].body, "\"token\":\"phone:1\""));
	cr_assert_not_null(strstr(fake.posts[1].body, "\"ttl\":\"900s\""));
	cr_assert_eq(told[0].calls, 0);
	fake_answer(1, 200, "{\"name\":\"projects/tim-1/messages/1\"}");
	cr_assert_eq(told[0].calls, 1);
	cr_assert_eq(told[0].r.verdict, VERDICT_DELIVERED);
	start(1); /* the token is at hand */
	cr_assert(is_send(2, "one"));
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

Test(push_fcm, the_assertion_is_what_google_wants)
{
	static const char form[] =
	    "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
	struct claims *header, *payload;
	struct arena a;
	struct jws j;

	start(0);
	fake_tasks();
	cr_assert(str_has_prefix(str_z(fake.posts[0].body), str_z(form)));
	arena_init(&a, 1 << 16);
	cr_assert_eq(jws_parse(&a, str_z(fake.posts[0].body + sizeof(form) - 1), &j), OK);
	cr_assert(verifies(&j, app.fcm.key));
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

Test(push_fcm, many_wait_for_one_exchange)
{
	for (size_t i = 0; i < 5; i++)
		start(i);
	fake_tasks();
	start(5);
	fake_tasks();
	cr_assert_eq(fake.n_posts, 1);
	provider_fcm.cancel(start(6));
	fake_answer(0, 200, GRANTED("one"));
	cr_assert_eq(fake.n_posts, 7);
	for (size_t i = 1; i < 7; i++) {
		cr_assert(is_send(i, "one"));
		fake_answer(i, 200, "");
		cr_assert_eq(told[i - 1].r.verdict, VERDICT_DELIVERED);
	}
	cr_assert_eq(told[6].calls, 0);
}

Test(push_fcm, it_is_renewed_early_and_nobody_waits)
{
	have_token();
	fake.now += 55 * MINUTE - 1;
	start(1);
	fake_tasks();
	cr_assert_eq(fake.n_posts, 3);
	cr_assert(is_send(2, "one"));
	fake_answer(2, 200, "");
	fake.now += 1;
	start(2);
	cr_assert(is_send(3, "one"));
	fake_tasks();
	cr_assert_eq(fake.n_posts, 5);
	cr_assert(is_exchange(4));
	start(3);
	fake_tasks();
	cr_assert(is_send(5, "one"));
	cr_assert_eq(fake.n_posts, 6, "one exchange");
	fake_answer(4, 200, GRANTED("two"));
	start(4);
	cr_assert(is_send(6, "two"));
	fake_answer(3, 200, "");
	fake_answer(5, 200, "");
	fake_answer(6, 200, "");
}

Test(push_fcm, the_old_one_serves_to_its_end_where_there_is_no_new_one)
{
	have_token();
	fake.now += 55 * MINUTE;
	start(1);
	fake_tasks();
	cr_assert(is_exchange(3));
	fake_fail(3, ERR_TIMEOUT);
	fake_answer(2, 200, "");
	fake.now += 5 * MINUTE - 1;
	start(2);
	cr_assert(is_send(4, "one"));
	fake_answer(4, 200, "");
	fake_tasks();
	cr_assert(is_exchange(5));
	fake.now += 1;
	start(3);
	fake_tasks();
	cr_assert_eq(fake.n_posts, 6);
	fake_answer(5, 200, GRANTED("two"));
	cr_assert(is_send(6, "two"));
	fake_answer(6, 200, "");
}

Test(push_fcm, one_with_a_short_life)
{
	start(0);
	fake_tasks();
	fake_answer(0, 200, "{\"access_token\":\"brief\",\"expires_in\":60}");
	fake_answer(1, 200, "");
	fake.now += 30000;
	start(1);
	cr_assert(is_send(2, "brief"));
	fake_tasks();
	cr_assert(is_exchange(3));
	fake.now += 30000;
	start(2);
	cr_assert_eq(fake.n_posts, 4, "it is over");
	fake_fail(3, ERR_CONNECT);
	fake_answer(2, 200, "");
}

Test(push_fcm, the_token_endpoint_is_left_alone_for_longer_each_time)
{
	static const clock_ms pauses[] = { 1000, 2000, 4000, 5000, 5000 };

	for (size_t i = 0; i < 5; i++) {
		start(i);
		fake_tasks();
		cr_assert_eq(fake.n_posts, i + 1);
		fake_answer(i, 503, "");
		cr_assert_eq(told[i].r.verdict, VERDICT_FAILED);
		cr_assert_eq(told[i].r.status, 503);
		cr_assert_eq(told[i].r.retry_after, pauses[i]);
		fake.now += pauses[i] - 1;
		start(6 + i);
		fake_tasks();
		cr_assert_eq(fake.n_posts, i + 1, "it is not asked");
		cr_assert_eq(told[6 + i].calls, 1);
		cr_assert_eq(told[6 + i].r.status, 503);
		cr_assert_eq(told[6 + i].r.retry_after, 1);
		fake.now += 1;
	}
	start(5);
	fake_tasks();
	fake_answer(5, 200, GRANTED("one"));
	cr_assert(is_send(6, "one"));
	fake_answer(6, 200, "");
	fake.now += 60 * MINUTE; /* and from the beginning the next time */
	start(11);
	fake_tasks();
	fake_answer(7, 503, "");
	cr_assert_eq(told[11].r.retry_after, 1000);
}

Test(push_fcm, what_the_token_endpoint_says)
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
		provider_fcm.close(provider);
		provider = provider_fcm.open(&env, &app);
		start(i);
		fake_tasks();
		fake_answer_after(i, cases[i].status, cases[i].body, cases[i].retry_after);
		cr_assert_eq(told[i].calls, 1);
		cr_assert_eq(told[i].r.verdict, cases[i].verdict, "%zu", i);
		cr_assert_eq(told[i].r.err, cases[i].err, "%zu", i);
		cr_assert_str_eq(told[i].r.reason, cases[i].reason);
		cr_assert_eq(told[i].r.retry_after, cases[i].wait, "%zu", i);
	}
}

Test(push_fcm, no_answer_from_the_token_endpoint)
{
	start(0);
	fake_tasks();
	cr_assert_eq(fake.posts[0].timeout, delivery.request_timeout);
	fake_fail(0, ERR_DNS);
	cr_assert_eq(told[0].r.verdict, VERDICT_FAILED);
	cr_assert_eq(told[0].r.err, ERR_DNS);
}

Test(push_fcm, waiting_counts)
{
	start(0);
	fake_tasks();
	fake.now += 10000;
	start(1);
	fake.now += 19999;
	start(2);
	fake_answer(0, 200, GRANTED("one"));
	cr_assert_eq(fake.posts[1].timeout, 1);
	cr_assert_eq(fake.posts[2].timeout, 10001);
	cr_assert_eq(fake.posts[3].timeout, 30000);
	for (size_t i = 1; i < 4; i++)
		fake_answer(i, 200, "");
	fake_tasks();
}

Test(push_fcm, waited_for_too_long)
{
	start(0);
	fake_tasks();
	fake.now += 30000;
	fake_answer(0, 200, GRANTED("one"));
	cr_assert_eq(fake.n_posts, 1);
	cr_assert_eq(told[0].r.verdict, VERDICT_FAILED);
	cr_assert_eq(told[0].r.err, ERR_TIMEOUT);
}

Test(push_fcm, a_token_that_is_not_taken_is_renewed_once)
{
	have_token();
	start(1);
	start(2);
	start(3);
	fake_answer(2, 401, UNAUTHENTICATED);
	fake_answer(3, 401, UNAUTHENTICATED);
	fake_tasks();
	cr_assert_eq(fake.n_posts, 6);
	cr_assert(is_exchange(5));
	fake_answer(5, 200, GRANTED("two"));
	cr_assert(is_send(6, "two"));
	cr_assert(is_send(7, "two"));
	cr_assert_str_eq(fake.posts[6].body, fake.posts[2].body);
	/* who sent the old one, but is answered only now */
	fake_answer(4, 401, UNAUTHENTICATED);
	fake_tasks();
	cr_assert(is_send(8, "two"));
	fake_answer(8, 200, "");
	fake_answer(6, 200, "");
	fake_answer(7, 401, UNAUTHENTICATED);
	cr_assert_eq(told[1].r.verdict, VERDICT_DELIVERED);
	cr_assert_eq(told[2].r.verdict, VERDICT_FAULT);
	cr_assert_str_eq(told[2].r.reason, "UNAUTHENTICATED");
}

Test(push_fcm, a_token_that_was_never_taken_brings_another_one_after_a_minute)
{
	start(0);
	fake_tasks();
	fake_answer(0, 200, GRANTED("one"));
	fake_answer(1, 401, UNAUTHENTICATED);
	fake_tasks();
	cr_assert_eq(told[0].r.verdict, VERDICT_FAULT);
	cr_assert_eq(fake.n_posts, 2);
	fake.now += MINUTE - 1;
	start(1);
	fake_answer(2, 401, UNAUTHENTICATED);
	cr_assert_eq(told[1].r.verdict, VERDICT_FAULT);
	fake.now += 1;
	start(2);
	fake_answer(3, 401, UNAUTHENTICATED);
	fake_tasks();
	cr_assert(is_exchange(4));
	fake_answer(4, 200, GRANTED("two"));
	cr_assert(is_send(5, "two"));
	fake_answer(5, 200, "");
}

/* --- the message and its answer --- */

Test(push_fcm, what_is_said_about_waiting)
{
	have_token();
	start(1);
	fake_answer_after(2, 429, "", "120");
	cr_assert_eq(told[1].r.verdict, VERDICT_BUSY);
	cr_assert(told[1].r.whole_app);
	cr_assert_eq(told[1].r.retry_after, 120000);
	start(2);
	fake_answer(3, 429, "");
	cr_assert_eq(told[2].r.retry_after, 60000);
	start(3);
	fake_answer(4, 503, "");
	cr_assert_eq(told[3].r.retry_after, 10000);
	start(4);
	fake_answer_after(5, 503, "", "3");
	cr_assert_eq(told[4].r.retry_after, 3000);
}

Test(push_fcm, is_kept_no_longer_than_it_is_wanted)
{
	have_token();
	expires = clock_wall_ms() + 10 * MINUTE + 999;
	start(1);
	cr_assert(strstr(fake.posts[2].body, "\"ttl\":\"600s\"") != NULL ||
		  strstr(fake.posts[2].body, "\"ttl\":\"59") != NULL);
	wallclock_shift_s = 3600;
	start(2);
	cr_assert_not_null(strstr(fake.posts[3].body, "\"ttl\":\"0s\""));
	wallclock_shift_s = 0;
	fake_answer(2, 200, "");
	fake_answer(3, 200, "");
}

Test(push_fcm, an_answer_that_is_too_long)
{
	have_token();
	start(1);
	fake_answer_too_long(2, 200);
	cr_assert_eq(told[1].r.verdict, VERDICT_DELIVERED);
	cr_assert_eq(told[1].r.err, OK);
	start(2);
	fake_answer_too_long(3, 502);
	cr_assert_eq(told[2].r.verdict, VERDICT_FAILED);
	cr_assert_eq(told[2].r.status, 502);
}

Test(push_fcm, what_cannot_be_sent_is_said_later)
{
	static char large[8192];

	memset(large, 'c', sizeof(large));
	push.ciphertext = str_of(large, sizeof(large));
	start(0);
	provider_fcm.cancel(start(1));
	fake_tasks();
	cr_assert_eq(fake.n_posts, 0);
	cr_assert_eq(told[0].r.verdict, VERDICT_DROP);
	cr_assert_str_eq(told[0].r.reason, "INVALID_ARGUMENT");
	cr_assert_eq(told[1].calls, 0);
}

Test(push_fcm, out_of_memory)
{
	fake.refuse = true;
	start(0); /* it waits for a token first */
	fake_tasks();
	cr_assert_eq(told[0].r.err, ERR_MEMORY);
	fake.refuse = false;
	fake.now += 1000;
	start(1);
	fake_tasks();
	fake.refuse = true;
	fake_answer(0, 200, GRANTED("one"));
	cr_assert_eq(told[1].r.err, ERR_MEMORY);
	cr_assert_null(provider_fcm.send(provider, &push, expires, on_told, &told[2]));
}

static void
on_told_close(void *arg, const struct attempt_result *r)
{
	on_told(arg, r);
	provider_fcm.close(provider);
	provider = provider_fcm.open(&env, &app);
}

Test(push_fcm, closed_from_a_call)
{
	cr_assert_not_null(provider_fcm.send(provider, &push, expires, on_told_close, &told[0]));
	start(1);
	fake_tasks();
	fake_answer(0, 503, "");
	cr_assert_eq(told[0].calls, 1);
	cr_assert_eq(told[1].calls, 0);
}

/* --- privacy --- */

#define SECRETS \
	"\"sender\":\"@alice:hs.test\",\"body\":\"hello\",\"room_name\":\"Ward 7\",\"unread\":3"

Test(push_fcm, nothing_but_the_ids_leaves) /* ML-123618-6, ML-123618-7 */
{
	static const char *const secrets[] = { "alice", "hello", "Ward", "sender", "unread",
		"counts", "\"prio\"", "notification", "\"from\"", "collapse" };
	const struct device d = { .pushkey = STR("phone:1"),
		.data = STR(
		    "{\"default_payload\":{\"from\":\"x\",\"kind\":7," SECRETS "}," SECRETS "}") };
	struct buf kept;

	have_token();
	buf_init(&kept, 1 << 16);
	cr_assert_eq(provider_fcm.admit(&app, &d, &kept), ADMIT_OK);
	push.data = buf_str(&kept);
	start(1);
	buf_fini(&kept);
	cr_assert(
	    fake_sent("\"data\":{\"kind\":\"7\",\"event_id\":\"$e\",\"room_id\":\"!r:hs.test\"}"));
	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++)
		cr_assert_not(fake_sent(secrets[i]), "%s", secrets[i]);
	fake_answer(2, 200, "");
}

Test(push_fcm, who_is_admitted)
{
	static const struct {
		const char *pushkey, *data;
		enum admission want;
	} cases[] = {
		{ "phone:1", "", ADMIT_OK },
		{ "phone:1", "{\"default_payload\":{}}", ADMIT_OK },
		{ "phone:1", "{\"default_payload\":[]}", ADMIT_REJECT },
		{ "phone 1", "", ADMIT_REJECT },
		{ "", "", ADMIT_REJECT },
	};
	struct buf kept;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct device d = { .pushkey = str_z(cases[i].pushkey),
			.data = str_z(cases[i].data) };

		buf_init(&kept, 1 << 16);
		cr_assert_eq(provider_fcm.admit(&app, &d, &kept), cases[i].want, "%zu", i);
		buf_fini(&kept);
	}
}
