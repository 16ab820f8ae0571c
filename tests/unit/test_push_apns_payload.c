/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a push to APNs (ML-123618-6, ML-123618-7). */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "lib/jose/claims.h"
#include "pushgw/providers/apns_payload.h"
#include "pushgw/providers/payload.h"

#define IDS "\"event_id\":\"$e\",\"room_id\":\"!r:hs.test\"}"
#define PLAIN \
	"\"aps\":{\"alert\":{\"loc-args\":[],\"loc-key\":\"SINGLE_UNREAD\"},\"mutable-content\":" \
	"1}"
#define OWN "\"aps\":{\"alert\":{\"loc-key\":\"NEW\"},\"mutable-content\":1}"

static struct buf out;

static struct push
a_push(const char *kept)
{
	return (struct push){
		.event_id = STR("$e"), .room_id = STR("!r:hs.test"), .data = str_z(kept)
	};
}

static void
drop(void)
{
	buf_fini(&out);
	arena_drop_cache();
	buf_drop_cache();
}

TestSuite(push_apns_payload, .fini = drop);

/* What was made, without the padding. */
static struct str
make(enum apns_push_type type, const struct push *push)
{
	buf_fini(&out);
	cr_assert_eq(apns_payload(&out, type, push), OK);
	return str_trim(buf_str(&out));
}

Test(push_apns_payload, of_each_type)
{
	static const struct {
		enum apns_push_type type;
		const char *kept, *want;
	} cases[] = {
		{ APNS_ALERT, "{" OWN "}", "{" OWN "," IDS },
		{ APNS_ALERT, "", "{" PLAIN "," IDS },
		{ APNS_ALERT, "{\"x\":\"y\"}", "{" PLAIN ",\"x\":\"y\"," IDS },
		{ APNS_ALERT, "{" OWN ",\"x\":1}", "{" OWN ",\"x\":1," IDS },
		{ APNS_ALERT, "{\"aps\":\"text\"}", "{" PLAIN "," IDS },
		{ APNS_ALERT, "{\"aps\":{\"content-available\":1,\"sound\":\"s\"}}",
		    "{\"aps\":{\"alert\":{\"loc-args\":[],\"loc-key\":\"SINGLE_UNREAD\"},"
		    "\"content-available\":1,\"sound\":\"s\"}," IDS },
		{ APNS_ALERT,
		    "{\"aps\":{\"alert\":5,\"content-available\":true,\"mutable-content\":2}}",
		    "{\"aps\":{\"alert\":{\"loc-args\":[],\"loc-key\":\"SINGLE_UNREAD\"}}," IDS },
		{ APNS_VOIP, "{\"aps\":{\"alert\":false,\"content-available\":\"1\"}}",
		    "{\"aps\":{}," IDS },
		{ APNS_ALERT, "{\"aps\":{\"alert\":\"text\"}}",
		    "{\"aps\":{\"alert\":\"text\"}," IDS },
		{ APNS_BACKGROUND, "{" OWN ",\"x\":1}",
		    "{\"aps\":{\"content-available\":1},\"x\":1," IDS },
		{ APNS_BACKGROUND, "", "{\"aps\":{\"content-available\":1}," IDS },
		{ APNS_VOIP, "", "{\"aps\":{}," IDS },
		{ APNS_VOIP, "{\"x\":1}", "{\"aps\":{},\"x\":1," IDS },
		{ APNS_VOIP, "{" OWN "}", "{" OWN "," IDS },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct push push = a_push(cases[i].kept);
		struct str got = make(cases[i].type, &push);

		cr_assert(str_eq(got, str_z(cases[i].want)), STR_FMT " and not %s", STR_ARG(got),
		    cases[i].want);
	}
}

Test(push_apns_payload, what_the_homeserver_encrypted_is_passed_on) /* ML-123618-2, -8 */
{
	const struct push push = {
		.ephemeral = STR("eph"), .ciphertext = STR("cip+/"), .mac = STR("mac")
	};
	struct str got = make(APNS_VOIP, &push);

	cr_assert(
	    str_eq(got,
		STR("{\"aps\":{},\"ephemeral\":\"eph\",\"ciphertext\":\"cip+/\",\"mac\":\"mac\"}")),
	    STR_FMT, STR_ARG(got));
}

Test(push_apns_payload, is_padded)
{
	struct push push = a_push("");

	make(APNS_ALERT, &push);
	cr_assert_eq(buf_len(&out), PAYLOAD_PAD);
	push = a_push("{" OWN "}");
	make(APNS_ALERT, &push);
	cr_assert_eq(buf_len(&out), PAYLOAD_PAD);
}

/* A push with a ciphertext of n bytes, and with as much default_payload as may be kept. */
static struct push
a_large_push(char *ciphertext, size_t n)
{
	static char kept[PAYLOAD_KEPT_MAX + 1];

	memset(ciphertext, 'c', n);
	memset(kept, 'k', sizeof(kept) - 1);
	str_put(kept, STR("{" OWN ",\"x\":\""));
	str_put(kept + sizeof(kept) - 3, STR("\"}"));
	return (struct push){ .ephemeral = STR("e"),
		.mac = STR("m"),
		.ciphertext = str_of(ciphertext, n),
		.data = str_of(kept, sizeof(kept) - 1) };
}

static bool
has(const char *text)
{
	return memmem(out.mem + out.off, buf_len(&out), text, strlen(text)) != NULL;
}

Test(push_apns_payload, default_payload_gives_way_and_nothing_else)
{
	static const struct {
		enum apns_push_type type;
		size_t n; /* of the ciphertext */
		bool other, own, plain;
	} cases[] = {
		{ APNS_ALERT, 1900, true, true, false },
		{ APNS_ALERT, 2100, false, true, false },
		{ APNS_ALERT, 3980, false, true, false },
		{ APNS_ALERT, 3995, false, true, false },
		{ APNS_ALERT, 3960, false, true, false },
		{ APNS_VOIP, 3000, true, true, false },
		{ APNS_VOIP, 3200, false, true, false },
		{ APNS_VOIP, 5060, false, false, false },
		{ APNS_BACKGROUND, 3990, false, false, false },
	};
	char *ciphertext = malloc(8192);

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct push push = a_large_push(ciphertext, cases[i].n);
		size_t max = cases[i].type == APNS_VOIP ? 5120 : 4096;

		make(cases[i].type, &push);
		cr_assert_leq(buf_len(&out), max);
		cr_assert_eq(has("kkkk"), cases[i].other, "%zu", cases[i].n);
		cr_assert_eq(has("\"NEW\""), cases[i].own, "%zu", cases[i].n);
		cr_assert_eq(has("SINGLE_UNREAD"), cases[i].plain, "%zu", cases[i].n);
		cr_assert(has("\"ephemeral\":\"e\"") && has("\"mac\":\"m\""));
		cr_assert(memmem(out.mem + out.off, buf_len(&out), ciphertext, cases[i].n) != NULL);
	}
	free(ciphertext);
}

Test(push_apns_payload, larger_than_apple_allows)
{
	static const struct {
		enum apns_push_type type;
		size_t n;
	} cases[] = { { APNS_ALERT, 4096 }, { APNS_BACKGROUND, 4060 }, { APNS_VOIP, 5120 },
		{ APNS_ALERT, 65536 } };
	char *ciphertext = malloc(65536);

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct push push = a_large_push(ciphertext, cases[i].n);

		buf_fini(&out);
		cr_assert_eq(apns_payload(&out, cases[i].type, &push), ERR_TOO_LARGE);
	}
	free(ciphertext);
}
