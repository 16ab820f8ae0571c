/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/providers/ece.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <sodium.h>

#include "lib/base/base64.h"

#define RECORD_SIZE 4096
#define SECRET 32
#define KEY 16
#define NONCE 12
#define TAG 16
#define LAST_RECORD "\x02"

/* --- keys --- */

static bool
decode(struct str text, void *out, size_t n)
{
	size_t got;

	if (base64_decode(text, out, n, &got))
		return got == n;
	if (text.n % 4 == 0)
		for (int i = 0; i < 2 && text.n > 0 && text.p[text.n - 1] == '='; i++)
			text.n--;
	return base64url_decode(text, out, n, &got) && got == n;
}

static EVP_PKEY *
public_key(const uint8_t point[ECE_POINT])
{
	char curve[] = "prime256v1";
	OSSL_PARAM params[] = { OSSL_PARAM_utf8_string(
				    OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof(curve) - 1),
		OSSL_PARAM_octet_string(
		    OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)point, ECE_POINT),
		OSSL_PARAM_END };
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;

	/* 4: uncompressed */
	if (ctx == NULL || point[0] != 4 || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return key;
}

bool
ece_keys_read(struct ece_keys *k, struct str p256dh, struct str auth)
{
	EVP_PKEY *key;

	if (!decode(p256dh, k->p256dh, sizeof(k->p256dh)) ||
	    !decode(auth, k->auth, sizeof(k->auth)))
		return false;
	key = public_key(k->p256dh);
	EVP_PKEY_free(key);
	return key != NULL;
}

/* --- what is derived --- */

static bool
hkdf(struct str salt, struct str key, struct str info, uint8_t *out, size_t n)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = { OSSL_PARAM_utf8_string(
				    OSSL_KDF_PARAM_DIGEST, digest, sizeof(digest) - 1),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt.p, salt.n),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key.p, key.n),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info.p, info.n),
		OSSL_PARAM_END };
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	bool good = ctx != NULL && EVP_KDF_derive(ctx, out, n, params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return good;
}

static struct str
bytes(const void *p, size_t n)
{
	return str_of(p, n);
}

static bool
agree(EVP_PKEY *sender, const struct ece_keys *to, uint8_t out[SECRET])
{
	EVP_PKEY *peer = public_key(to->p256dh);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(sender, NULL);
	size_t n = SECRET;
	bool good = peer != NULL && ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
		    EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
		    EVP_PKEY_derive(ctx, out, &n) == 1 && n == SECRET;

	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
	return good;
}

/* RFC 8291 3.4 */
static bool
derive(EVP_PKEY *sender, const struct ece_keys *to, uint8_t point[ECE_POINT], uint8_t out[SECRET])
{
	static const char label[] = "WebPush: info"; /* its NUL belongs to it */
	uint8_t info[sizeof(label) + 2 * ECE_POINT], shared[SECRET];
	size_t n;
	bool good = EVP_PKEY_get_octet_string_param(
			sender, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point, ECE_POINT, &n) == 1 &&
		    n == ECE_POINT && agree(sender, to, shared);

	memcpy(info, label, sizeof(label));
	memcpy(info + sizeof(label), to->p256dh, ECE_POINT);
	memcpy(info + sizeof(label) + ECE_POINT, point, ECE_POINT);
	good = good && hkdf(bytes(to->auth, ECE_AUTH), bytes(shared, SECRET),
			   bytes(info, sizeof(info)), out, SECRET);
	sodium_memzero(shared, sizeof(shared));
	return good;
}

/* --- the record --- */

static bool
encrypt(const uint8_t key[KEY], const uint8_t nonce[NONCE], struct str text, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, rest = 0;
	bool good = ctx != NULL &&
		    EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, key, nonce) == 1 &&
		    EVP_EncryptUpdate(ctx, out, &n, (const uint8_t *)text.p, (int)text.n) == 1 &&
		    EVP_EncryptFinal_ex(ctx, out + n, &rest) == 1 && (size_t)(n + rest) == text.n &&
		    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, out + text.n) == 1;

	EVP_CIPHER_CTX_free(ctx);
	return good;
}

static bool
put_sealed(struct str key, struct str salt, struct str padded, struct buf *out)
{
	static const char key_info[] =
	    "Content-Encoding: aes128gcm", /* their NULs belong to them */
	    nonce_info[] = "Content-Encoding: nonce";
	uint8_t content_key[KEY], nonce[NONCE];
	char *to = buf_reserve(out, padded.n + TAG);
	bool good =
	    to != NULL &&
	    hkdf(salt, key, bytes(key_info, sizeof(key_info)), content_key, sizeof(content_key)) &&
	    hkdf(salt, key, bytes(nonce_info, sizeof(nonce_info)), nonce, sizeof(nonce)) &&
	    encrypt(content_key, nonce, padded, (uint8_t *)to);

	if (good)
		buf_commit(out, padded.n + TAG);
	sodium_memzero(content_key, sizeof(content_key));
	sodium_memzero(nonce, sizeof(nonce));
	return good;
}

bool
ece_record(struct str key, const uint8_t salt[ECE_SALT], struct str id, struct str text,
    size_t padded, struct buf *out)
{
	const uint8_t head[] = { RECORD_SIZE >> 24, RECORD_SIZE >> 16 & 255, RECORD_SIZE >> 8 & 255,
		RECORD_SIZE & 255, (uint8_t)id.n };
	char record[ECE_TEXT_MAX + 1] = { 0 };
	bool good;

	if (text.n > padded || padded > ECE_TEXT_MAX || id.n > UINT8_MAX)
		return false;
	str_put(str_put(record, text), STR(LAST_RECORD));
	good = buf_put(out, bytes(salt, ECE_SALT)) && buf_put(out, bytes(head, sizeof(head))) &&
	       buf_put(out, id) &&
	       put_sealed(key, bytes(salt, ECE_SALT), str_of(record, padded + 1), out);
	sodium_memzero(record, sizeof(record));
	return good;
}

bool
ece_seal_with(const struct ece_keys *to, EVP_PKEY *sender, const uint8_t salt[ECE_SALT],
    struct str text, size_t padded, struct buf *out)
{
	uint8_t point[ECE_POINT], key[SECRET];
	bool good =
	    derive(sender, to, point, key) &&
	    ece_record(bytes(key, SECRET), salt, bytes(point, ECE_POINT), text, padded, out);

	sodium_memzero(key, sizeof(key));
	ERR_clear_error();
	return good;
}

bool
ece_seal(const struct ece_keys *to, struct str text, size_t padded, struct buf *out)
{
	EVP_PKEY *sender = EVP_EC_gen("prime256v1");
	uint8_t salt[ECE_SALT];
	bool good = sender != NULL && RAND_bytes(salt, sizeof(salt)) == 1 &&
		    ece_seal_with(to, sender, salt, text, padded, out);

	EVP_PKEY_free(sender);
	return good;
}
