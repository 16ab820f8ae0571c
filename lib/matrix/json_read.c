/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_read - the accessors of canonical.h: they walk the text and give slices of it.
 *
 * They rely on valid JSON for what they say, but never leave the slice whatever it holds.
 */
#include "lib/base/buf.h"
#include "lib/base/jsontext.h"
#include "lib/matrix/canonical.h"

/* p is at the opening quote; returns what is behind the closing one. */
static const char *
skip_string(const char *p, const char *end)
{
	p = jsontext_string_end(p + 1, end);
	return p < end ? p + 1 : end;
}

static const char *
skip_container(const char *p, const char *end)
{
	size_t depth = 0;

	while (p < end) {
		if (*p == '"') {
			p = skip_string(p, end);
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		else if ((*p == '}' || *p == ']') && --depth == 0)
			return p + 1;
		p++;
	}
	return end;
}

/* Returns what is behind the value at p < end. */
static const char *
skip_value(const char *p, const char *end)
{
	if (*p == '"')
		return skip_string(p, end);
	if (*p == '{' || *p == '[')
		return skip_container(p, end);
	while (p < end && *p != ',' && *p != ']' && *p != '}' && !jsontext_blank(*p))
		p++;
	return p;
}

enum json_type
json_type(struct str v)
{
	if (v.n == 0)
		return JSON_NONE;
	switch (v.p[0]) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_STRING;
	case 't':
		return JSON_TRUE;
	case 'f':
		return JSON_FALSE;
	case 'n':
		return JSON_NULL;
	default:
		return v.p[0] == '-' || (v.p[0] >= '0' && v.p[0] <= '9') ? JSON_NUMBER : JSON_NONE;
	}
}

/* The literal without its quotes; false if v is none. */
static bool
inside(struct str v, struct str *raw)
{
	if (v.n < 2 || v.p[0] != '"' || v.p[v.n - 1] != '"')
		return false;
	*raw = str_of(v.p + 1, v.n - 2);
	return true;
}

bool
json_is(struct str v, struct str text)
{
	struct str raw;

	return inside(v, &raw) && jsontext_is(raw, text);
}

struct str
json_text(struct arena *a, struct str v)
{
	struct str raw;
	char *out;

	if (!inside(v, &raw))
		return STR_NONE;
	if (str_chr(raw, '\\') == NULL)
		return raw;
	out = arena_bytes(a, raw.n);
	if (out == NULL)
		return STR_NONE;
	return str_of(out, (size_t)(jsontext_unescape(out, raw.n, raw) - out));
}

void
json_begin(struct json_iter *it, struct str v)
{
	it->in = json_type(v);
	it->rest = it->in == JSON_OBJECT || it->in == JSON_ARRAY ? str_from(v, 1) : STR_NONE;
}

/* Cuts the value at the front of the rest; false if there is none. */
static bool
take_value(struct json_iter *it, struct str *value)
{
	const char *p, *end, *behind;

	if (it->rest.n == 0)
		return false;
	end = it->rest.p + it->rest.n;
	p = jsontext_skip_blanks(it->rest.p, end);
	if (p == end)
		return false;
	behind = skip_value(p, end);
	if (behind == p)
		return false;
	*value = str_of(p, (size_t)(behind - p));
	p = jsontext_skip_blanks(behind, end);
	if (p < end && (*p == ',' || *p == ':'))
		p++;
	it->rest = str_of(p, (size_t)(end - p));
	return true;
}

bool
json_next(struct json_iter *it, struct str *key, struct str *value)
{
	struct str name;

	if (it->in == JSON_OBJECT) {
		if (!take_value(it, &name))
			return false;
		if (key != NULL)
			*key = name;
	}
	return take_value(it, value);
}

struct str
json_get(struct str v, struct str name)
{
	struct json_iter it;
	struct str key, value;

	if (json_type(v) != JSON_OBJECT)
		return STR_NONE;
	json_begin(&it, v);
	while (json_next(&it, &key, &value))
		if (json_is(key, name))
			return value;
	return STR_NONE;
}

bool
json_int(struct str v, int64_t *out)
{
	bool minus = v.n > 0 && v.p[0] == '-';
	uint64_t max = (uint64_t)INT64_MAX + (minus ? 1 : 0), n;

	if (!str_to_u64(minus ? str_from(v, 1) : v, max, &n))
		return false;
	*out = !minus ? (int64_t)n : n == 0 ? 0 : -(int64_t)(n - 1) - 1;
	return true;
}

bool
json_put_string(struct buf *out, struct str s)
{
	size_t n = jsontext_quoted_size(s);
	char *p = buf_reserve(out, n);

	if (p == NULL)
		return false;
	jsontext_quote(p, s);
	buf_commit(out, n);
	return true;
}
