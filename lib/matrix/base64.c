/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/matrix/base64.h"

#include <sodium.h>

bool
base64_exact(struct str s, unsigned char *out, size_t n)
{
	size_t chars = (n * 8 + 5) / 6, padded = (n + 2) / 3 * 4, len;

	if (s.n == padded)
		for (; s.n > chars && s.p[s.n - 1] == '='; s.n--)
			;
	if (s.n != chars)
		return false;
	return sodium_base642bin(out, n, s.p, s.n, NULL, &len, NULL,
		   sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 &&
	    len == n;
}
