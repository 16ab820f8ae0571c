/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token - the access token and other query parameters of a client request.
 *
 * Homeservers differ in where they look and which of several they take (Synapse splits the query at
 * ";" too, others try the query when the header is of another scheme).  So a token counts only if
 * there is exactly one place it can be in; a request with more has none we could speak about.
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
		bool escape = s.p[i] == '%' && i + 2 < s.n && str_hex(s.p[i + 1]) >= 0 &&
			      str_hex(s.p[i + 2]) >= 0;

		if (escape) {
			p[n++] = (char)(str_hex(s.p[i + 1]) << 4 | str_hex(s.p[i + 2]));
			i += 2;
		} else {
			p[n++] = s.p[i] == '+' ? ' ' : s.p[i];
		}
	}
	return str_of(p, n);
}

/* Cuts the next pair off the query, at "&" or ";". */
static struct str
next_pair(struct str *rest)
{
	size_t n = 0;
	struct str pair;

	while (n < rest->n && rest->p[n] != '&' && rest->p[n] != ';')
		n++;
	pair = str_of(rest->p, n);
	*rest = str_from(*rest, n < rest->n ? n + 1 : n);
	return pair;
}

size_t
rule_query(const struct judged *j, struct str name, struct str *value)
{
	struct str rest = j->path->query;
	size_t found = 0;

	while (rest.n > 0) {
		struct str key, text;

		str_cut(next_pair(&rest), '=', &key, &text);
		if (str_eq(decode(j->arena, key), name) && found++ == 0)
			*value = decode(j->arena, text);
	}
	return found;
}

static struct str
bearer(struct str credentials)
{
	struct str scheme, token;

	str_cut(credentials, ' ', &scheme, &token);
	return str_eq_ci(scheme, STR("Bearer")) ? str_trim(token) : STR_NONE;
}

struct str
rule_token(const struct judged *j)
{
	const struct h1_field *f = h1_find(j->req, H1_F_AUTHORIZATION);
	struct str value = STR_NONE;
	size_t in_query = rule_query(j, STR("access_token"), &value);

	if (f == NULL)
		return in_query == 1 ? value : STR_NONE;
	return in_query == 0 && h1_next(j->req, f) == NULL ? bearer(f->value) : STR_NONE;
}
