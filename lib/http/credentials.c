/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/credentials.h"

#include "lib/base/base64.h"
#include "lib/base/utf8.h"

bool
credentials_is_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return utf8_valid(s);
}

static enum err
parse_basic(struct arena *a, struct str text, struct credentials *out)
{
	size_t room = BASE64_DECODED_MAX(text.n), n;
	char *mem = arena_bytes(a, room);

	if (mem == NULL)
		return ERR_MEMORY;
	if (!base64_decode(text, mem, room, &n) || !credentials_is_text(str_of(mem, n)) ||
	    !str_cut(str_of(mem, n), ':', &out->id, &out->secret))
		return ERR_AUTH_SYNTAX;
	return out->id.n > 0 ? OK : ERR_AUTH_SYNTAX;
}

/* b64token of RFC 6750 2.1. */
static bool
is_token(struct str s)
{
	size_t end = s.n;

	while (end > 0 && s.p[end - 1] == '=')
		end--;
	for (size_t i = 0; i < end; i++) {
		char c = s.p[i];

		if (!(c >= '0' && c <= '9') && !(str_lower(c) >= 'a' && str_lower(c) <= 'z') &&
		    (c == '\0' || strchr("-._~+/", c) == NULL))
			return false;
	}
	return end > 0;
}

enum err
credentials_parse(struct arena *a, struct str value, struct credentials *out)
{
	struct str scheme, rest;

	*out = (struct credentials){ 0 };
	str_cut(value, ' ', &scheme, &rest);
	while (rest.n > 0 && rest.p[0] == ' ')
		rest = str_from(rest, 1);
	if (str_eq_ci(scheme, STR("Basic"))) {
		out->kind = CREDENTIALS_BASIC;
		return parse_basic(a, rest, out);
	}
	if (!str_eq_ci(scheme, STR("Bearer")))
		return ERR_AUTH_SYNTAX;
	out->kind = CREDENTIALS_BEARER;
	out->token = rest;
	return is_token(rest) ? OK : ERR_AUTH_SYNTAX;
}

bool
credentials_in_query(struct str target)
{
	struct str query, member, name, value;

	if (!str_cut(target, '?', &name, &query))
		return false;
	while (query.n > 0) {
		str_cut(query, '&', &member, &query);
		str_cut(member, '=', &name, &value);
		if (str_eq_ci(name, STR("access_token")) || str_eq_ci(name, STR("client_secret")) ||
		    str_eq_ci(name, STR("client_id")))
			return true;
	}
	return false;
}

enum err
credentials_read(struct arena *a, const struct h1_head *req, struct credentials *out)
{
	const struct h1_field *f = h1_find(req, H1_F_AUTHORIZATION);

	*out = (struct credentials){ 0 };
	if (credentials_in_query(req->target))
		return ERR_AUTH_URL;
	if (f == NULL)
		return OK;
	if (h1_next(req, f) != NULL)
		return ERR_AUTH_SEVERAL;
	return credentials_parse(a, f->value, out);
}
