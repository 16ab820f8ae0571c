/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/api_etag.h"

/* Takes one entity tag from the front of a list; false: there is none, or it is malformed. */
static bool
next_tag(struct str *list, struct str *tag)
{
	struct str s = *list;
	const char *end;

	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == ','))
		s = str_from(s, 1);
	if (str_has_prefix(s, STR("W/")))
		s = str_from(s, 2);
	if (s.n < 2 || s.p[0] != '"' || (end = str_chr(str_from(s, 1), '"')) == NULL)
		return false;
	*tag = str_of(s.p, (size_t)(end + 1 - s.p));
	*list = str_trim(str_from(s, tag->n));
	return list->n == 0 || list->p[0] == ',';
}

bool
etag_matches(const struct h1_head *req, struct str etag)
{
	for (size_t i = 0; i < req->n_fields; i++) {
		struct str list = req->fields[i].value, tag;

		if (!str_eq_ci(req->fields[i].name, STR("If-None-Match")))
			continue;
		if (str_eq(list, STR("*")))
			return true;
		while (next_tag(&list, &tag))
			if (str_eq(tag, etag))
				return true;
	}
	return false;
}

struct str
etag_opaque(struct str tag)
{
	if (str_has_prefix(tag, STR("W/")))
		tag = str_from(tag, 2);
	if (tag.n >= 2 && tag.p[0] == '"' && tag.p[tag.n - 1] == '"')
		tag = str_of(tag.p + 1, tag.n - 2);
	return tag;
}
