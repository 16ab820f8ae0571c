/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base64 - one table per alphabet; four characters at a time, then the rest.  What is decoded here
 * is public (tokens, certificates, lists, signatures), so look-ups by value leak nothing.
 */
#include "lib/base/base64.h"

#define BAD 64

/* clang-format off */
#define LETTERS \
	['A'] = 0, ['B'] = 1, ['C'] = 2, ['D'] = 3, ['E'] = 4, ['F'] = 5, ['G'] = 6, ['H'] = 7, \
	['I'] = 8, ['J'] = 9, ['K'] = 10, ['L'] = 11, ['M'] = 12, ['N'] = 13, ['O'] = 14, \
	['P'] = 15, ['Q'] = 16, ['R'] = 17, ['S'] = 18, ['T'] = 19, ['U'] = 20, ['V'] = 21, \
	['W'] = 22, ['X'] = 23, ['Y'] = 24, ['Z'] = 25, \
	['a'] = 26, ['b'] = 27, ['c'] = 28, ['d'] = 29, ['e'] = 30, ['f'] = 31, ['g'] = 32, \
	['h'] = 33, ['i'] = 34, ['j'] = 35, ['k'] = 36, ['l'] = 37, ['m'] = 38, ['n'] = 39, \
	['o'] = 40, ['p'] = 41, ['q'] = 42, ['r'] = 43, ['s'] = 44, ['t'] = 45, ['u'] = 46, \
	['v'] = 47, ['w'] = 48, ['x'] = 49, ['y'] = 50, ['z'] = 51, \
	['0'] = 52, ['1'] = 53, ['2'] = 54, ['3'] = 55, ['4'] = 56, ['5'] = 57, ['6'] = 58, \
	['7'] = 59, ['8'] = 60, ['9'] = 61
#define OTHERS(c62, c63) \
	[0 ... '+' - 1] = BAD, ['+'] = (c62) == '+' ? 62 : BAD, [','] = BAD, \
	['-'] = (c62) == '-' ? 62 : BAD, ['.'] = BAD, ['/'] = (c63) == '/' ? 63 : BAD, \
	['9' + 1 ... 'A' - 1] = BAD, ['Z' + 1 ... '_' - 1] = BAD, \
	['_'] = (c63) == '_' ? 63 : BAD, ['`'] = BAD, ['z' + 1 ... 255] = BAD
/* clang-format on */

static const unsigned char plain[256] = { LETTERS, OTHERS('+', '/') };
static const unsigned char url[256] = { LETTERS, OTHERS('-', '_') };

/* The last two or three characters; one alone cannot be.  unused: the bits that stand for nothing
 * may be set. */
static bool
decode_rest(
    const unsigned char value[256], bool unused, const unsigned char *s, size_t n, unsigned char *o)
{
	unsigned a, b, c;

	if (n == 0)
		return true;
	if (n == 1)
		return false;
	a = value[s[0]];
	b = value[s[1]];
	c = n == 3 ? value[s[2]] : 0;
	if (((a | b | c) & BAD) != 0 || (!unused && (n == 3 ? c & 3 : b & 15) != 0))
		return false;
	o[0] = (unsigned char)(a << 2 | b >> 4);
	if (n == 3)
		o[1] = (unsigned char)(b << 4 | c >> 2);
	return true;
}

static bool
decode(const unsigned char value[256], bool unused, struct str in, unsigned char *o, size_t cap,
    size_t *out_n)
{
	const unsigned char *s = (const unsigned char *)in.p;
	size_t whole = in.n / 4, rest = in.n % 4;
	size_t n = whole * 3 + (rest > 1 ? rest - 1 : 0);

	if (n > cap)
		return false;
	for (; whole > 0; whole--, s += 4, o += 3) {
		unsigned a = value[s[0]], b = value[s[1]], c = value[s[2]], d = value[s[3]];

		if (((a | b | c | d) & BAD) != 0)
			return false;
		o[0] = (unsigned char)(a << 2 | b >> 4);
		o[1] = (unsigned char)(b << 4 | c >> 2);
		o[2] = (unsigned char)(c << 6 | d);
	}
	*out_n = n;
	return decode_rest(value, unused, s, rest, o);
}

/* Without complete padding; any other is left and then refused as no character of the alphabet. */
static struct str
unpadded(struct str in)
{
	if (in.n >= 4 && in.n % 4 == 0 && in.p[in.n - 1] == '=') {
		in.n--;
		if (in.p[in.n - 1] == '=')
			in.n--;
	}
	return in;
}

bool
base64url_decode(struct str in, void *out, size_t cap, size_t *n)
{
	return decode(url, false, in, out, cap, n);
}

bool
base64_decode(struct str in, void *out, size_t cap, size_t *n)
{
	return decode(plain, false, unpadded(in), out, cap, n);
}

bool
base64_exact(struct str in, void *out, size_t n)
{
	size_t got;

	return decode(plain, true, unpadded(in), out, n, &got) && got == n;
}
