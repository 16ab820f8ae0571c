/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/providers/apns_payload.h"

#include "lib/matrix/canonical.h"
#include "pushgw/providers/payload.h"

#define BACKGROUND STR("{\"content-available\":1}")
#define ALERT \
	STR("{\"alert\":{\"loc-args\":[],\"loc-key\":\"SINGLE_UNREAD\"},\"mutable-content\":1}")
#define ROOM (512 << 10) /* what is too long is measured, not cut */

enum cut { WHOLE, APS_ONLY, OURS_ONLY, CUTS };

/* n == 0: no `aps`. */
static struct str
aps_of(enum apns_push_type type, struct str kept, enum cut cut)
{
	struct str aps = cut < OURS_ONLY ? json_get(kept, STR("aps")) : STR_NONE;

	if (type == APNS_BACKGROUND)
		return BACKGROUND;
	if (json_type(aps) == JSON_OBJECT)
		return aps;
	return type == APNS_ALERT ? ALERT : STR_NONE;
}

static bool
put_member(struct buf *out, struct str key, struct str value)
{
	return (buf_len(out) == 1 || buf_put(out, STR(","))) && buf_put(out, key) &&
	       buf_put(out, STR(":")) && buf_put(out, value);
}

/* What precedes the IDs, as an object. */
static bool
put_kept(struct buf *out, enum apns_push_type type, struct str kept, enum cut cut)
{
	struct str aps = aps_of(type, kept, cut), key, value;
	struct json_iter it;
	bool good = buf_put(out, STR("{")) && (aps.n == 0 || put_member(out, STR("\"aps\""), aps));

	json_begin(&it, cut == WHOLE ? kept : STR_NONE);
	while (good && json_next(&it, &key, &value))
		good = json_is(key, STR("aps")) || put_member(out, key, value);
	return good && buf_put(out, STR("}"));
}

static bool
put(struct buf *out, enum apns_push_type type, const struct push *push, enum cut cut)
{
	struct buf kept;
	bool good;

	buf_init(&kept, ROOM);
	good = put_kept(&kept, type, push->data, cut);
	buf_consume(out, buf_len(out));
	good = good && payload_put(out, buf_len(&kept) > 2 ? buf_str(&kept) : STR_NONE, push);
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
