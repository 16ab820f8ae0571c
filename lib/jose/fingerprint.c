/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/jose/fingerprint.h"

#include <sodium.h>

bool
fingerprint_parse(struct str text, char out[FINGERPRINT + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == ':' && n > 0 && n % 2 == 0)
			continue;
		if (str_hex(text.p[i]) < 0 || n == FINGERPRINT)
			return false;
		out[n++] = str_lower(text.p[i]);
	}
	out[n] = '\0';
	return n == FINGERPRINT;
}

bool
fingerprint_of(const X509 *certificate, char out[FINGERPRINT + 1])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (X509_digest(certificate, EVP_sha256(), digest, &n) != 1)
		return false;
	sodium_bin2hex(out, FINGERPRINT + 1, digest, n);
	return true;
}
