/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/jread.h"

#include "lib/base/jsontext.h"

void
jread_init(struct jread *r, struct str text)
{
	*r = (struct jread){ .p = text.p, .end = text.p + text.n };
}

static bool
fail(struct jread *r)
{
	r->bad = true;
	r->p = r->end;
	return false;
}

char
jread_peek(struct jread *r)
{
	r->p = jsontext_skip_blanks(r->p, r->end);
	return r->p < r->end ? *r->p : '\0';
}

bool
jread_enter(struct jread *r, char open)
{
	if (jread_peek(r) != open || r->depth == JREAD_MAX_DEPTH)
		return fail(r);
	r->p++;
	r->depth++;
	r->fresh = true;
	return true;
}

bool
jread_more(struct jread *r, char close)
{
	char c = jread_peek(r);

	if (c == close) {
		r->p++;
		r->depth--;
		r->fresh = false;
		return false;
	}
	if (r->fresh) {
		r->fresh = false;
		return c != '\0' || fail(r);
	}
	if (c != ',')
		return fail(r);
	r->p++;
	/* "[1,]": what comes after a comma is a value */
	return jread_peek(r) != close || fail(r);
}

bool
jread_colon(struct jread *r)
{
	if (jread_peek(r) != ':')
		return fail(r);
	r->p++;
	return true;
}

bool
jread_string(struct jread *r, char *buf, size_t cap, struct str *out, bool *fits)
{
	const char *start, *quote;
	bool escaped;

	if (jread_peek(r) != '"')
		return fail(r);
	start = r->p + 1;
	quote = jsontext_string(start, r->end, &escaped);
	if (quote == NULL)
		return fail(r);
	r->p = quote + 1;
	*out = str_of(start, (size_t)(quote - start));
	*fits = true;
	if (escaped) {
		char *end = jsontext_unescape(buf, cap, *out);

		*fits = end != NULL;
		*out = str_of(buf, *fits ? (size_t)(end - buf) : 0);
	}
	return true;
}

bool
jread_number(struct jread *r, struct str *text)
{
	const char *end;

	jread_peek(r);
	end = jsontext_number(r->p, r->end);
	if (end == NULL)
		return fail(r);
	*text = str_of(r->p, (size_t)(end - r->p));
	r->p = end;
	return true;
}

static bool
word(struct jread *r, struct str w)
{
	if (!str_has_prefix(str_of(r->p, (size_t)(r->end - r->p)), w))
		return fail(r);
	r->p += w.n;
	return true;
}

bool
jread_bool(struct jread *r, bool *out)
{
	*out = jread_peek(r) == 't';
	return word(r, *out ? STR("true") : STR("false"));
}

bool
jread_null(struct jread *r)
{
	jread_peek(r);
	return word(r, STR("null"));
}

static bool
skip_string(struct jread *r)
{
	struct str text;
	bool fits;
	char none[1];

	return jread_string(r, none, 0, &text, &fits);
}

static bool
skip_container(struct jread *r, char open, char close)
{
	if (!jread_enter(r, open))
		return false;
	while (jread_more(r, close)) {
		if (open == '{' && (!skip_string(r) || !jread_colon(r)))
			return false;
		if (!jread_skip(r))
			return false;
	}
	return !r->bad;
}

bool
jread_skip(struct jread *r) /* recursion ends at JREAD_MAX_DEPTH */
{
	struct str text;
	bool flag;

	switch (jread_peek(r)) {
	case '{':
		return skip_container(r, '{', '}');
	case '[':
		return skip_container(r, '[', ']');
	case '"':
		return skip_string(r);
	case 't':
	case 'f':
		return jread_bool(r, &flag);
	case 'n':
		return jread_null(r);
	default:
		return jread_number(r, &text);
	}
}

bool
jread_end(struct jread *r)
{
	return (jread_peek(r) == '\0' && r->p == r->end && !r->bad) || fail(r);
}
