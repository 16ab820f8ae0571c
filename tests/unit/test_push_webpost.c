/* SPDX-License-Identifier: Apache-2.0 */
/* Pushes over the real courier to a server of ours, which is any Web Push or UnifiedPush server. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "pushgw/providers/provider.h"
#include "tests/unit/eceopen.h"
#include "tests/unit/lab.h"
#include "tests/unit/pki.h"
#include "tests/unit/webd.h"

static struct webd server;
static struct loop *loop;
static struct resolver *resolver;
static struct app_conf app;
static struct lookup_conf lookups = { .private_addresses = true };
static const struct delivery_conf delivery = { .connect_timeout = LAB_PATIENCE_MS,
	.request_timeout = LAB_PATIENCE_MS };
static struct provider_env env;
static struct ece_device device;
static char url[128], pusher[512];
static struct push push;
static struct attempt_result result;
static unsigned calls;

static void
begin(void)
{
	static const struct resolver_host hosts[] = { { "test", "127.0.0.1" } };
	const struct resolver_config rc = { .hosts = hosts, .n_hosts = 1 };

	loop = loop_new(NULL);
	webd_open(&server, loop);
	server.status = 201;
	resolver = resolver_new(loop, &rc);
	ece_device_make(&device);
	app = (struct app_conf){ .id = (char *)(uintptr_t) "a.b",
		.webpush = { .contact = (char *)(uintptr_t) "mailto:a@example.org",
		    .ttl = 1000,
		    .key = pki_key(PKI_P256) } };
	env = (struct provider_env){ .loop = loop,
		.resolver = resolver,
		.lookups = &lookups,
		.anchors = server.anchors,
		.delivery = &delivery };
	snprintf(url, sizeof(url), "https://test:%u/1", server.port);
	snprintf(pusher, sizeof(pusher), "{\"auth\":\"%s\",\"endpoint\":\"%s\"}", device.auth, url);
	push = (struct push){ .event_id = STR("$e"), .room_id = STR("!r:hs.test") };
}

static void
end(void)
{
	webd_close(&server);
	lab_turn(loop);
	resolver_free(resolver);
	loop_free(loop);
	ece_device_end(&device);
	EVP_PKEY_free(app.webpush.key);
	buf_drop_cache();
	arena_drop_cache();
}

TestSuite(push_webpost, .init = begin, .fini = end);

static void
on_result(void *arg, const struct attempt_result *r)
{
	(void)arg;
	result = *r;
	calls++;
}

static void
run(const struct provider_type *type)
{
	struct provider *p = type->open(&env, &app);

	cr_assert_not_null(p);
	calls = 0;
	cr_assert_not_null(type->send(p, &push, INT64_MAX, on_result, NULL));
	UNTIL(loop, calls == 1);
	type->close(p);
}

Test(push_webpost, a_push_reaches_a_browser)
{
	const struct webd_request *r = &server.requests[0];
	char text[ECE_TEXT_MAX + 1];

	push.pushkey = str_z(device.p256dh);
	push.data = str_z(pusher);
	run(&provider_webpush);
	cr_assert_eq(result.verdict, VERDICT_DELIVERED);
	cr_assert_eq(result.status, 201);
	cr_assert_eq(server.counts[HTTP_H2], 1);
	cr_assert_str_eq(r->method, "POST");
	cr_assert_str_eq(r->target, "/1");
	cr_assert_str_eq(webd_field(r, "content-encoding"), "aes128gcm");
	cr_assert_str_eq(webd_field(r, "ttl"), "1");
	cr_assert_eq(strncmp(webd_field(r, "authorization"), "vapid t=", 8), 0);
	cr_assert(ece_open(&device, str_of(r->body, r->body_n), text));
	cr_assert_str_eq(text, "{\"event_id\":\"$e\",\"room_id\":\"!r:hs.test\"}");
}

Test(push_webpost, a_push_reaches_a_unifiedpush_server_that_speaks_http_1_1)
{
	const struct webd_request *r = &server.requests[0];

	server.h1 = true;
	push.pushkey = str_z(url);
	run(&provider_unifiedpush);
	cr_assert_eq(result.verdict, VERDICT_DELIVERED);
	cr_assert_eq(server.counts[HTTP_H1], 1);
	cr_assert_str_eq(webd_field(r, "content-type"), "application/json");
	cr_assert(str_eq(str_strip(str_of(r->body, r->body_n)),
	    STR("{\"notification\":{\"event_id\":\"$e\",\"room_id\":\"!r:hs.test\"}}")));
}

Test(push_webpost, the_status_counts_however_long_the_answer_is)
{
	static char page[20000];

	server.status = 410;
	server.body = str_of(memset(page, 'x', sizeof(page)), sizeof(page));
	push.pushkey = str_z(url);
	run(&provider_unifiedpush);
	cr_assert_eq(result.verdict, VERDICT_DEAD);
	cr_assert_eq(result.status, 410);
}

Test(push_webpost, no_push_goes_to_an_address_that_is_not_public)
{
	lookups.private_addresses = false;
	push.pushkey = str_z(url);
	run(&provider_unifiedpush);
	cr_assert_eq(result.verdict, VERDICT_DROP);
	cr_assert_eq(result.err, ERR_ADDRESS);
	cr_assert_eq(server.counts[HTTP_OPENED], 0);
}

Test(push_webpost, a_redirect_leads_nowhere)
{
	server.status = 308;
	server.fields = "Location: https://127.0.0.1/\r\n";
	push.pushkey = str_z(url);
	run(&provider_unifiedpush);
	cr_assert_eq(result.verdict, VERDICT_DROP);
	cr_assert_eq(server.n, 1);
}
