/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token - the access token and other query parameters of a client request, read as the homeserver
 * reads them: decoded, the first of several.
 */
#include "proxy/rules/rules.h"

/* application/x-www-form-urlencoded; a malformed escape stands for itself, as in Python. */
static struct str
decode(struct arena *a, struct str s)
{
	char *p;
	size_t n = 0;

	if (str_chr(s, '%') == NULL && str_chr(s, '+') == NULL)
		return s;
	p = arena_bytes(a, s.n);
	if (p == NULL)
		return STR_NONE;
	for (size_t i = 0; i < s.n; i++) {
		bool escape = s.p[i] == '%' && i + 2 < s.n && str_hex(s.p[i + 1]) >= 0 && str_hex(s.p[i + 2]) >= 0;

		if (escape) {
			p[n++] = (char)(str_hex(s.p[i + 1]) << 4 | str_hex(s.p[i + 2]));
			i += 2;
		} else {
			p[n++] = s.p[i] == '+' ? ' ' : s.p[i];
		}
	}
	return str_of(p, n);
}

bool
rule_query(const struct judged *j, struct str name, struct str *value)
{
	struct str rest = j->path->query, pair, key;

	while (rest.n > 0) {
		str_cut(rest, '&', &pair, &rest);
		str_cut(pair, '=', &key, value);
		if (str_eq(decode(j->arena, key), name)) {
			*value = decode(j->arena, *value);
			return true;
		}
	}
	return false;
}

struct str
rule_token(const struct judged *j)
{
	const struct h1_field *f = h1_find(j->req, H1_F_AUTHORIZATION);
	struct str value;

	if (f != NULL)
		return str_has_prefix(f->value, STR("Bearer ")) ? str_from(f->value, 7) : STR_NONE;
	return rule_query(j, STR("access_token"), &value) ? value : STR_NONE;
}
