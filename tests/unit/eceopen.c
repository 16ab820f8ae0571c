/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/eceopen.h"

#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sodium.h>

#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define HEAD (16 + 4 + 1 + 65)
#define TAG 16

void
ece_device_make(struct ece_device *d)
{
	size_t n;

	d->key = EVP_EC_gen("prime256v1");
	cr_assert_eq(EVP_PKEY_get_octet_string_param(
			 d->key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, d->keys.p256dh, ECE_POINT, &n),
	    1);
	cr_assert_eq(RAND_bytes(d->keys.auth, ECE_AUTH), 1);
	sodium_bin2base64(d->p256dh, sizeof(d->p256dh), d->keys.p256dh, ECE_POINT, VARIANT);
	sodium_bin2base64(d->auth, sizeof(d->auth), d->keys.auth, ECE_AUTH, VARIANT);
}

void
ece_device_end(struct ece_device *d)
{
	EVP_PKEY_free(d->key);
}

/* One block of HKDF (RFC 5869), which is enough for all that is wanted. */
static void
hkdf(const void *salt, size_t salt_n, const void *key, size_t key_n, const void *info,
    size_t info_n, uint8_t out[32])
{
	uint8_t prk[32], text[256];
	unsigned n;

	HMAC(EVP_sha256(), salt, (int)salt_n, key, key_n, prk, &n);
	memcpy(text, info, info_n);
	text[info_n] = 1;
	HMAC(EVP_sha256(), prk, sizeof(prk), text, info_n + 1, out, &n);
}

static bool
agree(const struct ece_device *d, const uint8_t *sender, uint8_t out[32])
{
	EVP_PKEY *peer = EVP_PKEY_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(d->key, NULL);
	size_t n = 32;
	bool good = EVP_PKEY_copy_parameters(peer, d->key) == 1 &&
		    EVP_PKEY_set1_encoded_public_key(peer, sender, ECE_POINT) == 1 &&
		    EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
		    EVP_PKEY_derive(ctx, out, &n) == 1;

	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
	return good;
}

static bool
decrypt(const uint8_t *key, const uint8_t *nonce, const uint8_t *in, size_t n, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int some;
	bool good = EVP_DecryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, key, nonce) == 1 &&
		    EVP_DecryptUpdate(ctx, out, &some, in, (int)n - TAG) == 1 &&
		    EVP_CIPHER_CTX_ctrl(
			ctx, EVP_CTRL_AEAD_SET_TAG, TAG, (void *)(uintptr_t)(in + n - TAG)) == 1 &&
		    EVP_DecryptFinal_ex(ctx, out + some, &some) == 1;

	EVP_CIPHER_CTX_free(ctx);
	return good;
}

bool
ece_open(const struct ece_device *d, struct str body, char out[ECE_TEXT_MAX + 1])
{
	static const char label[] = "WebPush: info";
	const uint8_t *p = (const uint8_t *)body.p, *sender = p + HEAD - ECE_POINT;
	uint8_t info[sizeof(label) + 2 * ECE_POINT], shared[32], ikm[32], key[32], nonce[32];
	uint8_t text[5000] = { 0 };
	size_t n = body.n - HEAD - TAG;

	if (body.n < HEAD + TAG + 1 || body.n > 4096 || memcmp(p + 16, "\0\0\x10\0\x41", 5) != 0 ||
	    !agree(d, sender, shared))
		return false;
	memcpy(info, label, sizeof(label));
	memcpy(info + sizeof(label), d->keys.p256dh, ECE_POINT);
	memcpy(info + sizeof(label) + ECE_POINT, sender, ECE_POINT);
	hkdf(d->keys.auth, ECE_AUTH, shared, 32, info, sizeof(info), ikm);
	hkdf(p, 16, ikm, 32, "Content-Encoding: aes128gcm", 28, key);
	hkdf(p, 16, ikm, 32, "Content-Encoding: nonce", 24, nonce);
	if (!decrypt(key, nonce, p + HEAD, body.n - HEAD, text))
		return false;
	while (n > 0 && text[n - 1] == 0)
		n--;
	if (n == 0 || text[n - 1] != 2)
		return false;
	memcpy(out, text, n - 1);
	out[n - 1] = '\0';
	return true;
}
