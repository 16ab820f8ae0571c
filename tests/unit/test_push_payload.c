/* SPDX-License-Identifier: Apache-2.0 */
/* What of a pusher's default_payload goes to a push provider, and what beside it (ML-123618-6,
 * ML-123618-7). */
#include <criterion/criterion.h>
#include <jansson.h>

#include "pushgw/providers/payload.h"

#define OUT_MAX 8192

static struct buf out;

static void
begin(void)
{
	buf_init(&out, OUT_MAX);
}

static void
end(void)
{
	buf_fini(&out);
}

TestSuite(push_payload, .init = begin, .fini = end);

static void
is_out(const char *text)
{
	cr_assert(str_eq(buf_str(&out), str_z(text)), STR_FMT "\nis not\n%s",
	    STR_ARG(buf_str(&out)), text);
}

/* A list in text that is cut up. */
static struct conf_list
list_of(char *text)
{
	static char *v[16];
	struct conf_list list = { v, 0 };

	for (char *p = strtok(text, " "); p != NULL; p = strtok(NULL, " "))
		v[list.n++] = p;
	return list;
}

static enum admission
nested(const char *data)
{
	char text[] = "aps.mutable-content aps.content-available aps.sound aps.alert.loc-key "
		      "aps.category version aps.alert.loc-args event_id";
	const struct conf_list list = list_of(text);

	buf_consume(&out, buf_len(&out));
	return payload_filter(str_z(data), &list, PAYLOAD_NESTED, &out);
}

static const struct {
	const char *data, *kept;
} filtered[] = {
	{ "{}", "" },
	{ "{\"format\":\"event_id_only\"}", "" },
	{ "{\"default_payload\":{}}", "" },
	/* what Element's apps ask for */
	{ "{\"default_payload\":{\"aps\":{\"alert\":{\"loc-args\":[],\"loc-key\":\"SINGLE_UNREAD\"}"
	  ","
	  "\"content-available\":1,\"mutable-content\":1}}}",
	    "{\"aps\":{\"alert\":{\"loc-key\":\"SINGLE_UNREAD\"},\"content-available\":1,"
	    "\"mutable-content\":1}}" },
	/* not listed */
	{ "{\"default_payload\":{\"aps\":{\"alert\":{\"body\":\"Alice wrote\"},\"badge\":7},"
	  "\"sender\":\"@alice:hs\"}}",
	    "" },
	{ "{\"default_payload\":{\"aps\":{\"alert\":\"hello\",\"sound\":\"x\"}}}",
	    "{\"aps\":{\"sound\":\"x\"}}" },
	/* listed, but never let through */
	{ "{\"default_payload\":{\"aps\":{\"alert\":{\"loc-args\":\"Alice\"}},"
	  "\"event_id\":\"$x\"}}",
	    "" },
	/* neither arrays nor objects nor null in the place of a value */
	{ "{\"default_payload\":{\"aps\":{\"category\":[\"a\"],\"sound\":{\"name\":\"a\"}},"
	  "\"version\":null}}",
	    "" },
	{ "{\"default_payload\":{\"aps\":[{\"sound\":\"x\"}],\"version\":true}}",
	    "{\"version\":true}" },
	/* names that look like paths, or are spelled otherwise */
	{ "{\"default_payload\":{\"aps.sound\":\"x\",\"ap\\\"s\":{\"sound\":\"x\"},"
	  "\"\":{\"version\":1}}}",
	    "" },
	/* what comes in with blanks leaves without */
	{ "{ \"default_payload\" : { \"aps\" : { \"sound\" : \"a b\" , \"category\" : -1.5e3 } } }",
	    "{\"aps\":{\"sound\":\"a b\",\"category\":-1.5e3}}" },
};

Test(push_payload, only_listed_members_pass_as_plain_values)
{
	for (size_t i = 0; i < sizeof(filtered) / sizeof(*filtered); i++) {
		cr_assert_eq(nested(filtered[i].data), ADMIT_OK);
		is_out(filtered[i].kept);
	}
}

Test(push_payload, a_default_payload_that_is_no_object_can_never_work)
{
	static const char *const values[] = { "null", "1", "\"x\"", "[]", "true" };
	char data[64];

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		snprintf(data, sizeof(data), "{\"default_payload\":%s}", values[i]);
		cr_assert_eq(nested(data), ADMIT_REJECT, "%s", values[i]);
		is_out("");
	}
}

Test(push_payload, values_are_bounded)
{
	static char data[OUT_MAX], kept[OUT_MAX];

	for (int n = PAYLOAD_VALUE_MAX - 4; n <= PAYLOAD_VALUE_MAX; n++) {
		snprintf(data, sizeof(data), "{\"default_payload\":{\"version\":\"%0*d\"}}", n, 0);
		snprintf(kept, sizeof(kept), "{\"version\":\"%0*d\"}", n, 0);
		cr_assert_eq(nested(data), ADMIT_OK);
		is_out(n + 2 <= PAYLOAD_VALUE_MAX ? kept : "");
	}
	cr_assert_eq(
	    nested("{\"default_payload\":{\"version\":1234567890123456789012345}}"), ADMIT_OK);
	is_out("");
}

/* However much is listed and given, what passes is JSON of a bounded size. */
Test(push_payload, what_passes_is_bounded)
{
	enum { NAMES = 60 };
	static char text[NAMES][128], data[32768];
	char *paths[NAMES];
	struct conf_list list = { paths, NAMES };
	size_t n = 0;
	json_t *v;

	n += (size_t)snprintf(data, sizeof(data), "{\"default_payload\":{\"a\":{\"b\":{\"z\":1");
	for (int i = 0; i < NAMES; i++) {
		paths[i] = text[i];
		snprintf(text[i], sizeof(text[i]), "a.b.%042d", i);
		n += (size_t)snprintf(
		    data + n, sizeof(data) - n, ",\"%042d\":\"%0*d\"", i, 3 * i, i);
	}
	snprintf(data + n, sizeof(data) - n, "}}}}");
	cr_assert_eq(payload_filter(str_z(data), &list, PAYLOAD_NESTED, &out), ADMIT_OK);
	cr_assert_leq(buf_len(&out), PAYLOAD_KEPT_MAX);
	cr_assert_gt(buf_len(&out), PAYLOAD_KEPT_MAX - 400);
	v = json_loadb(buf_str(&out).p, buf_len(&out), JSON_REJECT_DUPLICATES, NULL);
	cr_assert_not_null(v);
	json_decref(v);
}

Test(push_payload, fcm_gets_members_of_the_first_level_as_strings)
{
	char text[] = "cs n flag aps aps.sound from google.x gcm none";
	const struct conf_list list = list_of(text);

	cr_assert_eq(payload_filter(STR("{\"default_payload\":{\"aps\":{\"sound\":\"x\"},"
					"\"cs\":\"a\\\"b\",\"flag\":false,\"from\":\"x\",\"gcm\":1,"
					"\"n\":7,\"none\":null}}"),
			 &list, PAYLOAD_STRINGS, &out),
	    ADMIT_OK);
	is_out("{\"cs\":\"a\\\"b\",\"flag\":\"false\",\"n\":\"7\"}");
}

Test(push_payload, paths_that_would_let_through_what_must_not_leave_are_faults)
{
	static const char *const bad[] = { "", ".", "a.", ".a", "a..b", "event_id", "room_id",
		"ephemeral", "ciphertext.x", "mac", "loc-args", "aps.alert.loc-args",
		"aps.alert.title-loc-args", "aps.alert.subtitle-loc-args" };
	static const char *const bad_strings[] = { "from", "message_type", "google", "google.c.a",
		"gcm.notification", "a.b", "event_id" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_assert_not_null(payload_path_fault(str_z(bad[i]), PAYLOAD_NESTED), "%s", bad[i]);
	for (size_t i = 0; i < sizeof(bad_strings) / sizeof(*bad_strings); i++)
		cr_assert_not_null(payload_path_fault(str_z(bad_strings[i]), PAYLOAD_STRINGS), "%s",
		    bad_strings[i]);
	cr_assert_null(payload_path_fault(STR("aps.alert.loc-key"), PAYLOAD_NESTED));
	cr_assert_null(payload_path_fault(STR("x.event_id"), PAYLOAD_NESTED));
	cr_assert_null(payload_path_fault(STR("from"), PAYLOAD_NESTED));
	cr_assert_null(payload_path_fault(STR("cs"), PAYLOAD_STRINGS));
}

Test(push_payload, what_is_sent_is_the_payload_and_the_ids)
{
	struct push push = { .event_id = STR("$e\"v"), .room_id = STR("!r:hs") };

	cr_assert(payload_put(&out, STR("{\"aps\":{\"sound\":\"x\"}}"), &push));
	is_out("{\"aps\":{\"sound\":\"x\"},\"event_id\":\"$e\\\"v\",\"room_id\":\"!r:hs\"}");
	buf_consume(&out, buf_len(&out));
	cr_assert(payload_put(&out, STR_NONE, &push));
	is_out("{\"event_id\":\"$e\\\"v\",\"room_id\":\"!r:hs\"}");
	buf_consume(&out, buf_len(&out));
	push = (struct push){ .ephemeral = STR("E"), .ciphertext = STR("C"), .mac = STR("M") };
	cr_assert(payload_put(&out, STR("{\"a\":1}"), &push));
	is_out("{\"a\":1,\"ephemeral\":\"E\",\"ciphertext\":\"C\",\"mac\":\"M\"}");
	buf_consume(&out, buf_len(&out));
	push = (struct push){ .pushkey = STR("K"), .app_id = STR("app") };
	cr_assert(payload_put(&out, STR_NONE, &push)); /* a wake-up */
	is_out("{}");
	buf_fini(&out);
	buf_init(&out, 20);
	push.event_id = STR("$0123456789");
	cr_assert_not(payload_put(&out, STR_NONE, &push));
}

Test(push_payload, padding_makes_lengths_equal_but_never_too_long)
{
	static const struct {
		size_t n, limit, padded;
	} cases[] = {
		{ 1, 4096, PAYLOAD_PAD },
		{ 300, 4096, PAYLOAD_PAD },
		{ PAYLOAD_PAD, 4096, PAYLOAD_PAD },
		{ PAYLOAD_PAD + 1, 4096, 2 * PAYLOAD_PAD },
		{ 3990, 4000, 4000 },
		{ 300, 1000, 1000 },
		{ 4097, 4096, 4097 },
	};
	static char text[5000];

	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		buf_consume(&out, buf_len(&out));
		cr_assert(buf_put(&out, str_of(text, cases[i].n)));
		cr_assert(payload_pad(&out, cases[i].limit));
		cr_assert_eq(buf_len(&out), cases[i].padded);
		cr_assert(str_has_prefix(buf_str(&out), str_of(text, cases[i].n)));
		for (size_t at = cases[i].n; at < buf_len(&out); at++)
			cr_assert_eq(buf_str(&out).p[at], ' ');
	}
	buf_fini(&out);
	buf_init(&out, PAYLOAD_PAD - 1);
	cr_assert(buf_put(&out, STR("{}")));
	cr_assert_not(payload_pad(&out, 4096));
}
