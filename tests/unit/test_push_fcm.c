/* SPDX-License-Identifier: Apache-2.0 */
/* Attempts at FCM: the message and what its answer means, the courier played by the test. */
#include <criterion/criterion.h>

#include "tests/unit/fcmlab.h"
#include "tests/unit/wallclock.h"

TestSuite(push_fcm, .init = fcmlab_begin, .fini = fcmlab_end);

/* --- the message and its answer --- */

Test(push_fcm, what_is_said_about_waiting)
{
	fcmlab_have_token();
	fcmlab_start(1);
	fake_answer_after(2, 429, "", "120");
	cr_assert_eq(fcmlab.told[1].r.verdict, VERDICT_BUSY);
	cr_assert(fcmlab.told[1].r.whole_app);
	cr_assert_eq(fcmlab.told[1].r.retry_after, 120000);
	fcmlab_start(2);
	fake_answer(3, 429, "");
	cr_assert_eq(fcmlab.told[2].r.retry_after, 60000);
	fcmlab_start(3);
	fake_answer(4, 503, "");
	cr_assert_eq(fcmlab.told[3].r.retry_after, 10000);
	fcmlab_start(4);
	fake_answer_after(5, 503, "", "3");
	cr_assert_eq(fcmlab.told[4].r.retry_after, 3000);
}

Test(push_fcm, is_kept_no_longer_than_it_is_wanted)
{
	fcmlab_have_token();
	fcmlab.expires = clock_wall_ms() + 10 * MINUTE + 999;
	fcmlab_start(1);
	cr_assert(strstr(fake.posts[2].body, "\"ttl\":\"600s\"") != NULL ||
		  strstr(fake.posts[2].body, "\"ttl\":\"59") != NULL);
	wallclock_shift_s = 3600;
	fcmlab_start(2);
	cr_assert_not_null(strstr(fake.posts[3].body, "\"ttl\":\"0s\""));
	wallclock_shift_s = 0;
	fake_answer(2, 200, "");
	fake_answer(3, 200, "");
}

Test(push_fcm, an_answer_that_is_too_long)
{
	fcmlab_have_token();
	fcmlab_start(1);
	fake_answer_too_long(2, 200);
	cr_assert_eq(fcmlab.told[1].r.verdict, VERDICT_DELIVERED);
	cr_assert_eq(fcmlab.told[1].r.err, OK);
	fcmlab_start(2);
	fake_answer_too_long(3, 502);
	cr_assert_eq(fcmlab.told[2].r.verdict, VERDICT_FAILED);
	cr_assert_eq(fcmlab.told[2].r.status, 502);
}

Test(push_fcm, what_cannot_be_sent_is_said_later)
{
	static char large[8192];

	memset(large, 'c', sizeof(large));
	fcmlab.push.ciphertext = str_of(large, sizeof(large));
	fcmlab_start(0);
	provider_fcm.cancel(fcmlab_start(1));
	fake_tasks();
	cr_assert_eq(fake.n_posts, 0);
	cr_assert_eq(fcmlab.told[0].r.verdict, VERDICT_DROP);
	cr_assert_str_eq(fcmlab.told[0].r.reason, "INVALID_ARGUMENT");
	cr_assert_eq(fcmlab.told[1].calls, 0);
}

Test(push_fcm, out_of_memory)
{
	fake.refuse = true;
	fcmlab_start(0); /* it waits for a token first */
	fake_tasks();
	cr_assert_eq(fcmlab.told[0].r.err, ERR_MEMORY);
	fake.refuse = false;
	fake.now += 1000;
	fcmlab_start(1);
	fake_tasks();
	fake.refuse = true;
	fake_answer(0, 200, GRANTED("one"));
	cr_assert_eq(fcmlab.told[1].r.err, ERR_MEMORY);
	cr_assert_null(provider_fcm.send(
	    fcmlab.provider, &fcmlab.push, fcmlab.expires, on_told, &fcmlab.told[2]));
}

static void
on_told_close(void *arg, const struct attempt_result *r)
{
	on_told(arg, r);
	provider_fcm.close(fcmlab.provider);
	fcmlab.provider = provider_fcm.open(&fcmlab.env, &fcmlab.app);
}

Test(push_fcm, closed_from_a_call)
{
	cr_assert_not_null(provider_fcm.send(
	    fcmlab.provider, &fcmlab.push, fcmlab.expires, on_told_close, &fcmlab.told[0]));
	fcmlab_start(1);
	fake_tasks();
	fake_answer(0, 503, "");
	cr_assert_eq(fcmlab.told[0].calls, 1);
	cr_assert_eq(fcmlab.told[1].calls, 0);
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

	fcmlab_have_token();
	buf_init(&kept, 1 << 16);
	cr_assert_eq(provider_fcm.admit(&fcmlab.app, &d, &kept), ADMIT_OK);
	fcmlab.push.data = buf_str(&kept);
	fcmlab_start(1);
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
		cr_assert_eq(provider_fcm.admit(&fcmlab.app, &d, &kept), cases[i].want, "%zu", i);
		buf_fini(&kept);
	}
}
