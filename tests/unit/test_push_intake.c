/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of each device of a notification (FD-5.2.3-1, FD-5.2.3-2, ML-123618-1, -6, -7). */
#include <criterion/criterion.h>

#include "notify_fakes.h"
#include "pushgw/notify/intake.h"

#define ANSWER_MAX 65536

static struct arena arena;
static struct buf out;
static struct intake in;

static void
begin(void)
{
	fakes_reset();
	arena_init(&arena, 1 << 20);
	buf_init(&out, ANSWER_MAX);
	cr_assert(series_declare());
}

static void
end(void)
{
	buf_fini(&out);
	arena_fini(&arena);
}

TestSuite(push_intake, .init = begin, .fini = end);

/* `inner`: members of the notification. */
static void
take(const char *inner)
{
	static char body[ANSWER_MAX];
	struct notification n;

	snprintf(body, sizeof(body), "{\"notification\":{%s}}", inner);
	cr_assert_eq(
	    notification_read(&arena, &fakes_conf.notify, str_z(body), &n), OK, "%s", inner);
	cr_assert_eq(intake_sort(&arena, &fakes_conf, &n, 1795302244123, &in), OK);
}

static void
answer_is(const enum delayq_outcome *of, const char *rejected)
{
	static char text[ANSWER_MAX];

	snprintf(text, sizeof(text), "{\"rejected\":[%s]}", rejected);
	buf_consume(&out, buf_len(&out));
	cr_assert(intake_finish(&in, of, &out));
	cr_assert(
	    str_eq(buf_str(&out), str_z(text)), STR_FMT " is not %s", STR_ARG(buf_str(&out)), text);
}

static bool
is(struct str s, const char *text)
{
	return str_eq(s, str_z(text));
}

#define EVENT "\"event_id\":\"$e\",\"room_id\":\"!r\""

Test(push_intake, a_push_is_the_ids_and_where_it_goes)
{
	const enum delayq_outcome of[] = { DELAYQ_QUEUED };
	const struct push *p;

	seen.kept = "{\"aps\":{}}";
	take(EVENT ",\"prio\":\"low\",\"sender\":\"@alice:hs\",\"content\":{\"body\":\"hello\"},"
		   "\"devices\":[{\"app_id\":\"app.x\",\"pushkey\":\"K\",\"pushkey_ts\":17,"
		   "\"data\":{\"url\":\"https://x\"},\"tweaks\":{\"sound\":\"bing\"}}]");
	cr_assert_eq(in.n_pushes, 1);
	p = &in.pushes[0];
	cr_assert_eq(p->lane, 0);
	cr_assert(is(p->app_id, "app.x") && is(p->pushkey, "K"));
	cr_assert(is(p->event_id, "$e") && is(p->room_id, "!r"));
	cr_assert(is(p->data, "{\"aps\":{}}"));
	cr_assert_eq(p->pushkey_ts, 17);
	cr_assert_eq(p->prio, PUSH_LOW);
	cr_assert_eq(p->accepted, 1795302244123);
	cr_assert_eq(p->ephemeral.n + p->ciphertext.n + p->mac.n, 0);
	answer_is(of, "");
	cr_assert_eq(metrics_sum(S_DEVICE_QUEUED), 1);
}

Test(push_intake, what_can_never_work_is_rejected)
{
	const enum delayq_outcome of[] = { DELAYQ_QUEUED, DELAYQ_REJECTED };

	take(EVENT ",\"devices\":["
		   "{\"app_id\":\"other\",\"pushkey\":\"K1\"},"
		   "{\"app_id\":\"app.x\",\"pushkey\":\"K2\"},"
		   "{\"app_id\":\"both\",\"pushkey\":\"K3\"},"
		   "{\"app_id\":\"app.x\",\"pushkey\":\"R4\"},"
		   "{\"app_id\":\"app.x\",\"pushkey\":\"K0\"},"
		   "{\"app_id\":\"app.x\",\"pushkey\":\"\"},"
		   "{\"app_id\":\"\",\"pushkey\":\"K6\"},"
		   "{\"app_id\":\"app.x\",\"pushkey\":\"D7\"},"
		   "{\"app_id\":\"app.x\",\"pushkey\":\"K\\n8\"}]");
	cr_assert_eq(in.n_pushes, 2);
	cr_assert(is(in.pushes[0].pushkey, "K2") && is(in.pushes[1].pushkey, "K0"));
	answer_is(of, "\"K1\",\"K3\",\"R4\",\"K0\",\"\",\"K6\",\"K\\n8\"");
	cr_assert_eq(metrics_sum(S_DEVICE_UNKNOWN), 2);
	cr_assert_eq(metrics_sum(S_DEVICE_AMBIGUOUS), 1);
	cr_assert_eq(metrics_sum(S_DEVICE_UNUSABLE), 3);
	cr_assert_eq(metrics_sum(S_DEVICE_UNWANTED), 1);
	cr_assert_eq(metrics_sum(S_DEVICE_REJECTED), 1);
	cr_assert_eq(metrics_sum(S_DEVICE_QUEUED), 1);
}

Test(push_intake, without_consent_nothing_is_sent_and_nobody_told) /* ML-123618-1, O-18 */
{
	static const char *const without[] = { "", ",\"data\":null", ",\"data\":{}",
		",\"data\":{\"org.example.consent\":false}",
		",\"data\":{\"org.example.consent\":\"true\"}",
		",\"data\":{\"org.example.consent\":1}",
		",\"data\":{\"x\":{\"org.example.consent\":true}}" };
	const enum delayq_outcome of[] = { DELAYQ_QUEUED };
	size_t n = sizeof(without) / sizeof(*without);
	char inner[256];

	for (size_t i = 0; i < n; i++) {
		snprintf(inner, sizeof(inner),
		    EVENT ",\"devices\":[{\"app_id\":\"strict.x\",\"pushkey\":\"R\"%s}]",
		    without[i]);
		take(inner);
		cr_assert_eq(in.n_pushes, 0, "%s", without[i]);
		answer_is(NULL, "");
	}
	cr_assert_eq(metrics_sum(S_DEVICE_OPTED_OUT), (int64_t)n);
	take(EVENT ",\"devices\":[{\"app_id\":\"strict.x\",\"pushkey\":\"K\","
		   "\"data\":{\"org.example.consent\":true}}]");
	cr_assert_eq(in.n_pushes, 1);
	answer_is(of, "");
}

Test(push_intake, counts_alone_are_dropped_or_wake_the_device)
{
	const enum delayq_outcome of[] = { DELAYQ_QUEUED };

	take("\"counts\":{\"unread\":0},\"id\":\"\",\"type\":null,\"devices\":["
	     "{\"app_id\":\"app.x\",\"pushkey\":\"K1\"},{\"app_id\":\"wake\",\"pushkey\":\"K2\"}]");
	cr_assert_eq(in.n_pushes, 1);
	cr_assert(is(in.pushes[0].pushkey, "K2"));
	cr_assert_eq(in.pushes[0].lane, 2);
	cr_assert_eq(in.pushes[0].event_id.n + in.pushes[0].room_id.n, 0);
	answer_is(of, "");
	cr_assert_eq(metrics_sum(S_DEVICE_COUNTS), 1);
}

Test(push_intake, a_provider_hears_whether_it_is_counts_alone)
{
	take("\"counts\":{\"unread\":1},\"devices\":[{\"app_id\":\"wake\",\"pushkey\":\"C1\"}]");
	cr_assert_eq(in.n_pushes, 0);
	answer_is(NULL, "");
	cr_assert_eq(metrics_sum(S_DEVICE_UNWANTED), 1);
	take(EVENT ",\"devices\":[{\"app_id\":\"wake\",\"pushkey\":\"C1\"}]");
	cr_assert_eq(in.n_pushes, 1);
}

#define ENCRYPTED "\"ephemeral\":\"AAAA\",\"ciphertext\":\"Q0lQSEVS\",\"mac\":\"TUFD\""
#define ALGORITHM "\"data\":{\"algorithm\":\"com.famedly.curve25519-aes-sha2\"}"

Test(push_intake, what_is_encrypted_goes_to_who_asked_for_it) /* ML-123618-2, ML-123618-8 */
{
	const enum delayq_outcome of[] = { DELAYQ_QUEUED, DELAYQ_QUEUED };

	take(ENCRYPTED ",\"devices\":["
		       "{\"app_id\":\"app.x\",\"pushkey\":\"K1\"," ALGORITHM "},"
		       "{\"app_id\":\"app.x\",\"pushkey\":\"K2\"},"
		       "{\"app_id\":\"wake\",\"pushkey\":\"K3\"},"
		       "{\"app_id\":\"app.x\",\"pushkey\":\"K4\",\"data\":{\"algorithm\":null}}]");
	cr_assert_eq(in.n_pushes, 2);
	cr_assert(is(in.pushes[0].pushkey, "K1") && is(in.pushes[0].ephemeral, "AAAA") &&
		  is(in.pushes[0].ciphertext, "Q0lQSEVS") && is(in.pushes[0].mac, "TUFD"));
	cr_assert(is(in.pushes[1].pushkey, "K3"));
	cr_assert_eq(in.pushes[1].ciphertext.n, 0);
	answer_is(of, "");
}

Test(push_intake, what_is_encrypted_is_whole_or_nothing_that_a_device_could_read)
{
	static const char *const parts[] = { "\"ciphertext\":\"Q0lQSEVS\",\"mac\":\"TUFD\"",
		"\"ephemeral\":\"AAAA\",\"mac\":\"TUFD\"",
		"\"ephemeral\":\"AAAA\",\"ciphertext\":\"Q0lQSEVS\"" };
	char inner[256];

	for (size_t i = 0; i < 3; i++) {
		snprintf(inner, sizeof(inner),
		    "%s,\"devices\":[{\"app_id\":\"app.x\",\"pushkey\":\"K1\"," ALGORITHM "}]",
		    parts[i]);
		take(inner);
		cr_assert_eq(in.n_pushes, 0, "%s", parts[i]);
		answer_is(NULL, "");
	}
}

Test(push_intake, each_device_keeps_its_own)
{
	seen.kept = "{\"aps\":{}}";
	take(EVENT ",\"devices\":[{\"app_id\":\"app.x\",\"pushkey\":\"K1\"},"
		   "{\"app_id\":\"app.x\",\"pushkey\":\"K2\"}]");
	cr_assert_eq(in.n_pushes, 2);
	cr_assert(is(in.pushes[0].data, "{\"aps\":{}}") && is(in.pushes[1].data, "{\"aps\":{}}"));
}

Test(push_intake, a_device_named_twice_counts_once)
{
	const enum delayq_outcome of[] = { DELAYQ_REJECTED, DELAYQ_DUPLICATE, DELAYQ_REJECTED };

	take(EVENT ",\"devices\":["
		   "{\"app_id\":\"strict.x\",\"pushkey\":\"A\"},"
		   "{\"app_id\":\"app.x\",\"pushkey\":\"B\"},"
		   "{\"app_id\":\"app.x\",\"pushkey\":\"A\"},"
		   "{\"app_id\":\"app.x\",\"pushkey\":\"B\"},"
		   "{\"app_id\":\"app.y\",\"pushkey\":\"B\"},"
		   "{\"app_id\":\"other\",\"pushkey\":\"A\"},"
		   "{\"app_id\":\"other\",\"pushkey\":\"A\"},"
		   "{\"app_id\":\"app.x\",\"pushkey\":\"B\"}]");
	cr_assert_eq(in.n_pushes, 3);
	cr_assert(is(in.pushes[0].pushkey, "B") && is(in.pushes[1].pushkey, "A") &&
		  is(in.pushes[2].pushkey, "B") && is(in.pushes[2].app_id, "app.y"));
	answer_is(of, "\"B\",\"A\"");
	cr_assert_eq(metrics_sum(S_DEVICE_DUPLICATE), 4);
	cr_assert_eq(metrics_sum(S_DEVICE_REJECTED), 2);
}

Test(push_intake, a_pushkey_is_named_once_where_it_came_first)
{
	take(EVENT ",\"devices\":["
		   "{\"app_id\":\"z\",\"pushkey\":\"C\"},"
		   "{\"app_id\":\"z\",\"pushkey\":\"B\"},"
		   "{\"app_id\":\"a\",\"pushkey\":\"C\"},"
		   "{\"app_id\":\"a\",\"pushkey\":\"A\"},"
		   "{\"app_id\":\"zz\",\"pushkey\":\"C\"}]");
	answer_is(NULL, "\"C\",\"B\",\"A\"");
}

Test(push_intake, pushkeys_are_named_as_json)
{
	take(EVENT ",\"devices\":[{\"app_id\":\"x\",\"pushkey\":\"a\\\"b\\\\c\\u00e4\\/\"}]");
	answer_is(NULL, "\"a\\\"b\\\\c\xc3\xa4/\"");
}

Test(push_intake, nobody_is_nobody)
{
	take(EVENT ",\"devices\":[]");
	cr_assert_eq(in.n_pushes, 0);
	answer_is(NULL, "");
}

Test(push_intake, memory_runs_out_without_harm)
{
	static const char body[] = "{\"notification\":{\"devices\":[{\"app_id\":\"app.x\","
				   "\"pushkey\":\"K\"}],\"event_id\":\"$e\"}}";
	struct notification n;
	enum err err = ERR_MEMORY;
	size_t max;

	seen.kept = "{}";
	for (max = 0; err == ERR_MEMORY && max < 8192; max += 16) {
		arena_fini(&arena);
		arena_init(&arena, max);
		err = notification_read(&arena, &fakes_conf.notify, str_z(body), &n);
		if (err == OK)
			err = intake_sort(&arena, &fakes_conf, &n, 0, &in);
	}
	cr_assert_eq(err, OK);
	cr_assert_gt(max, 64);
	buf_fini(&out);
	buf_init(&out, 10);
	cr_assert_not(intake_finish(&in, (enum delayq_outcome[]){ DELAYQ_QUEUED }, &out));
}
