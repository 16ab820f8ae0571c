/* SPDX-License-Identifier: Apache-2.0 */
/* Pushes to Web Push endpoints, the courier played by the test. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "pushgw/providers/vapid.h"
#include "tests/unit/courier_fake.h"
#include "tests/unit/eceopen.h"
#include "tests/unit/pki.h"

#define ENDPOINT "https://push.example/wp/1?x=y"

static char *endpoints[] = { (char *)(uintptr_t) "*.push.example",
	(char *)(uintptr_t) "push.example" };
static struct app_conf app;
static const struct lookup_conf lookups = { .private_addresses = false };
static const struct delivery_conf delivery = { .connect_timeout = 5000, .request_timeout = 30000 };
static struct provider_env env;
static struct provider *provider;
static struct told told[8];
static struct ece_device device;
static struct buf kept;
static struct push push;

static struct device
pusher(const char *data)
{
	return (struct device){
		.app_id = STR("a.b"), .pushkey = str_z(device.p256dh), .data = str_z(data)
	};
}

static enum admission
admit(const char *data)
{
	struct device d = pusher(data);

	buf_consume(&kept, buf_len(&kept));
	return provider_webpush.admit(&app, &d, &kept);
}

/* The data of a pusher with its right `auth`, and more members in front of that of the same or
 * another kind. */
static const char *
data(const char *more)
{
	static char text[4096];

	snprintf(text, sizeof(text), "{%s\"auth\":\"%s\",\"endpoint\":\"" ENDPOINT "\"}", more,
	    device.auth);
	return text;
}

static void
open_provider(void)
{
	provider = provider_webpush.open(&env, &app);
	cr_assert_not_null(provider);
}

static void
begin(void)
{
	fake_begin();
	memset(told, 0, sizeof(told));
	app = (struct app_conf){ .id = (char *)(uintptr_t) "a.b",
		.provider = APP_WEBPUSH,
		.webpush = { .contact = (char *)(uintptr_t) "mailto:a@example.org",
		    .vapid_key_file = (char *)(uintptr_t) "/vapid.pem",
		    .ttl = 900000,
		    .key = pki_key(PKI_P256) } };
	env = (struct provider_env){ .lookups = &lookups, .delivery = &delivery };
	ece_device_make(&device);
	buf_init(&kept, 8192);
	open_provider();
	cr_assert_eq(admit(data("")), ADMIT_OK);
	push = (struct push){ .pushkey = str_z(device.p256dh),
		.event_id = STR("$e"),
		.room_id = STR("!r:hs.test"),
		.data = buf_str(&kept) };
}

static void
end(void)
{
	provider_webpush.close(provider);
	EVP_PKEY_free(app.webpush.key);
	ece_device_end(&device);
	buf_fini(&kept);
	fake_end();
	arena_drop_cache();
	buf_drop_cache();
}

TestSuite(push_webpush, .init = begin, .fini = end);

/* --- who is admitted --- */

Test(push_webpush, keeps_of_a_pusher_what_is_needed_to_send)
{
	char want[4096];

	cr_assert_eq(
	    admit(data("\"url\":\"https://gw/\",\"default_payload\":{\"x\":1},\"events_only\":true,"
		       "\"only_last_per_room\":true,")),
	    ADMIT_OK);
	snprintf(want, sizeof(want),
	    "{\"auth\":\"%s\",\"endpoint\":\"" ENDPOINT "\",\"only_last_per_room\":true}",
	    device.auth);
	cr_assert(str_eq(buf_str(&kept), str_z(want)), STR_FMT, STR_ARG(buf_str(&kept)));
}

Test(push_webpush, rejects_pushers_to_whom_nothing_can_be_sent)
{
	static const char *const bad[] = { "\"auth\":\"AAAA\",\"endpoint\":\"" ENDPOINT "\"",
		"\"auth\":7,\"endpoint\":\"" ENDPOINT "\"", "\"endpoint\":\"" ENDPOINT "\"" };
	static const char *const bad_endpoints[] = { "7", "{\"x\":\"" ENDPOINT "\"}", "\"\"",
		"\"http://push.example/\"", "\"https://u:p@push.example/\"",
		"\"https://push.example/\\\"\"", "\"https:\\/\\/push.example/\"" };
	struct device d;
	char text[512];

	cr_assert_eq(admit(""), ADMIT_REJECT);
	cr_assert_eq(admit("{}"), ADMIT_REJECT);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text), "{%s}", bad[i]);
		cr_assert_eq(admit(text), ADMIT_REJECT, "%s", text);
	}
	for (size_t i = 0; i < sizeof(bad_endpoints) / sizeof(*bad_endpoints); i++) {
		snprintf(text, sizeof(text), "{\"auth\":\"%s\",\"endpoint\":%s}", device.auth,
		    bad_endpoints[i]);
		cr_assert_eq(admit(text), ADMIT_REJECT, "%s", text);
	}
	cr_assert_eq(buf_len(&kept), 0);
	d = pusher(data(""));
	d.pushkey.n--;
	cr_assert_eq(provider_webpush.admit(&app, &d, &kept), ADMIT_REJECT);
}

Test(push_webpush, goes_to_allowed_hosts_only)
{
	char text[512];

	app.webpush.endpoints = (struct conf_list){ endpoints, 2 };
	cr_assert_eq(admit(data("")), ADMIT_OK);
	snprintf(text, sizeof(text),
	    "{\"auth\":\"%s\",\"endpoint\":\"https://other.example/push.example\"}", device.auth);
	cr_assert_eq(admit(text), ADMIT_REJECT);
}

Test(push_webpush, does_not_send_where_it_is_no_longer_allowed)
{
	endpoints[0] = endpoints[1] = (char *)(uintptr_t) "else.example";
	app.webpush.endpoints = (struct conf_list){ endpoints, 2 };
	cr_assert_not_null(provider_webpush.send(provider, &push, 0, on_told, &told[0]));
	cr_assert_eq(told[0].calls, 0);
	fake_tasks();
	cr_assert_eq(told[0].r.verdict, VERDICT_DROP);
	cr_assert_eq(fake.n_posts, 0);
}

/* --- what is sent --- */

static void
start(size_t i)
{
	told[i] = (struct told){ 0 };
	cr_assert_not_null(provider_webpush.send(provider, &push, INT64_MAX, on_told, &told[i]));
	cr_assert_eq(told[i].calls, 0, "called from within send()");
}

static const char *
text_of(size_t i)
{
	static char text[ECE_TEXT_MAX + 1];

	cr_assert(ece_open(&device, str_of(fake.posts[i].body, fake.posts[i].body_n), text));
	return text;
}

/* ML-123618-6, ML-123618-7 */
Test(push_webpush, tells_the_device_event_and_room_alone_and_the_service_neither)
{
	push.prio = PUSH_LOW;
	start(0);
	cr_assert_eq(fake.n_posts, 1);
	cr_assert_str_eq(fake.posts[0].url, ENDPOINT);
	cr_assert_str_eq(text_of(0), "{\"event_id\":\"$e\",\"room_id\":\"!r:hs.test\"}");
	cr_assert(!fake_sent("hs.test"));
	cr_assert(!fake_sent("event_id"));
	cr_assert(!fake_sent(device.p256dh));
	cr_assert(!fake_sent(device.auth));
	fake_answer(0, 201, "");
	cr_assert_eq(told[0].calls, 1);
	cr_assert_eq(told[0].r.verdict, VERDICT_DELIVERED);
	cr_assert_eq(told[0].r.status, 201);
}

Test(push_webpush, hands_what_the_homeserver_encrypted_to_the_device)
{
	push.event_id = push.room_id = STR_NONE;
	push.ephemeral = STR("eph");
	push.ciphertext = STR("cipher");
	push.mac = STR("mac");
	start(0);
	cr_assert_str_eq(
	    text_of(0), "{\"ephemeral\":\"eph\",\"ciphertext\":\"cipher\",\"mac\":\"mac\"}");
	fake_answer(0, 201, "");
}

Test(push_webpush, a_request_with_all_its_fields)
{
	start(0);
	cr_assert(fake_has(0, "TTL: 900"));
	cr_assert(fake_has(0, "Urgency: high"));
	cr_assert(fake_has(0, "Content-Encoding: aes128gcm"));
	cr_assert(fake_has(0, "Content-Type: application/octet-stream"));
	cr_assert_not_null(fake_field(0, "Authorization: vapid t="));
	cr_assert_null(fake_field(0, "Topic:"));
	cr_assert_eq(fake.posts[0].timeout, delivery.request_timeout);
	fake_answer(0, 201, "");
	push.prio = PUSH_LOW;
	cr_assert_not_null(provider_webpush.send(provider, &push, 1, on_told, &told[1]));
	cr_assert(fake_has(1, "Urgency: low"));
	cr_assert(fake_has(1, "TTL: 0"), "it need not be kept any more");
	fake_answer(1, 201, "");
}

Test(push_webpush, all_messages_are_of_one_length)
{
	static char room[200] = "!";

	start(0);
	memset(room + 1, 'r', sizeof(room) - 1);
	push.room_id = str_of(room, sizeof(room));
	start(1);
	push.event_id = STR_NONE;
	start(2);
	cr_assert_eq(fake.posts[0].body_n, 1024 + 103);
	cr_assert_eq(fake.posts[1].body_n, fake.posts[0].body_n);
	cr_assert_eq(fake.posts[2].body_n, fake.posts[0].body_n);
	for (size_t i = 0; i < 3; i++)
		fake_answer(i, 201, "");
}

Test(push_webpush, drops_what_no_push_service_takes)
{
	static char cipher[4000];

	push.ciphertext = str_of(memset(cipher, 'c', sizeof(cipher)), sizeof(cipher));
	start(0);
	fake_tasks();
	cr_assert_eq(told[0].r.verdict, VERDICT_DROP);
	cr_assert_str_eq(told[0].r.reason, "too_large");
	push.ciphertext.n = 3900;
	start(1);
	cr_assert_eq(fake.posts[0].body_n, ECE_BODY_MAX);
	fake_answer(0, 201, "");
}

static enum admission
admit_counts(const char *more)
{
	struct device d = pusher(data(more));

	buf_consume(&kept, buf_len(&kept));
	d.counts_only = true;
	return provider_webpush.admit(&app, &d, &kept);
}

Test(push_webpush, wakes_no_browser_for_counts_alone_if_pusher_or_setting_say_so)
{
	cr_assert_eq(admit_counts(""), ADMIT_OK);
	cr_assert_eq(admit_counts("\"events_only\":true,"), ADMIT_DROP);
	cr_assert_eq(admit(data("\"events_only\":true,")), ADMIT_OK);
	app.webpush.events_only = true;
	cr_assert_eq(admit_counts(""), ADMIT_DROP);
	cr_assert_eq(admit_counts("\"events_only\":false,"), ADMIT_OK);
	cr_assert_eq(admit(data("")), ADMIT_OK);
}

static const char *
topic(size_t i)
{
	static char text[8][33];

	cr_assert_eq(sscanf(fake_field(i, "Topic: "), "%32[A-Za-z0-9_-]\n", text[i]), 1);
	cr_assert_eq(strlen(text[i]), 32);
	return text[i];
}

Test(push_webpush, the_last_of_a_room_replaces_others_if_the_pusher_says_so)
{
	struct ece_device other;

	ece_device_make(&other);
	cr_assert_eq(admit(data("\"only_last_per_room\":true,")), ADMIT_OK);
	push.data = buf_str(&kept);
	start(0);
	push.event_id = STR("$other");
	start(1);
	cr_assert_str_eq(topic(0), topic(1));
	push.room_id = STR("!r2:hs.test");
	start(2);
	cr_assert_str_neq(topic(0), topic(2));
	push.room_id = STR("!r:hs.test");
	push.pushkey = str_z(other.p256dh);
	start(3);
	cr_assert_str_neq(topic(0), topic(3), "it would tell who is in the same room");
	for (size_t i = 0; i < 4; i++)
		fake_answer(i, 201, "");
	provider_webpush.close(provider);
	open_provider();
	push.pushkey = str_z(device.p256dh);
	start(4);
	cr_assert_str_eq(topic(0), topic(4), "another gateway with the same key makes the same");
	fake_answer(4, 201, "");
	ece_device_end(&other);
}

/* --- what comes of it --- */

static const struct {
	int status;
	const char *retry_after;
	enum verdict verdict;
	clock_ms wait;
} answers[] = {
	{ 200, "", VERDICT_DELIVERED, 0 },
	{ 202, "", VERDICT_DELIVERED, 0 },
	{ 204, "", VERDICT_DELIVERED, 0 },
	{ 307, "", VERDICT_DROP, 0 },
	{ 400, "", VERDICT_DROP, 0 },
	{ 401, "", VERDICT_SUSPECT, 0 },
	{ 403, "", VERDICT_SUSPECT, 0 },
	{ 404, "", VERDICT_DEAD, 0 },
	{ 405, "", VERDICT_DROP, 0 },
	{ 408, "", VERDICT_FAILED, 0 },
	{ 410, "", VERDICT_DEAD, 0 },
	{ 413, "", VERDICT_DROP, 0 },
	{ 429, "120", VERDICT_BUSY, 120000 },
	{ 429, "", VERDICT_BUSY, 0 },
	{ 500, "", VERDICT_FAILED, 0 },
	{ 503, "7", VERDICT_FAILED, 7000 },
	{ 100, "", VERDICT_FAILED, 0 },
};

Test(push_webpush, an_answer_means)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		start(0);
		fake_answer_after(
		    i, answers[i].status, "text of the server", answers[i].retry_after);
		cr_assert_eq(told[0].r.verdict, answers[i].verdict, "%d", answers[i].status);
		cr_assert_eq(told[0].r.retry_after, answers[i].wait, "%d", answers[i].status);
		cr_assert(!told[0].r.whole_app, "it is one of many servers");
		cr_assert_eq(told[0].r.err, OK);
	}
}

Test(push_webpush, no_answer_is_a_failure_an_address_that_must_not_be_none)
{
	start(0);
	fake_fail(0, ERR_TIMEOUT);
	cr_assert_eq(told[0].r.verdict, VERDICT_FAILED);
	cr_assert_eq(told[0].r.err, ERR_TIMEOUT);
	start(1);
	fake_fail(1, ERR_ADDRESS);
	cr_assert_eq(told[1].r.verdict, VERDICT_DROP);
}

Test(push_webpush, memory_may_be_short_and_attempts_cancelled)
{
	struct attempt *a;

	fake.refuse = true;
	cr_assert_null(provider_webpush.send(provider, &push, 0, on_told, &told[0]));
	fake.refuse = false;
	a = provider_webpush.send(provider, &push, 0, on_told, &told[0]);
	provider_webpush.cancel(a);
	start(0); /* ends with its provider */
	push.data = STR("{}");
	start(0); /* likewise */
}
