/* SPDX-License-Identifier: Apache-2.0 */
/* Pushes to UnifiedPush endpoints, the courier played by the test. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/base/buf.h"
#include "tests/unit/courier_fake.h"
#include "tests/unit/eceopen.h"

#define ENDPOINT "https://up.example/UP?t=1"

static char *endpoints[] = { (char *)(uintptr_t) "up.example" };
static struct app_conf app;
static const struct lookup_conf lookups = { .private_addresses = false };
static const struct delivery_conf delivery = { .connect_timeout = 5000, .request_timeout = 30000 };
static struct provider_env env;
static struct provider *provider;
static struct told told[8];
static struct ece_device device;
static struct buf kept;
static struct push push;

static void
begin(void)
{
	fake_begin();
	memset(told, 0, sizeof(told));
	app = (struct app_conf){ .id = (char *)(uintptr_t) "a.b", .provider = APP_UNIFIEDPUSH };
	env = (struct provider_env){ .lookups = &lookups, .delivery = &delivery };
	ece_device_make(&device);
	buf_init(&kept, 8192);
	provider = provider_unifiedpush.open(&env, &app);
	cr_assert_not_null(provider);
	push = (struct push){
		.pushkey = STR(ENDPOINT), .event_id = STR("$e"), .room_id = STR("!r:hs.test")
	};
}

static void
end(void)
{
	provider_unifiedpush.close(provider);
	ece_device_end(&device);
	buf_fini(&kept);
	fake_end();
	buf_drop_cache();
}

TestSuite(push_unifiedpush, .init = begin, .fini = end);

static enum admission
admit(const char *pushkey, const char *data)
{
	const struct device d = { .pushkey = str_z(pushkey), .data = str_z(data) };

	buf_consume(&kept, buf_len(&kept));
	return provider_unifiedpush.admit(&app, &d, &kept);
}

static const char *
keys(void)
{
	static char text[256];

	snprintf(text, sizeof(text), "{\"auth\":\"%s\",\"p256dh\":\"%s\",\"z\":1}", device.auth,
	    device.p256dh);
	return text;
}

/* --- who is admitted --- */

Test(push_unifiedpush, takes_https_endpoints_of_allowed_hosts)
{
	cr_assert_eq(admit(ENDPOINT, ""), ADMIT_OK);
	cr_assert_eq(admit(ENDPOINT, "{\"format\":\"event_id_only\"}"), ADMIT_OK);
	cr_assert_eq(buf_len(&kept), 0);
	cr_assert_eq(admit("http://up.example/", ""), ADMIT_REJECT);
	cr_assert_eq(admit("https://u@up.example/", ""), ADMIT_REJECT);
	cr_assert_eq(admit("key", ""), ADMIT_REJECT);
	app.unifiedpush.endpoints = (struct conf_list){ endpoints, 1 };
	cr_assert_eq(admit(ENDPOINT, ""), ADMIT_OK);
	cr_assert_eq(admit("https://up.example.org/", ""), ADMIT_REJECT);
}

Test(push_unifiedpush, takes_keys_if_they_are_good)
{
	char want[256];

	cr_assert_eq(admit(ENDPOINT, keys()), ADMIT_OK);
	snprintf(
	    want, sizeof(want), "{\"auth\":\"%s\",\"p256dh\":\"%s\"}", device.auth, device.p256dh);
	cr_assert(str_eq(buf_str(&kept), str_z(want)));
	snprintf(want, sizeof(want), "{\"auth\":\"%s\"}", device.auth);
	cr_assert_eq(admit(ENDPOINT, want), ADMIT_REJECT, "it would go unencrypted");
	cr_assert_eq(admit(ENDPOINT, "{\"p256dh\":7}"), ADMIT_REJECT);
}

/* --- what is sent --- */

static void
start(size_t i)
{
	told[i] = (struct told){ 0 };
	cr_assert_not_null(
	    provider_unifiedpush.send(provider, &push, INT64_MAX, on_told, &told[i]));
	cr_assert_eq(told[i].calls, 0, "called from within send()");
}

static struct str
body(size_t i)
{
	return str_of(fake.posts[i].body, fake.posts[i].body_n);
}

/* ML-123618-6, ML-123618-7 */
Test(push_unifiedpush, tells_event_and_room_alone)
{
	start(0);
	cr_assert_str_eq(fake.posts[0].url, ENDPOINT);
	cr_assert(fake_has(0, "Content-Type: application/json"));
	cr_assert_not_null(fake_field(0, "TTL: "));
	cr_assert(fake_has(0, "Urgency: high"));
	cr_assert_null(fake_field(0, "Authorization"));
	cr_assert(str_eq(str_strip(body(0)),
	    STR("{\"notification\":{\"event_id\":\"$e\",\"room_id\":\"!r:hs.test\"}}")));
	cr_assert_eq(body(0).n, 1024, "all of them are of one length");
	fake_answer(0, 200, "");
	cr_assert_eq(told[0].r.verdict, VERDICT_DELIVERED);
}

Test(push_unifiedpush, encrypts_for_those_that_have_keys)
{
	char text[ECE_TEXT_MAX + 1];

	cr_assert_eq(admit(ENDPOINT, keys()), ADMIT_OK);
	push.data = buf_str(&kept);
	start(0);
	cr_assert(fake_has(0, "Content-Encoding: aes128gcm"));
	cr_assert(!fake_sent("hs.test"));
	cr_assert(!fake_sent("notification"));
	cr_assert(ece_open(&device, body(0), text));
	cr_assert_str_eq(
	    text, "{\"notification\":{\"event_id\":\"$e\",\"room_id\":\"!r:hs.test\"}}");
	fake_answer(0, 201, "");
}

Test(push_unifiedpush, sends_at_most_4096_bytes)
{
	static char cipher[4096];
	const size_t around = strlen("{\"notification\":{\"ciphertext\":\"\"}}");

	push.event_id = push.room_id = STR_NONE;
	push.ciphertext = str_of(memset(cipher, 'c', sizeof(cipher)), 4096 - around);
	start(0);
	cr_assert_eq(body(0).n, 4096);
	fake_answer(0, 200, "");
	push.ciphertext.n++;
	start(1);
	fake_tasks();
	cr_assert_eq(fake.n_posts, 1);
	cr_assert_eq(told[1].r.verdict, VERDICT_DROP);
	cr_assert_str_eq(told[1].r.reason, "too_large");
}

/* By UnifiedPush's convention 401 to 404 mean that there is no such endpoint; see webpost.c. */
Test(push_unifiedpush, believes_at_once_what_no_guard_in_front_would_say)
{
	static const struct {
		int status;
		enum verdict verdict;
	} answers[] = { { 401, VERDICT_SUSPECT }, { 402, VERDICT_SUSPECT },
		{ 403, VERDICT_SUSPECT }, { 404, VERDICT_DEAD }, { 410, VERDICT_DEAD },
		{ 413, VERDICT_DROP }, { 429, VERDICT_BUSY }, { 502, VERDICT_FAILED } };

	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		start(0);
		fake_answer(i, answers[i].status, "");
		cr_assert_eq(told[0].r.verdict, answers[i].verdict, "%d", answers[i].status);
	}
}

static bool
is_crowded(const char *endpoint)
{
	const struct push p = { .pushkey = str_z(endpoint) };

	return provider_unifiedpush.crowded(provider, &p);
}

/* Else one server that never answers would hold up all others. */
Test(push_unifiedpush, gives_each_host_its_share_of_the_requests)
{
	struct attempt *a;

	app.host_concurrency = 2;
	start(0);
	cr_assert(!is_crowded(ENDPOINT));
	a = provider_unifiedpush.send(provider, &push, INT64_MAX, on_told, &told[1]);
	cr_assert_not_null(a);
	cr_assert(is_crowded(ENDPOINT));
	cr_assert(is_crowded("HTTPS://UP.Example:8443/else"), "the same host");
	cr_assert(!is_crowded("https://else.example/"));
	cr_assert(!is_crowded("no URL"), "send() says so");
	provider_unifiedpush.cancel(a);
	cr_assert(!is_crowded(ENDPOINT));
	start(2);
	cr_assert(is_crowded(ENDPOINT));
	fake_fail(0, ERR_TIMEOUT);
	cr_assert(!is_crowded(ENDPOINT));
	fake.refuse = true;
	cr_assert_null(provider_unifiedpush.send(provider, &push, INT64_MAX, on_told, &told[3]));
	cr_assert(!is_crowded(ENDPOINT));
	fake_answer(2, 200, "");
}

Test(push_unifiedpush, does_not_send_where_it_is_no_longer_allowed)
{
	endpoints[0] = (char *)(uintptr_t) "else.example";
	app.unifiedpush.endpoints = (struct conf_list){ endpoints, 1 };
	start(0);
	fake_tasks();
	cr_assert_eq(told[0].r.verdict, VERDICT_DROP);
	cr_assert_eq(fake.n_posts, 0);
}
