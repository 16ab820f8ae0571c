/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/matrix/base64.h"

static int
digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool
base64_exact(struct str s, unsigned char *out, size_t n)
{
	size_t digits = (n * 8 + 5) / 6, padded = (n + 2) / 3 * 4;
	unsigned bits = 0, have = 0;

	if (s.n == padded)
		while (s.n > digits && s.p[s.n - 1] == '=')
			s.n--;
	if (s.n != digits)
		return false;
	for (size_t i = 0; i < digits; i++) {
		int d = digit(s.p[i]);

		if (d < 0)
			return false;
		bits = bits << 6 | (unsigned)d;
		have += 6;
		if (have >= 8) {
			have -= 8;
			*out++ = (unsigned char)(bits >> have);
			bits &= (1u << have) - 1;
		}
	}
	return true;
}
