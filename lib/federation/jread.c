/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/federation/jread.h"

#include "lib/base/utf8.h"

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
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
		r->p++;
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

/* Finds the closing quote.  *escaped: there are backslashes (not yet judged). */
static bool
scan_string(struct jread *r, struct str *raw, bool *escaped)
{
	const char *p;

	if (jread_peek(r) != '"')
		return fail(r);
	p = ++r->p;
	*escaped = false;
	while (p < r->end && *p != '"') {
		unsigned char c = (unsigned char)*p;
		size_t step = 1;

		if (c == '\\') {
			*escaped = true;
			step = 2;
		} else if (c < 0x20) {
			return fail(r);
		} else if (c >= 0x80) {
			step = utf8_char(p, r->end);
		}
		if (step == 0 || (size_t)(r->end - p) < step)
			return fail(r);
		p += step;
	}
	if (p == r->end)
		return fail(r);
	*raw = str_of(r->p, (size_t)(p - r->p));
	r->p = p + 1;
	return true;
}

static bool
hex4(struct str s, size_t at, uint32_t *out)
{
	*out = 0;
	if (s.n - at < 4)
		return false;
	for (size_t i = 0; i < 4; i++) {
		int digit = str_hex(s.p[at + i]);

		if (digit < 0)
			return false;
		*out = *out << 4 | (uint32_t)digit;
	}
	return true;
}

/* The code point of "\uXXXX", with its second half if it is a surrogate; *at moves past it. */
static bool
unescape_u(struct str s, size_t *at, uint32_t *code)
{
	uint32_t low;

	if (!hex4(s, *at, code))
		return false;
	*at += 4;
	if (*code < 0xd800 || *code > 0xdfff)
		return true;
	if (*code > 0xdbff || s.n - *at < 6 || s.p[*at] != '\\' || s.p[*at + 1] != 'u' ||
	    !hex4(s, *at + 2, &low) || low < 0xdc00 || low > 0xdfff)
		return false;
	*code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
	*at += 6;
	return true;
}

/* What follows a backslash at s[*at]; its bytes go to out, their number or 0 is the result. */
static size_t
unescape_one(struct str s, size_t *at, char out[4])
{
	static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	const char *named;
	uint32_t code;
	char c = s.p[(*at)++];

	if (c == 'u')
		return unescape_u(s, at, &code) ? utf8_encode(code, out) : 0;
	named = c != '\0' ? strchr(names, c) : NULL;
	if (named == NULL)
		return 0;
	out[0] = bytes[named - names];
	return 1;
}

static bool
unescape(struct str s, char *buf, size_t cap, struct str *out, bool *fits)
{
	size_t n = 0;

	*fits = true;
	for (size_t i = 0; i < s.n;) {
		char piece[4] = { s.p[i++] };
		size_t len = piece[0] == '\\' ? unescape_one(s, &i, piece) : 1;

		if (len == 0)
			return false;
		if (*fits && cap - n >= len) {
			memcpy(buf + n, piece, len);
			n += len;
		} else {
			*fits = false;
		}
	}
	*out = str_of(buf, *fits ? n : 0);
	return true;
}

bool
jread_string(struct jread *r, char *buf, size_t cap, struct str *out, bool *fits)
{
	bool escaped;

	if (!scan_string(r, out, &escaped))
		return false;
	*fits = true;
	return !escaped || unescape(*out, buf, cap, out, fits) || fail(r);
}

static bool
digits(struct jread *r)
{
	const char *start = r->p;

	while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
		r->p++;
	return r->p > start;
}

static bool
next_is(const struct jread *r, char c)
{
	return r->p < r->end && *r->p == c;
}

bool
jread_number(struct jread *r, struct str *text)
{
	char c = jread_peek(r);
	const char *start = r->p;

	if (c == '-')
		r->p++;
	if (next_is(r, '0'))
		r->p++;
	else if (!digits(r))
		return fail(r);
	if (next_is(r, '.')) {
		r->p++;
		if (!digits(r))
			return fail(r);
	}
	if (next_is(r, 'e') || next_is(r, 'E')) {
		r->p++;
		if (next_is(r, '+') || next_is(r, '-'))
			r->p++;
		if (!digits(r))
			return fail(r);
	}
	*text = str_of(start, (size_t)(r->p - start));
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
