/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/jose/jws_sign.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <sodium.h>

#include "lib/jose/jws.h"

#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define RAW 64 /* r||s */
#define DER_MAX 80

/* Writes the text of n bytes at out; returns its end. */
static char *
put_base64url(char *out, const void *p, size_t n)
{
	size_t room = sodium_base64_ENCODED_LEN(n, VARIANT);

	sodium_bin2base64(out, room, p, n, VARIANT);
	return out + room - 1; /* before the NUL */
}

static bool
der_to_raw(const unsigned char *der, size_t n, unsigned char raw[RAW])
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
	bool good = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, RAW / 2) == RAW / 2 &&
		    BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + RAW / 2, RAW / 2) == RAW / 2;

	ECDSA_SIG_free(sig);
	return good;
}

static bool
sign(struct str input, EVP_PKEY *key, unsigned char raw[RAW])
{
	unsigned char der[DER_MAX];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = sizeof(der);
	bool good = ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		    EVP_DigestSign(ctx, der, &n, (const unsigned char *)input.p, input.n) == 1 &&
		    der_to_raw(der, n, raw);

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

struct str
jws_sign_es256(struct arena *a, struct str header, struct str payload, EVP_PKEY *key)
{
	size_t room = sodium_base64_ENCODED_LEN(header.n, VARIANT) +
		      sodium_base64_ENCODED_LEN(payload.n, VARIANT) +
		      sodium_base64_ENCODED_LEN(RAW, VARIANT);
	unsigned char raw[RAW];
	char *text, *end;

	if (!jws_key_fits(JWS_ES256, key))
		return STR_NONE;
	text = arena_bytes(a, room);
	if (text == NULL)
		return STR_NONE;
	end = put_base64url(text, header.p, header.n);
	*end++ = '.';
	end = put_base64url(end, payload.p, payload.n);
	if (!sign(str_of(text, (size_t)(end - text)), key, raw))
		return STR_NONE;
	*end++ = '.';
	end = put_base64url(end, raw, sizeof(raw));
	return str_of(text, (size_t)(end - text));
}
