/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/providers/apns_payload.h"

#include "lib/matrix/canonical.h"
#include "pushgw/providers/payload.h"

#define ALERT STR("{\"loc-args\":[],\"loc-key\":\"SINGLE_UNREAD\"}")
#define ROOM (512 << 10) /* what is too long is measured, not cut */

enum cut { WHOLE, APS_ONLY, OURS_ONLY, CUTS };

/* Behind the brace of an object or another member. */
static bool
put_member(struct buf *out, struct str key, struct str value)
{
	struct str s = buf_str(out);

	return (s.p[s.n - 1] == '{' || buf_put(out, STR(","))) && buf_put(out, key) &&
	       buf_put(out, STR(":")) && buf_put(out, value);
}

/* One pusher with nonsense in its `aps` must not get an answer that looks as if our settings were
 * wrong: see InvalidPushType in apns_answer. */
static bool
is_sound(struct str key, struct str value)
{
	if (json_is(key, STR("alert")))
		return json_type(value) == JSON_OBJECT || json_type(value) == JSON_STRING;
	if (json_is(key, STR("content-available")) || json_is(key, STR("mutable-content")))
		return str_eq(value, STR("1"));
	return true;
}

/* An alert always has one, a background push never. */
static bool
put_aps(struct buf *out, enum apns_push_type type, struct str given)
{
	bool own = type != APNS_BACKGROUND,
	     alert = own && is_sound(STR("\"alert\""), json_get(given, STR("alert")));
	struct json_iter it;
	struct str key, value;
	bool good = buf_put(out, STR("\"aps\":{"));

	if (type == APNS_ALERT && !alert)
		good = good && put_member(out, STR("\"alert\""), ALERT);
	if (type == APNS_ALERT && given.n == 0)
		good = good && put_member(out, STR("\"mutable-content\""), STR("1"));
	if (type == APNS_BACKGROUND)
		good = good && put_member(out, STR("\"content-available\""), STR("1"));
	json_begin(&it, own ? given : STR_NONE);
	while (good && json_next(&it, &key, &value))
		good = !is_sound(key, value) || put_member(out, key, value);
	return good && buf_put(out, STR("}"));
}

static bool
put_others(struct buf *out, struct str kept)
{
	struct json_iter it;
	struct str key, value;
	bool good = true;

	json_begin(&it, kept);
	while (good && json_next(&it, &key, &value))
		good = json_is(key, STR("aps")) || put_member(out, key, value);
	return good;
}

/* What precedes the IDs, as an object. */
static bool
put_kept(struct buf *out, enum apns_push_type type, struct str kept, enum cut cut)
{
	struct str aps = cut < OURS_ONLY ? json_get(kept, STR("aps")) : STR_NONE;

	return buf_put(out, STR("{")) &&
	       put_aps(out, type, json_type(aps) == JSON_OBJECT ? aps : STR_NONE) &&
	       put_others(out, cut == WHOLE ? kept : STR_NONE) && buf_put(out, STR("}"));
}

static bool
put(struct buf *out, enum apns_push_type type, const struct push *push, enum cut cut)
{
	struct buf kept;
	bool good;

	buf_init(&kept, ROOM);
	good = put_kept(&kept, type, push->data, cut);
	buf_consume(out, buf_len(out));
	good = good && payload_put(out, buf_str(&kept), push);
	buf_fini(&kept);
	return good;
}

enum err
apns_payload(struct buf *out, enum apns_push_type type, const struct push *push)
{
	size_t max = type == APNS_VOIP ? APNS_PAYLOAD_VOIP_MAX : APNS_PAYLOAD_MAX;
	enum cut cut = WHOLE;

	buf_init(out, ROOM);
	do {
		if (!put(out, type, push, cut))
			return ERR_MEMORY;
	} while (buf_len(out) > max && ++cut < CUTS);
	if (buf_len(out) > max)
		return ERR_TOO_LARGE;
	return payload_pad(out, max) ? OK : ERR_MEMORY;
}
