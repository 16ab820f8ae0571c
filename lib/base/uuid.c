/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/uuid.h"

#include <sodium.h>

static bool
is_dash(size_t at)
{
	return at == 8 || at == 13 || at == 18 || at == 23;
}

void
uuid_new(char out[UUID_TEXT + 1])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[16];
	size_t nibble = 0;

	randombytes_buf(bytes, sizeof(bytes));
	bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40); /* version 4 */
	bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80); /* variant 10 */
	for (size_t i = 0; i < UUID_TEXT; i++) {
		if (is_dash(i)) {
			out[i] = '-';
			continue;
		}
		out[i] = digits[bytes[nibble / 2] >> (nibble % 2 == 0 ? 4 : 0) & 0x0f];
		nibble++;
	}
	out[UUID_TEXT] = '\0';
}

bool
uuid_parse(struct str text, char out[UUID_TEXT + 1])
{
	if (text.n != UUID_TEXT)
		return false;
	for (size_t i = 0; i < UUID_TEXT; i++) {
		if (is_dash(i) ? text.p[i] != '-' : str_hex(text.p[i]) < 0)
			return false;
		out[i] = str_lower(text.p[i]);
	}
	out[UUID_TEXT] = '\0';
	return out[14] == '4' && strchr("89ab", out[19]) != NULL;
}
