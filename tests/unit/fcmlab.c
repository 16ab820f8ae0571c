/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/fcmlab.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/buf.h"
#include "tests/unit/wallclock.h"

static char *allowed[] = { (char *)(uintptr_t) "kind", (char *)(uintptr_t) "from" };
static const struct lookup_conf lookups = { .private_addresses = true };
static const struct delivery_conf delivery = {
	.retry_min = 1000, .retry_max = 5000, .connect_timeout = 5000, .request_timeout = 30000
};
struct fcmlab fcmlab;

void
fcmlab_begin(void)
{
	fake_begin();
	memset(fcmlab.told, 0, sizeof(fcmlab.told));
	fcmlab.app = (struct app_conf){ .id = (char *)(uintptr_t) "a.b",
		.provider = APP_FCM,
		.fcm = { .url = (char *)(uintptr_t) "https://fcm.test",
		    .project_id = (char *)(uintptr_t) "tim-1",
		    .ttl = 15 * MINUTE,
		    .payload = { allowed, 2 },
		    .client_email = (char *)(uintptr_t) "push@tim-1.test",
		    .key_id = (char *)(uintptr_t) "0123abc",
		    .token_url = (char *)(uintptr_t)TOKEN_URL,
		    .key = EVP_RSA_gen(2048) } };
	fcmlab.env = (struct provider_env){ .lookups = &lookups, .delivery = &delivery };
	fcmlab.provider = provider_fcm.open(&fcmlab.env, &fcmlab.app);
	cr_assert_not_null(fcmlab.provider);
	fcmlab.push = (struct push){
		.pushkey = STR("phone:1"), .event_id = STR("$e"), .room_id = STR("!r:hs.test")
	};
	fcmlab.expires = clock_wall_ms() + 24 * 3600 * 1000;
}

void
fcmlab_end(void)
{
	provider_fcm.close(fcmlab.provider);
	EVP_PKEY_free(fcmlab.app.fcm.key);
	fake_end();
	arena_drop_cache();
	buf_drop_cache();
}

struct attempt *
fcmlab_start(size_t i)
{
	struct attempt *a = provider_fcm.send(
	    fcmlab.provider, &fcmlab.push, fcmlab.expires, on_told, &fcmlab.told[i]);

	cr_assert_not_null(a);
	cr_assert_eq(fcmlab.told[i].calls, 0, "called from within send()");
	return a;
}

bool
fcmlab_is_exchange(size_t i)
{
	cr_assert_lt(i, fake.n_posts);
	return strcmp(fake.posts[i].url, TOKEN_URL) == 0;
}

bool
fcmlab_is_send(size_t i, const char *token)
{
	char field[256];

	cr_assert_lt(i, fake.n_posts);
	snprintf(field, sizeof(field), "Authorization: Bearer %s", token);
	return strcmp(fake.posts[i].url, SEND_URL) == 0 && fake_has(i, field);
}

/* The fcmlab.provider has the token "one" from now on; two requests were made. */
void
fcmlab_have_token(void)
{
	fcmlab_start(0);
	fake_tasks();
	fake_answer(0, 200, GRANTED("one"));
	fake_answer(1, 200, "");
	cr_assert_eq(fcmlab.told[0].r.verdict, VERDICT_DELIVERED);
}
