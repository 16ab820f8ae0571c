/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/api_target.h"

/* Percent-decodes; control bytes and what separates segments elsewhere is refused. */
static enum err
decode(struct arena *a, struct str raw, enum err bad, struct str *out)
{
	char *p = arena_bytes(a, raw.n + 1);
	size_t n = 0;

	if (p == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < raw.n; i++) {
		int hi, lo, c = (unsigned char)raw.p[i];

		if (c == '%') {
			if (i + 2 >= raw.n || (hi = str_hex(raw.p[i + 1])) < 0 ||
			    (lo = str_hex(raw.p[i + 2])) < 0)
				return bad;
			c = hi << 4 | lo;
			i += 2;
		}
		if (c <= ' ' || c == 0x7f || c == '\\' || (c == '/' && bad == ERR_PATH))
			return bad;
		p[n++] = (char)c;
	}
	*out = str_of(p, n);
	return OK;
}

static enum err
parse_path(struct arena *a, struct str path, struct target *out)
{
	struct str rest = str_from(path, 1), raw;

	if (path.n == 1)
		return OK;
	for (bool more = true; more;) {
		struct str *text = &out->segments[out->n_segments];
		enum err err;

		if (out->n_segments == TARGET_SEGMENTS_MAX)
			return ERR_UNRECOGNIZED;
		more = str_cut(rest, '/', &raw, &rest);
		err = decode(a, raw, ERR_PATH, text);
		if (err == OK &&
		    (text->n == 0 || str_eq(*text, STR(".")) || str_eq(*text, STR(".."))))
			err = ERR_PATH;
		if (err != OK)
			return err;
		out->n_segments++;
	}
	return OK;
}

static bool
is_secret(struct str name)
{
	static const char *const names[] = { "access_token", "refresh_token", "token",
		"client_secret", "client_assertion", "password", "authorization", "mxid" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (str_eq_ci(name, str_z(names[i])))
			return true;
	return false;
}

/* "+" would be a blank to some and a plus sign to others. */
static enum err
parse_param(struct arena *a, struct str raw, struct target *out)
{
	struct target_param p = { STR_NONE, STR_NONE };
	struct str name, value, twice;
	bool whole = str_cut(raw, '=', &name, &value);
	enum err err;

	err = decode(a, name, ERR_QUERY, &p.name);
	if (err != OK)
		return err;
	if (is_secret(p.name))
		return ERR_URL_SECRET;
	if (p.name.n == 0 || !whole || str_chr(raw, '+') != NULL ||
	    target_param(out, p.name, &twice) || out->n_params == TARGET_PARAMS_MAX)
		return ERR_QUERY;
	err = decode(a, value, ERR_QUERY, &p.value);
	out->params[out->n_params++] = p;
	return err;
}

enum err
target_parse(struct arena *a, struct str text, struct target *out)
{
	struct str path, query, raw;
	bool has_query;
	enum err err;

	out->n_segments = out->n_params = 0;
	if (text.n == 0 || text.p[0] != '/')
		return ERR_UNRECOGNIZED;
	has_query = str_cut(text, '?', &path, &query);
	for (bool more = has_query; more;) {
		more = str_cut(query, '&', &raw, &query);
		err = parse_param(a, raw, out);
		if (err != OK)
			return err;
	}
	return parse_path(a, path, out);
}

bool
target_is(const struct target *t, const char *path)
{
	struct str rest = str_z(path + 1), want;
	size_t i = 0;

	for (bool more = true; more; i++) {
		more = str_cut(rest, '/', &want, &rest);
		if (i == t->n_segments || (want.p[0] != '{' && !str_eq(want, t->segments[i])))
			return false;
	}
	return i == t->n_segments;
}

static bool
is_word_of(struct str name, struct str words)
{
	struct str word;

	for (bool more = true; more;) {
		more = str_cut(words, ',', &word, &words);
		if (str_eq(word, name))
			return true;
	}
	return false;
}

bool
target_params_known(const struct target *t, const char *names)
{
	for (size_t i = 0; i < t->n_params; i++)
		if (!is_word_of(t->params[i].name, str_z(names)))
			return false;
	return true;
}

bool
target_param(const struct target *t, struct str name, struct str *value)
{
	for (size_t i = 0; i < t->n_params; i++)
		if (str_eq(t->params[i].name, name)) {
			*value = t->params[i].value;
			return true;
		}
	return false;
}
