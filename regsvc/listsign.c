/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/listsign.h"

#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <stdlib.h>

#include "lib/jose/jws.h"
#include "lib/net/errand.h"

#define NUMBER 32 /* bytes of r and of s */

static bool
put_base64(struct buf *out, struct str s, int variant)
{
	size_t n = sodium_base64_encoded_len(s.n, variant);
	char *to = buf_reserve(out, n);

	if (to == NULL)
		return false;
	sodium_bin2base64(to, n, (const unsigned char *)s.p, s.n, variant);
	buf_commit(out, n - 1);
	return true;
}

/* "<base64 of DER>",… of all certificates in the PEM text. */
static enum err
put_x5c(struct buf *out, struct str pem, size_t *n)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	enum err err = bio != NULL ? OK : ERR_MEMORY;
	X509 *cert;

	*n = 0;
	while (err == OK && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		unsigned char *der = NULL;
		int len = i2d_X509(cert, &der);

		if (len <= 0 || !buf_put(out, *n > 0 ? STR(",\"") : STR("\"")) ||
		    !put_base64(
			out, str_of((char *)der, (size_t)len), sodium_base64_VARIANT_ORIGINAL) ||
		    !buf_put(out, STR("\"")))
			err = ERR_MEMORY;
		++*n;
		OPENSSL_free(der);
		X509_free(cert);
	}
	BIO_free(bio);
	return err == OK && *n == 0 ? ERR_X5C_SYNTAX : err;
}

static enum err
put_header(struct buf *out, struct str pem)
{
	struct buf json;
	size_t n;
	enum err err = ERR_MEMORY;

	buf_init(&json, 1 << 20);
	if (buf_put(&json, STR("{\"alg\":\"ES256\",\"typ\":\"JWT\",\"x5c\":[")))
		err = put_x5c(&json, pem, &n);
	if (err == OK &&
	    !(buf_put(&json, STR("]}")) &&
		put_base64(out, buf_str(&json), sodium_base64_VARIANT_URLSAFE_NO_PADDING)))
		err = ERR_MEMORY;
	buf_fini(&json);
	return err;
}

/* DER of r and s to their bytes. */
static bool
raw_signature(const unsigned char *der, size_t n, unsigned char raw[2 * NUMBER])
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
	bool ok = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, NUMBER) == NUMBER &&
		  BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + NUMBER, NUMBER) == NUMBER;

	ECDSA_SIG_free(sig);
	return ok;
}

static enum err
put_signature(struct buf *out, EVP_PKEY *key)
{
	unsigned char der[256], raw[2 * NUMBER];
	size_t n = sizeof(der);
	struct str input = buf_str(out);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		  EVP_DigestSign(ctx, der, &n, (const unsigned char *)input.p, input.n) == 1 &&
		  raw_signature(der, n, raw);

	EVP_MD_CTX_free(ctx);
	if (!ok)
		return ERR_MEMORY;
	return buf_put(out, STR(".")) && put_base64(out, str_of((char *)raw, sizeof(raw)),
					     sodium_base64_VARIANT_URLSAFE_NO_PADDING)
		   ? OK
		   : ERR_TOO_LARGE;
}

static enum err
sign(struct str payload, struct str certificates_pem, EVP_PKEY *key, struct buf *out)
{
	enum err err;

	if (!jws_key_fits(JWS_ES256, key))
		return ERR_X5C_CURVE;
	err = put_header(out, certificates_pem);
	if (err == OK && !(buf_put(out, STR(".")) &&
			     put_base64(out, payload, sodium_base64_VARIANT_URLSAFE_NO_PADDING)))
		err = ERR_TOO_LARGE;
	return err == OK ? put_signature(out, key) : err;
}

enum err
listsign_make(struct str payload, struct str certificates_pem, struct str key_pem, struct buf *out)
{
	BIO *bio = BIO_new_mem_buf(key_pem.p, (int)key_pem.n);
	EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
	enum err err = key != NULL ? sign(payload, certificates_pem, key, out) : ERR_X5C_SYNTAX;

	EVP_PKEY_free(key);
	BIO_free(bio);
	return err;
}

/* --- on a thread of its own --- */

struct listsign {
	struct errand *errand;
	struct buf payload, jws;
	struct str certificates_pem, key_pem;
	enum err err;
	listsign_fn *fn;
	void *arg;
};

static void
run_errand(void *arg)
{
	struct listsign *s = arg;

	s->err = listsign_make(buf_str(&s->payload), s->certificates_pem, s->key_pem, &s->jws);
}

static void
free_sign(struct listsign *s)
{
	buf_fini(&s->payload);
	buf_fini(&s->jws);
	free(s);
}

static void
on_signed(void *arg)
{
	struct listsign *s = arg;

	s->fn(s->arg, s->err, &s->jws);
	free_sign(s);
}

struct listsign *
listsign_start(struct loop *loop, struct buf *payload, size_t max, struct str certificates_pem,
    struct str key_pem, listsign_fn *fn, void *arg)
{
	struct listsign *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		buf_fini(payload);
		return NULL;
	}
	s->payload = *payload;
	buf_init(payload, 0);
	buf_init(&s->jws, max);
	s->certificates_pem = certificates_pem;
	s->key_pem = key_pem;
	s->fn = fn;
	s->arg = arg;
	s->errand = errand_start(loop, "sign", run_errand, on_signed, s);
	if (s->errand != NULL)
		return s;
	free_sign(s);
	return NULL;
}

void
listsign_cancel(struct listsign *s)
{
	if (s == NULL)
		return;
	errand_cancel(s->errand);
	free_sign(s);
}
