/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/jose/jws_sign.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <sodium.h>

#include "lib/jose/jws.h"

#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define RAW 64 /* r||s */
#define DER_MAX 80
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192

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

/* DER for ECDSA, plain bytes for RSA.  *n: room in out, then how much of it is taken. */
static bool
sign(struct str input, EVP_PKEY *key, unsigned char *out, size_t *n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		    EVP_DigestSign(ctx, out, n, (const unsigned char *)input.p, input.n) == 1;

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

/* The token without its signature, in memory with room for one of sig_max bytes; p == NULL: out of
 * memory. */
static struct str
put_input(struct arena *a, struct str header, struct str payload, size_t sig_max)
{
	size_t room = sodium_base64_ENCODED_LEN(header.n, VARIANT) +
		      sodium_base64_ENCODED_LEN(payload.n, VARIANT) +
		      sodium_base64_ENCODED_LEN(sig_max, VARIANT);
	char *text = arena_bytes(a, room), *end;

	if (text == NULL)
		return STR_NONE;
	end = put_base64url(text, header.p, header.n);
	*end++ = '.';
	end = put_base64url(end, payload.p, payload.n);
	return str_of(text, (size_t)(end - text));
}

static struct str
put_signature(struct str input, const unsigned char *sig, size_t n)
{
	char *text = (char *)(uintptr_t)input.p, *end = text + input.n;

	*end++ = '.';
	end = put_base64url(end, sig, n);
	return str_of(text, (size_t)(end - text));
}

struct str
jws_sign_es256(struct arena *a, struct str header, struct str payload, EVP_PKEY *key)
{
	unsigned char der[DER_MAX], raw[RAW];
	size_t n = sizeof(der);
	struct str input;

	if (!jws_key_fits(JWS_ES256, key))
		return STR_NONE;
	input = put_input(a, header, payload, RAW);
	if (input.p == NULL || !sign(input, key, der, &n) || !der_to_raw(der, n, raw))
		return STR_NONE;
	return put_signature(input, raw, sizeof(raw));
}

/* RFC 7518 3.3: a key of 2048 bits or more. */
static bool
is_rsa(EVP_PKEY *key)
{
	int bits = EVP_PKEY_get_bits(key);

	return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && bits >= RSA_BITS_MIN &&
	       bits <= RSA_BITS_MAX;
}

struct str
jws_sign_rs256(struct arena *a, struct str header, struct str payload, EVP_PKEY *key)
{
	unsigned char sig[RSA_BITS_MAX / 8];
	size_t n = sizeof(sig);
	struct str input;

	if (!is_rsa(key))
		return STR_NONE;
	input = put_input(a, header, payload, sizeof(sig));
	if (input.p == NULL || !sign(input, key, sig, &n))
		return STR_NONE;
	return put_signature(input, sig, n);
}
