/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/glob.h"

/* Where the character after the one at `at` begins. */
static size_t
next(struct str s, size_t at)
{
	do
		at++;
	while (at < s.n && ((unsigned char)s.p[at] & 0xc0) == 0x80);
	return at;
}

/* What follows a "*" is tried at each character in turn; an earlier "*" need never be tried again
 * once the one behind it was reached. */
bool
glob_matches(struct str pattern, struct str text)
{
	size_t p = 0, t = 0, star = pattern.n, retry = 0;

	while (t < text.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			retry = t;
		} else if (p < pattern.n && pattern.p[p] == '?') {
			p++;
			t = next(text, t);
		} else if (p < pattern.n && pattern.p[p] == text.p[t]) {
			p++;
			t++;
		} else if (star < pattern.n) {
			p = star + 1;
			retry = next(text, retry);
			t = retry;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}
