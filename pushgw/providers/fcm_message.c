/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/providers/fcm_message.h"

#include "lib/matrix/canonical.h"
#include "pushgw/providers/payload.h"

#define ROOM (512 << 10) /* what is too long is measured, not cut */
#define PAD_MAX 8192     /* longer than any message */

bool
fcm_is_token(struct str pushkey)
{
	for (size_t i = 0; i < pushkey.n; i++)
		if (pushkey.p[i] <= ' ' || pushkey.p[i] > '~')
			return false;
	return pushkey.n > 0 && pushkey.n <= FCM_TOKEN_MAX;
}

/* As JSON, where quotes count too: somewhat less than FCM would take. */
static enum err
put_data(struct buf *out, const struct push *push)
{
	if (!payload_put(out, push->data, push))
		return ERR_MEMORY;
	if (buf_len(out) <= FCM_DATA_MAX)
		return OK;
	buf_consume(out, buf_len(out));
	if (!payload_put(out, STR_NONE, push))
		return ERR_MEMORY;
	return buf_len(out) <= FCM_DATA_MAX ? OK : ERR_TOO_LARGE;
}

static bool
put_message(struct buf *out, const struct push *push, clock_ms ttl, struct str data)
{
	unsigned long long seconds = ttl / 1000 < FCM_TTL_MAX_S ? ttl / 1000 : FCM_TTL_MAX_S;

	return buf_printf(out,
		   "{\"message\":{\"android\":{\"priority\":\"%s\",\"ttl\":\"%llus\"},\"data\":",
		   push->prio == PUSH_HIGH ? "HIGH" : "NORMAL", seconds) &&
	       buf_put(out, data) && buf_put(out, STR(",\"token\":")) &&
	       json_put_string(out, push->pushkey) && buf_put(out, STR("}}")) &&
	       payload_pad(out, PAD_MAX);
}

enum err
fcm_message(struct buf *out, const struct push *push, clock_ms ttl)
{
	struct buf data;
	enum err err;

	buf_init(out, ROOM);
	buf_init(&data, ROOM);
	err = put_data(&data, push);
	if (err == OK && !put_message(out, push, ttl, buf_str(&data)))
		err = ERR_MEMORY;
	buf_fini(&data);
	return err;
}
