/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/providers/apns_pushkey.h"

#include <sodium.h>

#include "lib/base/base64.h"

static bool
copy_hex(struct str s, char *out)
{
	if (s.n == 0 || s.n % 2 != 0 || s.n > APNS_PATH_TOKEN_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (str_hex(s.p[i]) < 0)
			return false;
		out[i] = str_lower(s.p[i]);
	}
	out[s.n] = '\0';
	return true;
}

static bool
decode(struct str s, char *out)
{
	unsigned char token[APNS_DEVICE_TOKEN_MAX];
	size_t n;

	if (!base64_decode(s, token, sizeof(token), &n) &&
	    !base64url_decode(s, token, sizeof(token), &n))
		return false;
	sodium_bin2hex(out, APNS_PATH_TOKEN_MAX + 1, token, n);
	return n > 0;
}

bool
apns_pushkey_hex(struct str pushkey, enum apns_token form, char out[APNS_PATH_TOKEN_MAX + 1])
{
	if (form != APNS_TOKEN_BASE64 && copy_hex(pushkey, out))
		return true;
	return form != APNS_TOKEN_HEX && decode(pushkey, out);
}
