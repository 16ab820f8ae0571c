/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/jsontext.h"

#include "lib/base/utf8.h"

#define EACH_BYTE(x) (UINT64_C(0x0101010101010101) * (x))

static const char *
digits(const char *p, const char *end) /* at least one */
{
	const char *start = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p > start ? p : NULL;
}

const char *
jsontext_number(const char *p, const char *end)
{
	if (p < end && *p == '-')
		p++;
	p = p < end && *p == '0' ? p + 1 : digits(p, end);
	if (p != NULL && p < end && *p == '.')
		p = digits(p + 1, end);
	if (p != NULL && p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		p = digits(p, end);
	}
	return p;
}

/* The first byte that is not plain (ASCII from blank on, except quote and backslash), or end.
 * Eight bytes at a time: the top bit of a byte gets set where that byte is not plain (and, by the
 * borrow, perhaps above it, which is why the bytes are looked at singly from there on). */
static const char *
skip_plain(const char *p, const char *end)
{
	uint64_t x, quote, backslash;

	while (end - p >= 8) {
		memcpy(&x, p, sizeof(x));
		quote = (x ^ EACH_BYTE('"')) - EACH_BYTE(1);
		backslash = (x ^ EACH_BYTE('\\')) - EACH_BYTE(1);
		if (((x | (x - EACH_BYTE(0x20)) | quote | backslash) & EACH_BYTE(0x80)) != 0)
			break;
		p += 8;
	}
	while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' &&
	       *p != '\\')
		p++;
	return p;
}

static bool
hex4(const char *p, const char *end, uint32_t *out)
{
	uint32_t v = 0;

	if (end - p < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		int d = str_hex(p[i]);

		if (d < 0)
			return false;
		v = v << 4 | (uint32_t)d;
	}
	*out = v;
	return true;
}

/* \uXXXX, or two of them for a character beyond U+FFFF. */
static size_t
unicode_escape(const char *p, const char *end, uint32_t *cp)
{
	uint32_t low;

	if (!hex4(p + 2, end, cp))
		return 0;
	if (*cp < 0xd800 || *cp > 0xdfff)
		return 6;
	if (*cp > 0xdbff || end - p < 12 || p[6] != '\\' || p[7] != 'u' ||
	    !hex4(p + 8, end, &low) || low < 0xdc00 || low > 0xdfff)
		return 0;
	*cp = 0x10000 + ((*cp - 0xd800) << 10) + (low - 0xdc00);
	return 12;
}

size_t
jsontext_escape(const char *p, const char *end, uint32_t *cp)
{
	if (end - p < 2)
		return 0;
	switch (p[1]) {
	case '"':
	case '\\':
	case '/':
		*cp = (unsigned char)p[1];
		return 2;
	case 'b':
		*cp = '\b';
		return 2;
	case 'f':
		*cp = '\f';
		return 2;
	case 'n':
		*cp = '\n';
		return 2;
	case 'r':
		*cp = '\r';
		return 2;
	case 't':
		*cp = '\t';
		return 2;
	case 'u':
		return unicode_escape(p, end, cp);
	default:
		return 0;
	}
}

const char *
jsontext_string(const char *p, const char *end, bool *escaped)
{
	uint32_t code_point;
	size_t n;

	*escaped = false;
	for (;;) {
		p = skip_plain(p, end);
		if (p == end)
			return NULL;
		if (*p == '"')
			return p;
		if (*p == '\\') {
			*escaped = true;
			n = jsontext_escape(p, end, &code_point);
		} else {
			n = (unsigned char)*p >= 0x80 ? utf8_char(p, end) : 0;
		}
		if (n == 0)
			return NULL;
		p += n;
	}
}

const char *
jsontext_string_end(const char *p, const char *end)
{
	const char *start = p, *run;

	for (; (p = memchr(p, '"', (size_t)(end - p))) != NULL; p++) {
		run = p; /* of backslashes before the quote; an even number escape each other */
		while (run > start && run[-1] == '\\')
			run--;
		if ((p - run) % 2 == 0)
			return p;
	}
	return end;
}

/* The letter of a two-byte escape, or 0. */
static char
short_escape(uint32_t cp)
{
	switch (cp) {
	case '"':
	case '\\':
		return (char)cp;
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return 0;
	}
}

size_t
jsontext_spell(uint32_t cp, char out[JSONTEXT_SPELLING_MAX])
{
	static const char hex[] = "0123456789abcdef";
	char letter = short_escape(cp);

	if (letter != 0) {
		out[0] = '\\';
		out[1] = letter;
		return 2;
	}
	if (cp >= 0x20)
		return utf8_encode(cp, out);
	memcpy(out, "\\u00", 4);
	out[4] = hex[cp >> 4];
	out[5] = hex[cp & 15];
	return 6;
}

bool
jsontext_is_canonical(struct str raw)
{
	const char *p = raw.p, *end = raw.p + raw.n;
	char spelling[JSONTEXT_SPELLING_MAX];
	uint32_t code_point;
	size_t n;

	while (p < end && (p = memchr(p, '\\', (size_t)(end - p))) != NULL) {
		n = jsontext_escape(p, end, &code_point);
		if (n == 0 || jsontext_spell(code_point, spelling) != n ||
		    memcmp(spelling, p, n) != 0)
			return false;
		p += n;
	}
	return true;
}

size_t
jsontext_quoted_size(struct str text)
{
	char spelling[JSONTEXT_SPELLING_MAX];
	size_t n = 2;

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		n += c < 0x80 ? jsontext_spell(c, spelling) : 1;
	}
	return n;
}

char *
jsontext_quote(char *out, struct str text)
{
	*out++ = '"';
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c < 0x80)
			out += jsontext_spell(c, out);
		else
			*out++ = (char)c;
	}
	*out++ = '"';
	return out;
}

/* Copies raw with every escape replaced by what `write` makes of its character. */
static char *
replace_escapes(char *out, size_t cap, struct str raw, size_t (*write)(uint32_t cp, char *out))
{
	const char *p = raw.p, *end = raw.p + raw.n, *at;
	char piece[JSONTEXT_SPELLING_MAX];
	uint32_t cp;
	size_t n;

	while (p < end) {
		at = memchr(p, '\\', (size_t)(end - p));
		n = (size_t)((at != NULL ? at : end) - p);
		if (n > cap)
			return NULL;
		out = str_put(out, str_of(p, n));
		cap -= n;
		p += n;
		if (at == NULL)
			break;
		n = jsontext_escape(p, end, &cp);
		if (n == 0)
			break;
		p += n;
		n = write(cp, piece);
		if (n > cap)
			return NULL;
		out = str_put(out, str_of(piece, n));
		cap -= n;
	}
	return out;
}

char *
jsontext_respell(char *out, struct str raw)
{
	return replace_escapes(out, raw.n, raw, jsontext_spell);
}

char *
jsontext_unescape(char *out, size_t cap, struct str raw)
{
	return replace_escapes(out, cap, raw, utf8_encode);
}

/* Reads a literal byte by byte, unescaped. */
struct reader {
	const char *p, *end;
	char piece[4]; /* of the last escape */
	size_t at, n;  /* what of it is still to be read */
};

static int
next_byte(struct reader *r) /* -1 at the end */
{
	uint32_t cp;
	size_t n;

	if (r->at < r->n)
		return (unsigned char)r->piece[r->at++];
	if (r->p == r->end)
		return -1;
	if (*r->p != '\\')
		return (unsigned char)*r->p++;
	n = jsontext_escape(r->p, r->end, &cp);
	if (n == 0)
		return -1;
	r->p += n;
	r->n = utf8_encode(cp, r->piece);
	r->at = 1;
	return (unsigned char)r->piece[0];
}

int
jsontext_cmp(struct str raw_a, struct str raw_b)
{
	struct reader a = { .p = raw_a.p, .end = raw_a.p + raw_a.n };
	struct reader b = { .p = raw_b.p, .end = raw_b.p + raw_b.n };
	int x, y;

	do {
		x = next_byte(&a);
		y = next_byte(&b);
	} while (x == y && x >= 0);
	return x - y;
}

bool
jsontext_is(struct str raw, struct str text)
{
	struct reader r = { .p = raw.p, .end = raw.p + raw.n };

	if (raw.n < text.n)
		return false;
	if (raw.n == 0)
		return true;
	if (memchr(raw.p, '\\', raw.n) == NULL)
		return str_eq(raw, text);
	for (size_t i = 0; i < text.n; i++)
		if (next_byte(&r) != (unsigned char)text.p[i])
			return false;
	return next_byte(&r) < 0;
}
