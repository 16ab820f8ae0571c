/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a push to FCM (ML-123618-6, ML-123618-7). */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "pushgw/providers/fcm_message.h"
#include "pushgw/providers/payload.h"

static struct buf out;

static void
drop(void)
{
	buf_fini(&out);
	buf_drop_cache();
}

TestSuite(push_fcm_message, .fini = drop);

static struct str
make(const struct push *push, clock_ms ttl)
{
	buf_fini(&out);
	cr_assert_eq(fcm_message(&out, push, ttl), OK);
	return str_trim(buf_str(&out));
}

Test(push_fcm_message, is_a_data_message_of_strings)
{
	struct push push = { .pushkey = STR("to:k\"en"),
		.event_id = STR("$e"),
		.room_id = STR("!r"),
		.data = STR("{\"x\":\"1\"}") };
	struct str got = make(&push, 900999);

	cr_assert(
	    str_eq(got, STR("{\"message\":{\"android\":{\"priority\":\"HIGH\",\"ttl\":\"900s\"},"
			    "\"data\":{\"x\":\"1\",\"event_id\":\"$e\",\"room_id\":\"!r\"},"
			    "\"token\":\"to:k\\\"en\"}}")),
	    STR_FMT, STR_ARG(got));
	cr_assert_eq(buf_len(&out), PAYLOAD_PAD);
	push = (struct push){ .pushkey = STR("t"),
		.prio = PUSH_LOW,
		.ephemeral = STR("e"),
		.ciphertext = STR("c"),
		.mac = STR("m") };
	got = make(&push, 0);
	cr_assert(
	    str_eq(got, STR("{\"message\":{\"android\":{\"priority\":\"NORMAL\",\"ttl\":\"0s\"},"
			    "\"data\":{\"ephemeral\":\"e\",\"ciphertext\":\"c\",\"mac\":\"m\"},"
			    "\"token\":\"t\"}}")),
	    STR_FMT, STR_ARG(got));
}

Test(push_fcm_message, no_longer_than_four_weeks)
{
	const struct push push = { .pushkey = STR("t") };

	make(&push, (clock_ms)365 * 86400 * 1000);
	cr_assert_not_null(memmem(buf_str(&out).p, buf_len(&out), "\"2419200s\"", 10));
}

Test(push_fcm_message, default_payload_gives_way_and_nothing_else)
{
	static char kept[PAYLOAD_KEPT_MAX], ciphertext[4096];
	struct push push = { .pushkey = STR("t"), .event_id = STR("$e") };
	static const struct {
		size_t n;
		bool kept;
	} cases[] = { { 1900, true }, { 2100, false }, { 4050, false } };

	memset(kept, 'k', sizeof(kept));
	memset(ciphertext, 'c', sizeof(ciphertext));
	str_put(kept, STR("{\"x\":\""));
	str_put(kept + sizeof(kept) - 2, STR("\"}"));
	push.data = str_of(kept, sizeof(kept));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		push.ciphertext = str_of(ciphertext, cases[i].n);
		make(&push, 0);
		cr_assert_eq(
		    memmem(buf_str(&out).p, buf_len(&out), "kkkk", 4) != NULL, cases[i].kept);
		cr_assert_not_null(memmem(buf_str(&out).p, buf_len(&out), "\"$e\"", 4));
		cr_assert_not_null(memmem(buf_str(&out).p, buf_len(&out), ciphertext, cases[i].n));
	}
	push.ciphertext = str_of(ciphertext, sizeof(ciphertext));
	buf_fini(&out);
	cr_assert_eq(fcm_message(&out, &push, 0), ERR_TOO_LARGE);
}

Test(push_fcm_message, tokens)
{
	char text[FCM_TOKEN_MAX + 1];

	cr_assert(fcm_is_token(STR("dQw4w9WgXcQ:APA91bH-x_y")));
	cr_assert_not(fcm_is_token(STR("")));
	cr_assert_not(fcm_is_token(STR("a b")));
	cr_assert_not(fcm_is_token(STR("a\n")));
	cr_assert_not(fcm_is_token(STR("a\0")));
	cr_assert_not(fcm_is_token(STR("\303\244")));
	cr_assert_not(fcm_is_token(STR("\x7f")));
	memset(text, 'x', sizeof(text));
	cr_assert(fcm_is_token(str_of(text, FCM_TOKEN_MAX)));
	cr_assert_not(fcm_is_token(str_of(text, sizeof(text))));
}
