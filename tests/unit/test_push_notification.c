/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of POST /_matrix/push/v1/notify (FD-5.2.3-1; Matrix Push Gateway API; MSC3013). */
#include <criterion/criterion.h>

#include "pushgw/notify/notification.h"

#define TEXT_MAX 16384

static struct arena arena;
static struct notification n;
static const struct notify_conf limits = {
	.devices_max = 3,
	.data_max = 64,
	.ciphertext_max = 100,
};

static void
begin(void)
{
	arena_init(&arena, 1 << 20);
}

static void
end(void)
{
	arena_fini(&arena);
}

TestSuite(push_notification, .init = begin, .fini = end);

static enum err
body_read(const char *text)
{
	return notification_read(&arena, &limits, str_z(text), &n);
}

static enum err /* '{"notification":{...}}' */
inner_read(const char *inner)
{
	static char text[TEXT_MAX];

	cr_assert_lt(
	    snprintf(text, sizeof(text), "{\"notification\":{%s}}", inner), (int)sizeof(text));
	return body_read(text);
}

static enum err /* of a notification with one device */
device_read(const char *device)
{
	static char text[TEXT_MAX];

	cr_assert_lt(snprintf(text, sizeof(text), "\"devices\":[%s]", device), (int)sizeof(text));
	return inner_read(text);
}

#define DEVICE "{\"app_id\":\"app.test\",\"pushkey\":\"KEY1\"}"

static bool
is(struct str s, const char *text)
{
	return str_eq(s, str_z(text));
}

Test(push_notification, the_forms_that_synapse_sends)
{
	const struct device *d;

	cr_assert_eq(body_read("{\"notification\":{\"counts\":{\"unread\":1},\"devices\":[{"
			       "\"app_id\":\"app.test\",\"data\":{\"default_payload\":{\"x\":1},"
			       "\"format\":\"event_id_only\"},\"pushkey\":\"KEY1\","
			       "\"pushkey_ts\":1795302244}],\"event_id\":\"$Q4Q\",\"prio\":\"high\""
			       ",\"room_id\":\"!OSD:hs.test\"}}"),
	    OK);
	cr_assert(is(n.event_id, "$Q4Q") && is(n.room_id, "!OSD:hs.test"));
	cr_assert_eq(n.prio, PUSH_HIGH);
	cr_assert_eq(n.n_devices, 1);
	d = &n.devices[0];
	cr_assert(is(d->app_id, "app.test") && is(d->pushkey, "KEY1"));
	cr_assert_eq(d->pushkey_ts, 1795302244);
	cr_assert(is(d->data, "{\"default_payload\":{\"x\":1},\"format\":\"event_id_only\"}"));

	cr_assert_eq(body_read("{\"notification\":{\"content\":{\"body\":\"hello\",\"msgtype\":"
			       "\"m.text\"},\"counts\":{\"unread\":1},\"devices\":[{\"app_id\":"
			       "\"app.test\",\"data\":{\"default_payload\":{\"x\":1}},\"pushkey\":"
			       "\"KEY1\",\"pushkey_ts\":1795302240,\"tweaks\":{\"highlight\":false,"
			       "\"sound\":\"default\"}}],\"event_id\":\"$Xe\",\"id\":\"$Xe\","
			       "\"prio\":\"low\",\"room_id\":\"!r\",\"room_name\":\"push\","
			       "\"sender\":\"@alice:hs.test\",\"sender_display_name\":\"alice\","
			       "\"type\":\"m.room.message\"}}"),
	    OK);
	cr_assert(is(n.event_id, "$Xe") && is(n.room_id, "!r"));
	cr_assert_eq(n.prio, PUSH_LOW);

	cr_assert_eq(body_read("{\"notification\":{\"counts\":{\"unread\":0},\"devices\":[" DEVICE
			       "],\"id\":\"\",\"sender\":\"\",\"type\":null}}"),
	    OK);
	cr_assert_eq(n.event_id.n, 0);
	cr_assert_eq(n.room_id.n, 0);
	cr_assert_eq(n.n_devices, 1);
	cr_assert_eq(n.devices[0].pushkey_ts, 0);
	cr_assert_eq(n.devices[0].data.n, 0);
}

Test(push_notification, what_the_homeserver_encrypted)
{
	cr_assert_eq(
	    inner_read("\"ephemeral\":\"AAA+/w\",\"ciphertext\":\"Zm9v-_==\",\"mac\":"
		       "\"bWFj\",\"devices\":[{\"app_id\":\"a\",\"pushkey\":\"k\",\"data\":"
		       "{\"algorithm\":\"com.famedly.curve25519-aes-sha2\"}}]"),
	    OK);
	cr_assert(is(n.ephemeral, "AAA+/w") && is(n.ciphertext, "Zm9v-_==") && is(n.mac, "bWFj"));
	cr_assert_eq(n.event_id.n, 0);
	/* not in clear under that name */
	cr_assert_eq(
	    inner_read("\"ciphertext\":\"Alice: hello\",\"devices\":[]"), ERR_NOTIFY_SHAPE);
	cr_assert_eq(inner_read("\"mac\":\"b:c\",\"devices\":[]"), ERR_NOTIFY_SHAPE);
	cr_assert_eq(inner_read("\"ephemeral\":{},\"devices\":[]"), ERR_NOTIFY_SHAPE);
}

Test(push_notification, other_spellings_of_the_same)
{
	cr_assert_eq(
	    body_read(" { \"x\" : [ ] ,\r\n\t\"notification\" : { \"room_id\" : "
		      "\"!\\u0072:h\\u00e4\" , \"d\\u0065vices\" : [ { \"pushkey\" : "
		      "\"k\\/\\ud83d\\ude00\" , \"data\" : { \"b\" : 1 , \"\\u0061\" : 2 } "
		      ", \"app_id\" : \"a\" } ] , \"event_id\" : \"$\\\"e\" } } "),
	    OK);
	cr_assert(is(n.room_id, "!r:h\xc3\xa4") && is(n.event_id, "$\"e"));
	cr_assert(is(n.devices[0].pushkey, "k/\xf0\x9f\x98\x80"));
	cr_assert(is(n.devices[0].data, "{\"a\":2,\"b\":1}"));
}

static const struct {
	const char *inner;
	enum err err;
} inners[] = {
	{ "\"devices\":[]", OK },
	{ "\"devices\":[" DEVICE "]", OK },
	/* absent, null, empty */
	{ "\"devices\":[],\"event_id\":null,\"room_id\":null,\"prio\":null,\"ephemeral\":null,"
	  "\"ciphertext\":null,\"mac\":null",
	    OK },
	{ "\"devices\":[],\"event_id\":\"\",\"room_id\":\"\",\"prio\":\"\",\"ciphertext\":\"\"",
	    OK },
	{ "", ERR_NOTIFY_SHAPE },
	{ "\"event_id\":\"$e\"", ERR_NOTIFY_SHAPE },
	{ "\"devices\":null", ERR_NOTIFY_SHAPE },
	{ "\"devices\":{}", ERR_NOTIFY_SHAPE },
	{ "\"devices\":\"x\"", ERR_NOTIFY_SHAPE },
	{ "\"devices\":[null]", ERR_NOTIFY_SHAPE },
	{ "\"devices\":[[]]", ERR_NOTIFY_SHAPE },
	{ "\"devices\":[" DEVICE ",1]", ERR_NOTIFY_SHAPE },
	{ "\"devices\":[{}]", ERR_NOTIFY_SHAPE },
	/* wrong types of what we use */
	{ "\"devices\":[],\"event_id\":1", ERR_NOTIFY_SHAPE },
	{ "\"devices\":[],\"event_id\":[\"$e\"]", ERR_NOTIFY_SHAPE },
	{ "\"devices\":[],\"event_id\":false", ERR_NOTIFY_SHAPE },
	{ "\"devices\":[],\"room_id\":{}", ERR_NOTIFY_SHAPE },
	{ "\"devices\":[],\"prio\":1", ERR_NOTIFY_SHAPE },
	{ "\"devices\":[],\"prio\":[]", ERR_NOTIFY_SHAPE },
	/* wrong types of what we do not look at */
	{ "\"devices\":[],\"type\":7,\"sender\":[1],\"counts\":\"many\",\"content\":null,"
	  "\"id\":{},\"user_is_target\":\"x\",\"room_name\":1e3,\"room_alias\":false,"
	  "\"sender_display_name\":[[]],\"membership\":{}",
	    OK },
	/* control characters */
	{ "\"devices\":[],\"event_id\":\"$a\\u0000b\"", ERR_NOTIFY_SHAPE },
	{ "\"devices\":[],\"room_id\":\"!a\\n\"", ERR_NOTIFY_SHAPE },
	{ "\"devices\":[],\"room_id\":\"!a\\u007f\"", ERR_NOTIFY_SHAPE },
	{ "\"devices\":[],\"type\":\"a\\u0000b\"", OK },
	/* JSON itself, wherever it is */
	{ "\"devices\":[],\"devices\":[]", ERR_JSON_DUPLICATE },
	{ "\"devices\":[],\"content\":{\"a\":1,\"\\u0061\":2}", ERR_JSON_DUPLICATE },
	{ "\"devices\":[],\"content\":{\"a\":01}", ERR_JSON_SYNTAX },
	{ "\"devices\":[],\"type\":\"\xff\"", ERR_JSON_SYNTAX },
	{ "\"devices\":[],\"type\":\"\xed\xa0\x80\"", ERR_JSON_SYNTAX },
	{ "\"devices\":[],\"type\":\"\\ud800\"", ERR_JSON_SYNTAX },
	{ "\"devices\":[],\"type\":\"\t\"", ERR_JSON_SYNTAX },
	{ "\"devices\":[],", ERR_JSON_SYNTAX },
};

Test(push_notification, members_of_a_notification)
{
	for (size_t i = 0; i < sizeof(inners) / sizeof(*inners); i++)
		cr_assert_eq(inner_read(inners[i].inner), inners[i].err, "%s: %s", inners[i].inner,
		    err_name(inner_read(inners[i].inner)));
}

static const struct {
	const char *device;
	enum err err;
} devices[] = {
	{ DEVICE, OK },
	{ "{\"app_id\":\"\",\"pushkey\":\"\"}", OK }, /* nobody's app: its pushkey is rejected */
	{ "{\"app_id\":\"a\"}", ERR_NOTIFY_SHAPE },
	{ "{\"pushkey\":\"k\"}", ERR_NOTIFY_SHAPE },
	{ "{\"app_id\":null,\"pushkey\":\"k\"}", ERR_NOTIFY_SHAPE },
	{ "{\"app_id\":\"a\",\"pushkey\":null}", ERR_NOTIFY_SHAPE },
	{ "{\"app_id\":\"a\",\"pushkey\":7}", ERR_NOTIFY_SHAPE },
	{ "{\"app_id\":\"a\",\"pushkey\":\"k\",\"pushkey_ts\":null}", OK },
	{ "{\"app_id\":\"a\",\"pushkey\":\"k\",\"pushkey_ts\":\"1\"}", ERR_NOTIFY_SHAPE },
	{ "{\"app_id\":\"a\",\"pushkey\":\"k\",\"pushkey_ts\":1.5}", ERR_NOTIFY_SHAPE },
	{ "{\"app_id\":\"a\",\"pushkey\":\"k\",\"pushkey_ts\":1e3}", ERR_NOTIFY_SHAPE },
	{ "{\"app_id\":\"a\",\"pushkey\":\"k\",\"pushkey_ts\":9223372036854775807}", OK },
	{ "{\"app_id\":\"a\",\"pushkey\":\"k\",\"pushkey_ts\":9223372036854775808}",
	    ERR_NOTIFY_SHAPE },
	{ "{\"app_id\":\"a\",\"pushkey\":\"k\",\"pushkey_ts\":-0}", OK },
	{ "{\"app_id\":\"a\",\"pushkey\":\"k\",\"data\":null}", OK },
	{ "{\"app_id\":\"a\",\"pushkey\":\"k\",\"data\":{}}", OK },
	{ "{\"app_id\":\"a\",\"pushkey\":\"k\",\"data\":[]}", ERR_NOTIFY_SHAPE },
	{ "{\"app_id\":\"a\",\"pushkey\":\"k\",\"data\":\"{}\"}", ERR_NOTIFY_SHAPE },
	{ "{\"app_id\":\"a\",\"pushkey\":\"k\",\"tweaks\":7,\"profile_tag\":[],\"kind\":null}",
	    OK },
};

Test(push_notification, what_is_neither_high_nor_low_is_high)
{
	cr_assert_eq(inner_read("\"devices\":[" DEVICE "],\"prio\":\"low\""), OK);
	cr_assert_eq(n.prio, PUSH_LOW);
	cr_assert_eq(inner_read("\"devices\":[" DEVICE "],\"prio\":\"medium\""), OK);
	cr_assert_eq(n.prio, PUSH_HIGH);
}

Test(push_notification, members_of_a_device)
{
	for (size_t i = 0; i < sizeof(devices) / sizeof(*devices); i++)
		cr_assert_eq(
		    device_read(devices[i].device), devices[i].err, "%s", devices[i].device);
	cr_assert_eq(device_read("{\"app_id\":\"a\",\"pushkey\":\"k\",\"pushkey_ts\":-5}"), OK);
	cr_assert_eq(n.devices[0].pushkey_ts, 0);
}

Test(push_notification, what_is_no_notification)
{
	static const struct {
		const char *body;
		enum err err;
	} cases[] = {
		{ "", ERR_JSON_SYNTAX },
		{ " ", ERR_JSON_SYNTAX },
		{ "\xef\xbb\xbf{}", ERR_JSON_SYNTAX },
		{ "{}", ERR_NOTIFY_SHAPE },
		{ "[]", ERR_NOTIFY_SHAPE },
		{ "null", ERR_NOTIFY_SHAPE },
		{ "\"notification\"", ERR_NOTIFY_SHAPE },
		{ "{\"notification\":null}", ERR_NOTIFY_SHAPE },
		{ "{\"notification\":[]}", ERR_NOTIFY_SHAPE },
		{ "{\"devices\":[]}", ERR_NOTIFY_SHAPE },
		{ "{\"notification\":{\"devices\":[]}}x", ERR_JSON_SYNTAX },
		{ "{\"notification\":{\"devices\":[]},\"x\":{\"notification\":1}}", OK },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		cr_assert_eq(body_read(cases[i].body), cases[i].err, "%s", cases[i].body);
}

/* --- limits --- */

static void
fill(char *at, size_t len)
{
	memset(at, 'x', len);
	at[len] = '\0';
}

static enum err
read_filled(const char *before, const char *behind, size_t len)
{
	static char value[4096], inner[8192];

	fill(value, len);
	snprintf(inner, sizeof(inner), "%s%s%s", before, value, behind);
	return inner_read(inner);
}

/* The text between them is as long as allowed, and one byte longer. */
static void
length_is(const char *before, const char *behind, size_t max)
{
	cr_assert_eq(read_filled(before, behind, max), OK, "%s", before);
	cr_assert_eq(read_filled(before, behind, max + 1), ERR_NOTIFY_SIZE, "%s", before);
}

/* The same in a device, which alone is refused. */
static void
device_length_is(const char *before, const char *behind, size_t max)
{
	cr_assert_eq(read_filled(before, behind, max), OK, "%s", before);
	cr_assert(!n.devices[0].unusable, "%s", before);
	cr_assert_eq(read_filled(before, behind, max + 1), OK, "%s", before);
	cr_assert(n.devices[0].unusable, "%s", before);
}

Test(push_notification, lengths_are_bounded)
{
	length_is("\"devices\":[],\"event_id\":\"", "\"", PUSH_ID_MAX);
	length_is("\"devices\":[],\"room_id\":\"", "\"", PUSH_ID_MAX);
	length_is("\"devices\":[],\"ephemeral\":\"", "\"", NOTIFICATION_KEY_MAX);
	length_is("\"devices\":[],\"mac\":\"", "\"", NOTIFICATION_KEY_MAX);
	length_is("\"devices\":[],\"ciphertext\":\"", "\"", limits.ciphertext_max);
	device_length_is("\"devices\":[{\"app_id\":\"", "\",\"pushkey\":\"k\"}]", PUSH_APP_ID_MAX);
	device_length_is("\"devices\":[{\"app_id\":\"a\",\"pushkey\":\"", "\"}]", PUSH_PUSHKEY_MAX);
	device_length_is("\"devices\":[{\"app_id\":\"a\",\"pushkey\":\"k\",\"data\":{\"x\":\"",
	    "\"}}]", limits.data_max - strlen("{\"x\":\"\"}"));
}

Test(push_notification, what_a_client_made_of_its_pusher_is_not_the_notifications_fault)
{
	static const char *const odd[] = {
		"{\"app_id\":\"a\",\"pushkey\":\"k\\r\\nX: y\"}",
		"{\"app_id\":\"a\\u0000\",\"pushkey\":\"k\"}",
		"{\"app_id\":\"a\",\"pushkey\":\"k\\u007f\"}",
	};

	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		cr_assert_eq(device_read(odd[i]), OK, "%s", odd[i]);
		cr_assert(n.devices[0].unusable, "%s", odd[i]);
	}
	cr_assert_eq(device_read(DEVICE), OK);
	cr_assert(!n.devices[0].unusable);
}

Test(push_notification, devices_are_bounded)
{
	cr_assert_eq(inner_read("\"devices\":[" DEVICE "," DEVICE "," DEVICE "]"), OK);
	cr_assert_eq(n.n_devices, 3);
	cr_assert_eq(inner_read("\"devices\":[" DEVICE "," DEVICE "," DEVICE "," DEVICE "]"),
	    ERR_NOTIFY_SIZE);
}

Test(push_notification, depth_is_bounded)
{
	char inner[1024] = "\"devices\":[],\"content\":";
	size_t at = strlen(inner);

	memset(inner + at, '[', 200);
	memset(inner + at + 200, ']', 200);
	inner[at + 400] = '\0';
	cr_assert_eq(inner_read(inner), ERR_JSON_DEPTH);
}

Test(push_notification, memory_runs_out_without_harm)
{
	static const char text[] =
	    "{\"notification\":{\"event_id\":\"$\\\"e\",\"devices\":[" DEVICE "]}}";
	enum err err = ERR_MEMORY;
	size_t max;

	for (max = 0; err == ERR_MEMORY && max < 4096; max += 8) {
		arena_fini(&arena);
		arena_init(&arena, max);
		err = body_read(text);
	}
	cr_assert_eq(err, OK);
	cr_assert_gt(max, 16);
}
