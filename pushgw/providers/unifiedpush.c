/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unifiedpush - applications that get pushes from a server of the user's choice (UnifiedPush, "Push
 * Gateway" for Matrix): pushkey is the endpoint's URL.
 *
 * What is sent is {"notification":{...}} with event_id, room_id and what MSC3013 encrypted.  A
 * pusher whose `data` has p256dh and auth of a Web Push subscription, as current UnifiedPush
 * (Android, AND_3) gives one to each application, gets it encrypted by RFC 8291, so that the push
 * server learns nothing; others get it as it is.
 */
#include <sodium.h>

#include "lib/matrix/canonical.h"
#include "pushgw/providers/endpoint.h"
#include "pushgw/providers/payload.h"
#include "pushgw/providers/webpost.h"

#define BODY_MAX 4096
#define TEXT_MAX 65536                            /* before it is known that it is too large */
#define TTL_MAX ((clock_ms)28 * 24 * 3600 * 1000) /* longer than anything is kept */

#define AUTH STR("auth")
#define P256DH STR("p256dh")

static bool
is_encrypted(struct str data)
{
	return json_get(data, AUTH).n > 0 || json_get(data, P256DH).n > 0;
}

static bool
is_allowed(const struct app_conf *app, struct str pushkey)
{
	struct endpoint e;

	return endpoint_read(&e, pushkey) && endpoint_allowed(&e, &app->unifiedpush.endpoints);
}

/* Keys that cannot be used reject the pushkey: what should be encrypted is not sent otherwise. */
static enum admission
admit(const struct app_conf *app, const struct device *d, struct buf *kept)
{
	struct str auth = webpost_member(d->data, AUTH), p256dh = webpost_member(d->data, P256DH);
	struct ece_keys keys;
	bool good;

	if (!is_allowed(app, d->pushkey))
		return ADMIT_REJECT;
	if (!is_encrypted(d->data))
		return ADMIT_OK;
	good = ece_keys_read(&keys, p256dh, auth);
	sodium_memzero(&keys, sizeof(keys));
	if (!good)
		return ADMIT_REJECT;
	if (!buf_printf(kept, "{\"auth\":\"" STR_FMT "\",\"p256dh\":\"" STR_FMT "\"}",
		STR_ARG(auth), STR_ARG(p256dh)))
		return ADMIT_DROP; /* out of memory */
	return ADMIT_OK;
}

/* --- sending --- */

static bool
is_crowded(const struct provider *p, const struct push *push)
{
	return webpost_crowded(p, push->pushkey);
}

static bool
put_text(const struct push *push, struct buf *out)
{
	return buf_put(out, STR("{\"notification\":")) && payload_put(out, STR_NONE, push) &&
	       buf_put(out, STR("}"));
}

static enum err
put_body(const struct push *push, const struct ece_keys *keys, struct buf *out)
{
	struct buf text;
	enum err err = ERR_MEMORY;

	buf_init(&text, TEXT_MAX);
	if (put_text(push, &text)) {
		if (keys != NULL)
			err = webpost_seal(keys, buf_str(&text), out);
		else if (buf_len(&text) > BODY_MAX)
			err = ERR_TOO_LARGE;
		else if (payload_pad(&text, BODY_MAX) && buf_put(out, buf_str(&text)))
			err = OK;
	}
	buf_fini(&text);
	return err;
}

static struct attempt *
send_push(struct provider *p, const struct push *push, int64_t expires,
    void (*fn)(void *arg, const struct attempt_result *r), void *arg)
{
	struct webpost w = { .url = push->pushkey,
		.sealed = is_encrypted(push->data),
		.prio = push->prio,
		.ttl = provider_ttl(TTL_MAX, expires) };
	struct attempt *a = NULL;
	struct ece_keys keys;
	struct buf body;
	enum err err;

	if (!is_allowed(p->app, push->pushkey) ||
	    (w.sealed && !ece_keys_read(&keys, webpost_member(push->data, P256DH),
			     webpost_member(push->data, AUTH))))
		return webpost_drop(p, "not_admitted", fn, arg);
	buf_init(&body, ECE_BODY_MAX);
	err = put_body(push, w.sealed ? &keys : NULL, &body);
	w.body = buf_str(&body);
	if (err == OK)
		a = webpost_send(p, &w, fn, arg);
	else if (err == ERR_TOO_LARGE)
		a = webpost_drop(p, "too_large", fn, arg);
	buf_fini(&body);
	sodium_memzero(&keys, sizeof(keys));
	return a;
}

const struct provider_type provider_unifiedpush = { .name = "unifiedpush",
	.admit = admit,
	.open = webpost_open,
	.close = webpost_close,
	.crowded = is_crowded,
	.send = send_push,
	.cancel = webpost_cancel };
