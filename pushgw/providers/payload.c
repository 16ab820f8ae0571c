/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/providers/payload.h"

#include "lib/base/jsontext.h"
#include "lib/matrix/canonical.h"

#define NUMBER_MAX 24 /* bytes: any integer of 64 bits */

/* --- names --- */

static bool
is_one_of(struct str name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (str_eq(name, str_z(*names)))
			return true;
	return false;
}

static bool
is_ours(struct str name)
{
	static const char *const names[] = { "event_id", "room_id", "ephemeral", "ciphertext",
		"mac", NULL };

	return is_one_of(name, names);
}

static bool
is_arguments(struct str name)
{
	static const char *const names[] = { "loc-args", "title-loc-args", "subtitle-loc-args",
		NULL };

	return is_one_of(name, names);
}

static bool
is_of_fcm(struct str name)
{
	static const char *const names[] = { "from", "message_type", NULL };

	return is_one_of(name, names) || str_has_prefix(name, STR("google")) ||
	       str_has_prefix(name, STR("gcm"));
}

const char *
payload_path_fault(struct str path, enum payload_form form)
{
	struct str name, rest = path;
	bool first = true, more = true;

	if (path.n > PAYLOAD_PATH_MAX)
		return "is longer than 255 bytes";
	for (; more; first = false) {
		more = str_cut(rest, '.', &name, &rest);
		if (name.n == 0)
			return "is not a path such as aps.alert.loc-key";
		if (more && form == PAYLOAD_STRINGS)
			return "is a path, but FCM takes members of the first level alone";
		if (first && is_ours(name))
			return "names what the gateway sets itself";
		if (first && form == PAYLOAD_STRINGS && is_of_fcm(name))
			return "names what FCM keeps to itself";
		if (is_arguments(name))
			return "names what takes the place of names and content in a text";
	}
	return NULL;
}

/* --- the filter --- */

struct filter {
	const struct conf_list *paths;
	enum payload_form form;
	char path[PAYLOAD_PATH_MAX]; /* of the member that is looked at */
	size_t path_n;
	char out[PAYLOAD_KEPT_MAX];
	size_t n;
	size_t open; /* objects that are still to be closed */
};

/* Whether a path leads to the member at hand, or (below) through it. */
static bool
is_listed(const struct filter *f, bool below)
{
	struct str at = str_of(f->path, f->path_n), path;

	for (size_t i = 0; i < f->paths->n; i++) {
		path = str_z(f->paths->v[i]);
		if (str_has_prefix(path, at) &&
		    (below ? path.n > at.n && path.p[at.n] == '.' : path.n == at.n) &&
		    payload_path_fault(path, f->form) == NULL)
			return true;
	}
	return false;
}

/* Goes down to the member of that name; false: no path can name it. */
static bool
step_down(struct filter *f, struct str name)
{
	size_t dot = f->path_n > 0 ? 1 : 0;

	if (name.n + dot > sizeof(f->path) - f->path_n || str_chr(name, '.') != NULL ||
	    str_chr(name, '\\') != NULL)
		return false;
	if (dot > 0)
		f->path[f->path_n++] = '.';
	str_put(f->path + f->path_n, name);
	f->path_n += name.n;
	return true;
}

static bool
has_room(const struct filter *f, size_t n)
{
	return n + f->open <= sizeof(f->out) - f->n;
}

static void
put(struct filter *f, struct str s)
{
	str_put(f->out + f->n, s);
	f->n += s.n;
}

/* ,"name": - the comma unless it is the first member of its object. */
static void
put_name(struct filter *f, struct str quoted)
{
	if (f->out[f->n - 1] != '{')
		put(f, STR(","));
	put(f, quoted);
	put(f, STR(":"));
}

static void
put_value(struct filter *f, struct str name, struct str value)
{
	enum json_type type = json_type(value);
	bool quote = f->form == PAYLOAD_STRINGS && type != JSON_STRING;

	if (type != JSON_STRING && type != JSON_NUMBER && type != JSON_TRUE && type != JSON_FALSE)
		return;
	if (value.n > (type == JSON_NUMBER ? NUMBER_MAX : PAYLOAD_VALUE_MAX) ||
	    !has_room(f, name.n + value.n + 4)) /* comma, colon, quotes */
		return;
	put_name(f, name);
	if (quote)
		put(f, STR("\""));
	put(f, value);
	if (quote)
		put(f, STR("\""));
}

static void put_members(struct filter *f, struct str object);

/* As if it were not there if nothing of it passes. */
static void
put_object(struct filter *f, struct str name, struct str object)
{
	size_t before = f->n, empty;

	if (!has_room(f, name.n + 4)) /* comma, colon, braces */
		return;
	put_name(f, name);
	put(f, STR("{"));
	empty = f->n;
	f->open++;
	put_members(f, object);
	f->open--;
	if (f->n == empty)
		f->n = before;
	else
		put(f, STR("}"));
}

static void
put_members(struct filter *f, struct str object) /* recursion ends with the longest path */
{
	size_t above = f->path_n;
	struct json_iter it;
	struct str name, value;

	json_begin(&it, object);
	while (json_next(&it, &name, &value)) {
		bool below = json_type(value) == JSON_OBJECT;

		if (name.n > 2 && step_down(f, str_of(name.p + 1, name.n - 2)) &&
		    is_listed(f, below)) {
			if (below)
				put_object(f, name, value);
			else
				put_value(f, name, value);
		}
		f->path_n = above;
	}
}

enum admission
payload_filter(
    struct str data, const struct conf_list *paths, enum payload_form form, struct buf *out)
{
	struct str payload = json_get(data, STR("default_payload"));
	struct filter f;
	char *p;

	if (payload.n == 0)
		return ADMIT_OK;
	if (json_type(payload) != JSON_OBJECT)
		return ADMIT_REJECT;
	f.paths = paths;
	f.form = form;
	f.path_n = 0;
	f.n = 0;
	f.open = 1;
	put(&f, STR("{"));
	put_members(&f, payload);
	put(&f, STR("}"));
	p = f.n > 2 ? buf_reserve(out, f.n) : NULL;
	if (p != NULL) {
		memcpy(p, f.out, f.n);
		buf_commit(out, f.n);
	}
	return ADMIT_OK;
}

/* --- what is sent --- */

static bool
put_ours(struct buf *out, bool *first, const char *name, struct str value)
{
	bool comma = !*first;

	if (value.n == 0)
		return true;
	*first = false;
	return buf_printf(out, "%s\"%s\":", comma ? "," : "", name) && json_put_string(out, value);
}

bool
payload_put(struct buf *out, struct str kept, const struct push *push)
{
	bool first = kept.n <= 2;

	return buf_put(out, first ? STR("{") : str_of(kept.p, kept.n - 1)) &&
	       put_ours(out, &first, "event_id", push->event_id) &&
	       put_ours(out, &first, "room_id", push->room_id) &&
	       put_ours(out, &first, "ephemeral", push->ephemeral) &&
	       put_ours(out, &first, "ciphertext", push->ciphertext) &&
	       put_ours(out, &first, "mac", push->mac) && buf_put(out, STR("}"));
}

bool
payload_pad(struct buf *body, size_t limit)
{
	size_t n = buf_len(body), to = (n + PAYLOAD_PAD - 1) / PAYLOAD_PAD * PAYLOAD_PAD;
	char *p;

	if (to > limit)
		to = limit;
	if (to <= n)
		return true;
	p = buf_reserve(body, to - n);
	if (p == NULL)
		return false;
	memset(p, ' ', to - n);
	buf_commit(body, to - n);
	return true;
}
