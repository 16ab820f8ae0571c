/* SPDX-License-Identifier: Apache-2.0 */
/* Attempts at APNs, the courier played by the test. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/base/buf.h"
#include "lib/jose/jws.h"
#include "pushgw/providers/payload.h"
#include "tests/unit/courier_fake.h"
#include "tests/unit/pki.h"

#define MINUTE 60000
#define EXPIRES 1700000000999
#define PUSHKEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define BEARER "Authorization: Bearer "
#define EXPIRED "{\"reason\":\"ExpiredProviderToken\"}"

static char *allowed[] = { (char *)(uintptr_t) "aps.alert.loc-key",
	(char *)(uintptr_t) "aps.mutable-content" };
static struct app_conf app;
static const struct lookup_conf lookups = { .private_addresses = true };
static const struct delivery_conf delivery = { .connect_timeout = 5000, .request_timeout = 30000 };
static struct provider_env env;
static struct provider *provider;
static struct told told[8];
static struct push push;

static void
begin(void)
{
	fake_begin();
	memset(told, 0, sizeof(told));
	app = (struct app_conf){ .id = (char *)(uintptr_t) "a.b",
		.provider = APP_APNS,
		.apns = { .url = (char *)(uintptr_t) "https://apns.test:2197",
		    .topic = (char *)(uintptr_t) "de.test.app",
		    .key_id = (char *)(uintptr_t) "KEY1234567",
		    .team_id = (char *)(uintptr_t) "TEAM123456",
		    .payload = { allowed, 2 },
		    .key = pki_key(PKI_P256) } };
	env = (struct provider_env){ .lookups = &lookups, .delivery = &delivery };
	provider = provider_apns.open(&env, &app);
	cr_assert_not_null(provider);
	push = (struct push){
		.pushkey = STR(PUSHKEY), .event_id = STR("$e"), .room_id = STR("!r:hs.test")
	};
}

static void
end(void)
{
	provider_apns.close(provider);
	EVP_PKEY_free(app.apns.key);
	X509_free(app.apns.leaf);
	fake_end();
	arena_drop_cache();
	buf_drop_cache();
}

TestSuite(push_apns, .init = begin, .fini = end);

static void
reopen(void)
{
	provider_apns.close(provider);
	provider = provider_apns.open(&env, &app);
	cr_assert_not_null(provider);
}

static struct attempt *
start(size_t i)
{
	struct attempt *a = provider_apns.send(provider, &push, EXPIRES, on_told, &told[i]);

	cr_assert_not_null(a);
	cr_assert_eq(told[i].calls, 0, "called from within send()");
	return a;
}

Test(push_apns, a_request_with_all_its_headers)
{
	start(0);
	cr_assert_eq(fake.n_posts, 1);
	cr_assert_str_eq(fake.posts[0].url, "https://apns.test:2197/3/device/" PUSHKEY);
	cr_assert(fake_has(0, "apns-topic: de.test.app"));
	cr_assert(fake_has(0, "apns-push-type: alert"));
	cr_assert(fake_has(0, "apns-priority: 10"));
	cr_assert(fake_has(0, "apns-expiration: 1700000000"));
	cr_assert_not_null(fake_field(0, BEARER));
	cr_assert_null(fake_field(0, "apns-collapse-id"));
	cr_assert_eq(fake.posts[0].timeout, delivery.request_timeout);
	cr_assert_eq(fake.posts[0].body_n, PAYLOAD_PAD);
	fake_answer(0, 200, "");
	cr_assert_eq(told[0].calls, 1);
	cr_assert_eq(told[0].r.verdict, VERDICT_DELIVERED);
	cr_assert_eq(told[0].r.status, 200);
}

Test(push_apns, ids_are_uuids_in_lower_case_and_differ)
{
	char id[2][37] = { "", "" };

	for (size_t i = 0; i < 2; i++) {
		start(i);
		cr_assert_eq(sscanf(fake_field(i, "apns-id: "), "%36[0-9a-f-]\n", id[i]), 1);
		cr_assert_eq(strlen(id[i]), 36);
		fake_answer(i, 200, "");
	}
	cr_assert_str_neq(id[0], id[1]);
}

Test(push_apns, priority_and_type_fit_together)
{
	static const struct {
		enum apns_push_type type;
		enum push_prio prio;
		const char *fields[3];
	} cases[] = {
		{ APNS_ALERT, PUSH_LOW,
		    { "apns-push-type: alert", "apns-priority: 5", "apns-topic: de.test.app" } },
		{ APNS_BACKGROUND, PUSH_HIGH,
		    { "apns-push-type: background", "apns-priority: 5",
			"apns-topic: de.test.app" } },
		{ APNS_VOIP, PUSH_HIGH,
		    { "apns-push-type: voip", "apns-priority: 10",
			"apns-topic: de.test.app.voip" } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		app.apns.push_type = cases[i].type;
		push.prio = cases[i].prio;
		reopen();
		start(i);
		for (size_t f = 0; f < 3; f++)
			cr_assert(fake_has(i, cases[i].fields[f]), "%s", fake.posts[i].fields);
		fake_answer(i, 200, "");
	}
}

Test(push_apns, a_certificate_instead_of_a_token)
{
	const struct pki_certificate want = { 0 };

	app.apns.leaf = pki_certificate(app.apns.key, &want);
	reopen();
	cr_assert(fake.courier->identity);
	start(0);
	cr_assert_null(fake_field(0, BEARER));
	cr_assert(fake_has(0, "apns-topic: de.test.app"));
	fake_answer(0, 403, EXPIRED); /* makes no sense, and no loop */
	cr_assert_eq(told[0].r.verdict, VERDICT_FAILED);
	cr_assert_eq(fake.n_posts, 1);
	app.apns.topic = app.apns.key_id = app.apns.team_id = NULL;
	reopen();
	start(1);
	cr_assert_null(fake_field(1, "apns-topic"), "the certificate says it");
	fake_answer(1, 200, "");
}

/* The token of a request. */
static void
token_of(size_t i, char out[1024])
{
	cr_assert_eq(sscanf(fake_field(i, BEARER), "%1023s", out), 1);
}

Test(push_apns, two_apps_with_one_key_have_one_token)
{
	struct app_conf other = app;
	struct provider *second;
	char a[1024], b[1024];
	struct arena arena;
	struct jws j;

	other.apns.topic = (char *)(uintptr_t) "de.test.other";
	second = provider_apns.open(&env, &other);
	cr_assert_eq(fake.n_couriers, 2, "connections are not shared");
	cr_assert_not(fake.courier->identity);
	start(0);
	cr_assert_not_null(provider_apns.send(second, &push, EXPIRES, on_told, &told[1]));
	token_of(0, a);
	token_of(1, b);
	cr_assert_str_eq(a, b);
	arena_init(&arena, 1 << 16);
	cr_assert_eq(jws_parse(&arena, str_z(a), &j), OK);
	cr_assert_eq(jws_verify(&j, app.apns.key), OK);
	arena_fini(&arena);
	provider_apns.close(second);
	fake_answer(0, 200, "");
}

Test(push_apns, an_expired_token_is_renewed_and_tried_once_more)
{
	char a[1024], b[1024];

	start(0);
	fake.now += 25 * MINUTE;
	fake_answer(0, 403, EXPIRED);
	cr_assert_eq(told[0].calls, 0);
	cr_assert_eq(fake.n_posts, 2);
	token_of(0, a);
	token_of(1, b);
	cr_assert_str_neq(a, b);
	cr_assert_str_eq(fake.posts[0].url, fake.posts[1].url);
	cr_assert_str_eq(fake.posts[0].body, fake.posts[1].body);
	cr_assert_eq(fake.posts[1].timeout, 1, "its time is over");
	fake_answer(1, 403, EXPIRED);
	cr_assert_eq(told[0].calls, 1);
	cr_assert_eq(told[0].r.verdict, VERDICT_FAILED);
	cr_assert_str_eq(told[0].r.reason, "ExpiredProviderToken");
	cr_assert_eq(told[0].r.retry_after, 20 * MINUTE);
}

Test(push_apns, it_is_tried_once_more_and_not_again)
{
	start(0);
	fake.now += 20 * MINUTE;
	fake_answer(0, 403, EXPIRED);
	fake.now += 20 * MINUTE;
	fake_answer(1, 403, EXPIRED);
	cr_assert_eq(fake.n_posts, 2);
	cr_assert_eq(told[0].r.verdict, VERDICT_FAILED);
	cr_assert_eq(told[0].r.retry_after, 0);
}

Test(push_apns, a_young_token_is_kept)
{
	char a[1024], b[1024];

	start(0);
	fake.now += 5 * MINUTE;
	fake_answer(0, 403, EXPIRED);
	cr_assert_eq(fake.n_posts, 1);
	cr_assert_eq(told[0].r.verdict, VERDICT_FAILED);
	cr_assert_eq(told[0].r.retry_after, 15 * MINUTE);
	start(1);
	token_of(0, a);
	token_of(1, b);
	cr_assert_str_eq(a, b);
	fake_answer(1, 200, "");
}

Test(push_apns, others_that_had_sent_the_expired_token_try_the_new_one)
{
	start(0);
	start(1);
	fake.now += 20 * MINUTE;
	fake_answer(0, 403, EXPIRED);
	fake_answer(1, 403, EXPIRED);
	cr_assert_eq(fake.n_posts, 4);
	cr_assert(fake_has(3, "apns-priority: 10"));
	fake_answer(2, 200, "");
	fake_answer(3, 200, "");
	cr_assert_eq(told[0].r.verdict, VERDICT_DELIVERED);
	cr_assert_eq(told[1].r.verdict, VERDICT_DELIVERED);
}

Test(push_apns, shutdown_means_a_new_connection)
{
	start(0);
	fake_answer(0, 503, "{\"reason\":\"Shutdown\"}");
	cr_assert_eq(told[0].r.verdict, VERDICT_FAILED);
	cr_assert_str_eq(told[0].r.reason, "Shutdown");
	cr_assert_eq(fake.courier->renewed, 1);
	start(1);
	fake_answer(1, 503, "{\"reason\":\"ServiceUnavailable\"}");
	cr_assert_eq(fake.courier->renewed, 1);
}

Test(push_apns, gone_is_measured_from_when_the_pushkey_was_set)
{
	push.pushkey_ts = 1700000000;
	start(0);
	fake_answer(0, 410, "{\"reason\":\"Unregistered\",\"timestamp\":1699999999000}");
	cr_assert_eq(told[0].r.verdict, VERDICT_DROP);
	start(1);
	fake_answer(1, 410, "{\"reason\":\"Unregistered\",\"timestamp\":1700000001000}");
	cr_assert_eq(told[1].r.verdict, VERDICT_DEAD);
}

Test(push_apns, what_is_said_about_waiting)
{
	start(0);
	fake_answer_after(0, 503, "", "7");
	cr_assert_eq(told[0].r.retry_after, 7000);
	start(1);
	fake_answer_after(1, 429, "{\"reason\":\"TooManyProviderTokenUpdates\"}", "7");
	cr_assert_eq(told[1].r.retry_after, 60000, "not less than our own");
	cr_assert(told[1].r.whole_app);
}

Test(push_apns, an_answer_that_is_too_long)
{
	start(1);
	fake_answer_too_long(0, 200);
	cr_assert_eq(told[1].r.verdict, VERDICT_DELIVERED);
	cr_assert_eq(told[1].r.err, OK);
	start(2);
	fake_answer_too_long(1, 502);
	cr_assert_eq(told[2].r.verdict, VERDICT_FAILED);
	cr_assert_eq(told[2].r.status, 502);
}

Test(push_apns, no_answer)
{
	start(0);
	fake_fail(0, ERR_TLS);
	cr_assert_eq(told[0].r.verdict, VERDICT_FAILED);
	cr_assert_eq(told[0].r.err, ERR_TLS);
	cr_assert_eq(told[0].r.status, 0);
	cr_assert_str_eq(told[0].r.reason, "");
}

Test(push_apns, what_cannot_be_sent_is_said_later)
{
	static char large[8192];

	push.pushkey = STR("not a token");
	start(0);
	memset(large, 'c', sizeof(large));
	push.pushkey = STR(PUSHKEY);
	push.ciphertext = str_of(large, sizeof(large));
	start(1);
	provider_apns.cancel(start(2));
	fake_tasks();
	cr_assert_eq(fake.n_posts, 0);
	cr_assert_eq(told[0].calls + told[1].calls, 2);
	cr_assert_eq(told[2].calls, 0);
	cr_assert_eq(told[0].r.verdict, VERDICT_DROP);
	cr_assert_str_eq(told[0].r.reason, "BadDeviceToken");
	cr_assert_str_eq(told[1].r.reason, "PayloadTooLarge");
}

Test(push_apns, cancelled_means_that_nothing_waits_for_the_answer)
{
	struct attempt *a = provider_apns.send(provider, &push, EXPIRES, on_told, &told[0]);

	cr_assert(fake.posts[0].open);
	provider_apns.cancel(a);
	cr_assert(!fake.posts[0].open);
	fake_tasks();
	cr_assert_eq(told[0].calls, 0);
}

Test(push_apns, out_of_memory)
{
	fake.refuse = true;
	cr_assert_null(provider_apns.send(provider, &push, EXPIRES, on_told, &told[0]));
	fake.refuse = false;
	start(1);
	fake.refuse = true;
	fake.now += 20 * MINUTE;
	fake_answer(0, 403, EXPIRED);
	cr_assert_eq(told[1].r.verdict, VERDICT_FAILED);
	cr_assert_eq(told[0].calls, 0);
}

Test(push_apns, cancelled_and_closed_attempts_are_not_told)
{
	provider_apns.cancel(start(0));
	start(1);
	reopen();
	cr_assert_eq(told[0].calls + told[1].calls, 0);
}

/* --- privacy --- */

#define SECRETS \
	"\"sender\":\"@alice:hs.test\",\"body\":\"hello\",\"room_name\":\"Ward 7\",\"unread\":3"

Test(push_apns, nothing_but_the_ids_leaves) /* ML-123618-6, ML-123618-7 */
{
	static const char *const secrets[] = { "alice", "hello", "Ward", "sender", "unread",
		"badge", "highlight", "counts", "\"prio" };
	const struct device d = { .pushkey = STR(PUSHKEY),
		.data =
		    STR("{\"default_payload\":{\"aps\":{\"alert\":{\"body\":\"hello\","
			"\"loc-args\":[\"alice\"],\"loc-key\":\"NEW\"},\"badge\":3,"
			"\"mutable-content\":1}," SECRETS "},\"highlight\":true," SECRETS "}") };
	struct buf kept;

	buf_init(&kept, 1 << 16);
	cr_assert_eq(provider_apns.admit(&app, &d, &kept), ADMIT_OK);
	push.data = buf_str(&kept);
	start(0);
	buf_fini(&kept);
	cr_assert(fake_sent("\"event_id\":\"$e\""));
	cr_assert(fake_sent("\"room_id\":\"!r:hs.test\""));
	cr_assert(fake_sent("{\"aps\":{\"alert\":{\"loc-key\":\"NEW\"},\"mutable-content\":1},"));
	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++)
		cr_assert_not(fake_sent(secrets[i]), "%s", secrets[i]);
	fake_answer(0, 200, "");
}

Test(push_apns, who_is_admitted)
{
	static const struct {
		const char *pushkey, *data;
		enum admission want;
	} cases[] = {
		{ PUSHKEY, "", ADMIT_OK },
		{ PUSHKEY, "{}", ADMIT_OK },
		{ PUSHKEY, "{\"default_payload\":{}}", ADMIT_OK },
		{ PUSHKEY, "{\"default_payload\":[]}", ADMIT_REJECT },
		{ PUSHKEY, "{\"default_payload\":\"x\"}", ADMIT_REJECT },
		{ "not a token", "", ADMIT_REJECT },
		{ "", "", ADMIT_REJECT },
	};
	struct buf kept;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct device d = { .pushkey = str_z(cases[i].pushkey),
			.data = str_z(cases[i].data) };

		buf_init(&kept, 1 << 16);
		cr_assert_eq(provider_apns.admit(&app, &d, &kept), cases[i].want, "%zu", i);
		cr_assert_eq(buf_len(&kept), 0);
		buf_fini(&kept);
	}
}
