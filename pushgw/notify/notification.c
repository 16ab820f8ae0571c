/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/notify/notification.h"

#include "lib/matrix/canonical.h"

/* The name of a member in canonical JSON, where none of ours can be spelled otherwise. */
#define NAME(s) STR("\"" s "\"")

/* --- strings --- */

static bool
has_controls(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	return false;
}

/* Names and IDs: they go on in URLs, header fields, and keys of the queue. */
static enum err
read_text(struct arena *a, struct str v, size_t max, struct str *out)
{
	if (json_type(v) != JSON_STRING)
		return ERR_NOTIFY_SHAPE;
	*out = json_text(a, v);
	if (out->p == NULL)
		return ERR_MEMORY;
	if (out->n > max)
		return ERR_NOTIFY_SIZE;
	return has_controls(*out) ? ERR_NOTIFY_SHAPE : OK;
}

static enum err
read_text_or_null(struct arena *a, struct str v, size_t max, struct str *out)
{
	return json_type(v) == JSON_NULL ? OK : read_text(a, v, max, out);
}

static bool
is_base64(struct str s) /* either alphabet, padded or not */
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i], letter = str_lower(c);

		if ((letter < 'a' || letter > 'z') && (c < '0' || c > '9') && c != '+' &&
		    c != '/' && c != '-' && c != '_' && c != '=')
			return false;
	}
	return true;
}

/* It is passed on as it is, so nothing but what looks encrypted (ML-123618-2). */
static enum err
read_opaque(struct arena *a, struct str v, size_t max, struct str *out)
{
	enum err err = read_text_or_null(a, v, max, out);

	return err == OK && !is_base64(*out) ? ERR_NOTIFY_SHAPE : err;
}

/* --- devices --- */

struct reader {
	struct arena *arena;
	const struct notify_conf *limits;
	struct notification *out;
};

static enum err
read_pushkey_ts(struct str v, int64_t *out)
{
	if (json_type(v) == JSON_NULL)
		return OK;
	if (!json_int(v, out))
		return ERR_NOTIFY_SHAPE;
	if (*out < 0)
		*out = 0;
	return OK;
}

/* What a user's client made of its pusher is not the homeserver's fault, which could only repeat
 * it: that device is refused and not the notification. */
static enum err
read_name(struct arena *a, struct str v, size_t max, struct device *d, struct str *out)
{
	enum err err = read_text(a, v, max, out);

	if (json_type(v) != JSON_STRING || err == ERR_MEMORY)
		return err;
	d->unusable = d->unusable || err != OK;
	return OK;
}

static enum err
read_data(const struct reader *r, struct str v, struct device *d)
{
	if (json_type(v) == JSON_NULL)
		return OK;
	if (json_type(v) != JSON_OBJECT)
		return ERR_NOTIFY_SHAPE;
	d->data = v;
	d->unusable = d->unusable || v.n > r->limits->data_max;
	return OK;
}

static enum err
read_device_member(const struct reader *r, struct str name, struct str v, struct device *d)
{
	if (str_eq(name, NAME("app_id")))
		return read_name(r->arena, v, PUSH_APP_ID_MAX, d, &d->app_id);
	if (str_eq(name, NAME("pushkey")))
		return read_name(r->arena, v, PUSH_PUSHKEY_MAX, d, &d->pushkey);
	if (str_eq(name, NAME("pushkey_ts")))
		return read_pushkey_ts(v, &d->pushkey_ts);
	if (str_eq(name, NAME("data")))
		return read_data(r, v, d);
	return OK;
}

static enum err
read_device(const struct reader *r, struct str v, struct device *d)
{
	struct json_iter it;
	struct str name, value;
	enum err err = OK;

	if (json_type(v) != JSON_OBJECT)
		return ERR_NOTIFY_SHAPE;
	json_begin(&it, v);
	while (err == OK && json_next(&it, &name, &value))
		err = read_device_member(r, name, value, d);
	if (err == OK && (d->app_id.p == NULL || d->pushkey.p == NULL))
		return ERR_NOTIFY_SHAPE;
	return err;
}

static size_t
count(struct str array)
{
	struct json_iter it;
	struct str value;
	size_t n = 0;

	json_begin(&it, array);
	while (json_next(&it, NULL, &value))
		n++;
	return n;
}

static enum err
read_devices(const struct reader *r, struct str v)
{
	struct notification *out = r->out;
	size_t n = count(v);
	struct json_iter it;
	struct str value;
	enum err err = OK;

	if (json_type(v) != JSON_ARRAY)
		return ERR_NOTIFY_SHAPE;
	if (n > r->limits->devices_max)
		return ERR_NOTIFY_SIZE;
	out->devices = arena_alloc(r->arena, (n + 1) * sizeof(*out->devices));
	if (out->devices == NULL)
		return ERR_MEMORY;
	json_begin(&it, v);
	while (err == OK && json_next(&it, NULL, &value))
		err = read_device(r, value, &out->devices[out->n_devices++]);
	return err;
}

/* --- the notification --- */

/* What is neither high nor low is high, as if it were absent. */
static enum err
read_prio(struct str v, enum push_prio *out)
{
	if (json_type(v) != JSON_STRING && json_type(v) != JSON_NULL)
		return ERR_NOTIFY_SHAPE;
	*out = json_is(v, STR("low")) ? PUSH_LOW : PUSH_HIGH;
	return OK;
}

static enum err
read_member(const struct reader *r, struct str name, struct str v)
{
	struct notification *out = r->out;

	if (str_eq(name, NAME("devices")))
		return read_devices(r, v);
	if (str_eq(name, NAME("event_id")))
		return read_text_or_null(r->arena, v, PUSH_ID_MAX, &out->event_id);
	if (str_eq(name, NAME("room_id")))
		return read_text_or_null(r->arena, v, PUSH_ID_MAX, &out->room_id);
	if (str_eq(name, NAME("prio")))
		return read_prio(v, &out->prio);
	if (str_eq(name, NAME("ephemeral")))
		return read_opaque(r->arena, v, NOTIFICATION_KEY_MAX, &out->ephemeral);
	if (str_eq(name, NAME("mac")))
		return read_opaque(r->arena, v, NOTIFICATION_KEY_MAX, &out->mac);
	if (str_eq(name, NAME("ciphertext")))
		return read_opaque(r->arena, v, r->limits->ciphertext_max, &out->ciphertext);
	return OK;
}

enum err
notification_read(
    struct arena *a, const struct notify_conf *limits, struct str body, struct notification *out)
{
	const struct reader r = { a, limits, out };
	struct str text, notification, name, value;
	struct json_iter it;
	enum err err = canonical_form(a, body, &text);

	*out = (struct notification){ .prio = PUSH_HIGH };
	if (err != OK)
		return err;
	notification = json_get(text, STR("notification"));
	if (json_type(notification) != JSON_OBJECT)
		return ERR_NOTIFY_SHAPE;
	json_begin(&it, notification);
	while (err == OK && json_next(&it, &name, &value))
		err = read_member(&r, name, value);
	return err == OK && out->devices == NULL ? ERR_NOTIFY_SHAPE : err;
}
