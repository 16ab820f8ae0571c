/* SPDX-License-Identifier: Apache-2.0 */
/* Lanes as a configuration says: with all providers, and whole or not at all. */
#include <criterion/criterion.h>

#include "pushgw/delivery/lanes.h"
#include "tests/unit/pushconf.h"
#include "tests/unit/shortage.h"

#define APPS \
	"apps:\n" \
	"  - id: a\n" \
	"    provider: apns\n" \
	"    apns: { key_file: p256.key, key_id: ABCDE12345, team_id: FGHIJ67890, topic: org.a " \
	"}\n" \
	"  - { id: b, provider: apns, apns: { certificate: push.pem, topic: org.b } }\n" \
	"  - { id: c, provider: fcm, fcm: { service_account_file: fcm.json } }\n" \
	"  - { id: d, provider: webpush, webpush: { contact: \"mailto:a@example.org\",\n" \
	"      vapid_key_file: p256.key } }\n" \
	"  - { id: e, provider: unifiedpush }\n" \
	"proxy: 127.0.0.1:3128\n"

static struct loop *loop;

static void
setup(void)
{
	pushconf_start();
	loop = loop_new(NULL);
	cr_assert_not_null(loop);
}

static void
teardown(void)
{
	loop_free(loop);
	pushconf_finish();
}

TestSuite(push_lanes, .init = setup, .fini = teardown);

static void
close_lanes(struct lanes *s)
{
	lanes_close(s);
	loop_turn(loop);
}

Test(push_lanes, there_is_one_for_each_app)
{
	static const enum app_provider providers[] = { APP_APNS, APP_APNS, APP_FCM, APP_WEBPUSH,
		APP_UNIFIEDPUSH };
	struct pushgw_conf *conf = pushconf_good(APPS);
	struct lanes *s = lanes_open(loop, conf);

	cr_assert_not_null(s);
	cr_assert_eq(s->n, 5);
	for (size_t i = 0; i < s->n; i++) {
		cr_assert_eq(s->v[i].app, &conf->apps[i]);
		cr_assert_eq(s->v[i].type, provider_of(providers[i]));
		cr_assert_not_null(s->v[i].provider);
		cr_assert_str_eq(s->names[i], conf->apps[i].id);
		cr_assert_gt(s->v[i].breaker.window, 0);
	}
	cr_assert_str_eq(s->proxy.host, "127.0.0.1");
	cr_assert_eq(s->proxy.port, 3128);
	snapshot_drop(&conf->service.snap);
	cr_assert_eq(s->conf, conf, "it holds what it needs");
	close_lanes(s);
}

/* Whatever allocation fails: nothing is left over, and the next attempt works. */
Test(push_lanes, whole_or_not_at_all)
{
	struct pushgw_conf *conf = pushconf_good(APPS);
	unsigned refused = 0;
	bool failed = true;
	struct lanes *s;

	for (unsigned after = 0; failed; after++) {
		shortage_begin(after);
		s = lanes_open(loop, conf);
		failed = shortage_end();
		refused += s == NULL;
		cr_assert(failed || s != NULL);
		lanes_close(s);
		loop_turn(loop);
	}
	cr_assert_gt(refused, 20);
	cr_assert_eq(atomic_load(&conf->service.snap.refs), 1);
	snapshot_drop(&conf->service.snap);
}
