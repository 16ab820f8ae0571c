/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/utf8.h"

/* Whether the n bytes at p are continuation bytes, the first of them within [low, high]. */
static bool
tail(const unsigned char *p, size_t n, unsigned low, unsigned high)
{
	if (p[0] < low || p[0] > high)
		return false;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return false;
	return true;
}

/* The second byte's range is what excludes overlong forms, surrogates and too large values. */
size_t
utf8_char(const char *at, const char *end)
{
	const unsigned char *p = (const unsigned char *)at;
	size_t left = (size_t)(end - at);
	unsigned c = p[0];

	if (c < 0x80)
		return 1;
	if (c < 0xc2)
		return 0;
	if (c < 0xe0)
		return left >= 2 && tail(p + 1, 1, 0x80, 0xbf) ? 2 : 0;
	if (c < 0xf0) {
		unsigned low = c == 0xe0 ? 0xa0 : 0x80, high = c == 0xed ? 0x9f : 0xbf;

		return left >= 3 && tail(p + 1, 2, low, high) ? 3 : 0;
	}
	if (c < 0xf5) {
		unsigned low = c == 0xf0 ? 0x90 : 0x80, high = c == 0xf4 ? 0x8f : 0xbf;

		return left >= 4 && tail(p + 1, 3, low, high) ? 4 : 0;
	}
	return 0;
}

bool
utf8_valid(struct str s)
{
	while (s.n > 0) {
		size_t n = utf8_char(s.p, s.p + s.n);

		if (n == 0)
			return false;
		s = str_from(s, n);
	}
	return true;
}

size_t
utf8_encode(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}
