/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/percent.h"

bool
percent_is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

bool
percent_put(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool ok = percent_is_plain(s.p[i]) ? buf_put(b, str_of(&s.p[i], 1))
						   : buf_printf(b, "%%%02X", c);

		if (!ok)
			return false;
	}
	return true;
}
