/* SPDX-License-Identifier: Apache-2.0 */
#include "notify_view.h"

#include <jansson.h>

static json_t *
load(struct str text)
{
	return json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
}

static struct str
text_of(const json_t *v)
{
	return json_is_string(v) ? str_of(json_string_value(v), json_string_length(v)) : STR_NONE;
}

static bool
is(const json_t *object, const char *name, struct str s)
{
	return str_eq(text_of(json_object_get(object, name)), s);
}

/* --- the same --- */

static bool
same_data(const json_t *v, struct str data)
{
	json_t *read = data.n > 0 ? load(data) : NULL;
	bool same = read != NULL ? json_equal(read, v) : v == NULL || json_is_null(v);

	json_decref(read);
	return same;
}

static bool
same_device(const json_t *v, const struct device *d)
{
	json_int_t ts = json_integer_value(json_object_get(v, "pushkey_ts"));

	return is(v, "app_id", d->app_id) && is(v, "pushkey", d->pushkey) &&
	       d->pushkey_ts == (ts > 0 ? ts : 0) && same_data(json_object_get(v, "data"), d->data);
}

static bool
same(const json_t *v, const struct notification *n)
{
	const json_t *devices = json_object_get(v, "devices");

	if (!is(v, "event_id", n->event_id) || !is(v, "room_id", n->room_id) ||
	    !is(v, "ephemeral", n->ephemeral) || !is(v, "ciphertext", n->ciphertext) ||
	    !is(v, "mac", n->mac) || json_array_size(devices) != n->n_devices ||
	    is(v, "prio", STR("low")) != (n->prio == PUSH_LOW))
		return false;
	for (size_t i = 0; i < n->n_devices; i++)
		if (!same_device(json_array_get(devices, i), &n->devices[i]))
			return false;
	return true;
}

bool
notify_view_same(struct str body, const struct notification *n)
{
	json_t *v = load(body);
	bool yes = v != NULL && same(json_object_get(v, "notification"), n);

	json_decref(v);
	return yes;
}

/* --- good --- */

static bool
good_text(const json_t *v, size_t max, bool needed)
{
	struct str s = text_of(v);

	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return s.n <= max && (json_is_string(v) || (!needed && (v == NULL || json_is_null(v))));
}

static bool
good_opaque(const json_t *v, size_t max)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789+/-_=";
	struct str s = text_of(v);

	for (size_t i = 0; i < s.n; i++)
		if (memchr(letters, s.p[i], sizeof(letters) - 1) == NULL)
			return false;
	return good_text(v, max, false);
}

static bool
good_device(const json_t *v)
{
	const json_t *ts = json_object_get(v, "pushkey_ts"), *data = json_object_get(v, "data");

	return good_text(json_object_get(v, "app_id"), PUSH_APP_ID_MAX, true) &&
	       good_text(json_object_get(v, "pushkey"), PUSH_PUSHKEY_MAX, true) &&
	       (ts == NULL || json_is_null(ts) || json_is_integer(ts)) &&
	       (data == NULL || json_is_null(data) || json_is_object(data));
}

static bool
good(const json_t *v, const struct notify_conf *limits)
{
	const json_t *devices = json_object_get(v, "devices"), *prio = json_object_get(v, "prio");
	size_t n = json_array_size(devices);

	if (!json_is_array(devices) || n > limits->devices_max ||
	    !(prio == NULL || json_is_null(prio) || json_is_string(prio)) ||
	    !good_text(json_object_get(v, "event_id"), PUSH_ID_MAX, false) ||
	    !good_text(json_object_get(v, "room_id"), PUSH_ID_MAX, false) ||
	    !good_opaque(json_object_get(v, "ephemeral"), NOTIFICATION_KEY_MAX) ||
	    !good_opaque(json_object_get(v, "mac"), NOTIFICATION_KEY_MAX) ||
	    !good_opaque(json_object_get(v, "ciphertext"), limits->ciphertext_max))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!good_device(json_array_get(devices, i)))
			return false;
	return true;
}

bool
notify_view_good(struct str body, const struct notify_conf *limits)
{
	json_t *v = body.n <= limits->data_max ? load(body) : NULL;
	bool yes = v != NULL && good(json_object_get(v, "notification"), limits);

	json_decref(v);
	return yes;
}
