/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/jose/jws.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>

#include "lib/base/base64.h"
#include "lib/jose/claims.h"

#define SIG_TEXT_MAX 1024 /* longer than a signature of any algorithm */

static enum err
decode_part(struct arena *a, struct str part, struct str *out)
{
	char *mem = arena_bytes(a, BASE64_DECODED_MAX(part.n));
	size_t n;

	if (mem == NULL)
		return ERR_MEMORY;
	if (!base64url_decode(part, mem, BASE64_DECODED_MAX(part.n), &n))
		return ERR_JWS_SYNTAX;
	*out = str_of(mem, n);
	return OK;
}

static enum err
decode_signature(struct str part, struct jws *out)
{
	unsigned char sig[BASE64_DECODED_MAX(SIG_TEXT_MAX)];

	if (part.n > SIG_TEXT_MAX || !base64url_decode(part, sig, sizeof(sig), &out->sig_len))
		return ERR_JWS_SYNTAX;
	if (out->sig_len == sizeof(out->sig))
		memcpy(out->sig, sig, sizeof(out->sig));
	return OK;
}

/* A member that has to be a string if it is there; a copy, because the tree goes. */
static enum err
read_text(struct arena *a, const struct claims *header, const char *name, struct str *out)
{
	const struct claims *v = claims_get(header, name);
	struct str text;

	if (v == NULL)
		return OK;
	if (!claims_text(v, &text))
		return ERR_JWS_SYNTAX;
	if (text.n == 0)
		return OK;
	*out = arena_dup(a, text);
	return out->p != NULL ? OK : ERR_MEMORY;
}

static enum jws_alg
alg_of(struct str name)
{
	if (str_eq(name, STR("ES256")))
		return JWS_ES256;
	if (str_eq(name, STR("BP256R1")))
		return JWS_BP256R1;
	return JWS_OTHER;
}

static enum err
read_members(struct arena *a, const struct claims *header, struct jws *out)
{
	const struct claims *x5c = claims_get(header, "x5c"), *ppt = claims_get(header, "ppt");
	struct str alg = STR_NONE, text;
	enum err err;

	if ((err = read_text(a, header, "alg", &alg)) != OK ||
	    (err = read_text(a, header, "typ", &out->typ)) != OK ||
	    (err = read_text(a, header, "x5u", &out->x5u)) != OK)
		return err;
	out->alg = alg_of(alg);
	out->has_crit = claims_get(header, "crit") != NULL;
	out->has_ppt = ppt != NULL;
	if (claims_text(ppt, &text) && text.n > 0) {
		out->ppt = arena_dup(a, text);
		if (out->ppt.p == NULL)
			return ERR_MEMORY;
	}
	if (x5c != NULL) {
		out->x5c = claims_json(a, x5c);
		if (out->x5c.p == NULL)
			return ERR_MEMORY;
	}
	return OK;
}

static enum err
read_header(struct arena *a, struct jws *out)
{
	struct claims *header = claims_read_object(out->header);
	enum err err;

	if (header == NULL)
		return ERR_JWS_SYNTAX;
	err = read_members(a, header, out);
	claims_free(header);
	return err;
}

enum err
jws_parse_head(struct arena *a, const struct jws_parts *parts, struct jws *out)
{
	enum err err;

	*out = (struct jws){ .parts = *parts };
	if (parts->head.n > (CLAIMS_MAX + 2) / 3 * 4)
		return ERR_JWS_SYNTAX;
	err = decode_part(a, parts->head, &out->header);
	if (err == OK)
		err = decode_signature(parts->sig, out);
	return err == OK ? read_header(a, out) : err;
}

enum err
jws_decode(struct arena *a, struct jws *j)
{
	return decode_part(a, j->parts.body, &j->payload);
}

bool
jws_split(struct str token, struct jws_parts *out)
{
	struct str rest;

	return str_cut(token, '.', &out->head, &rest) &&
	       str_cut(rest, '.', &out->body, &out->sig) && str_chr(out->sig, '.') == NULL;
}

enum err
jws_parse(struct arena *a, struct str token, struct jws *out)
{
	struct jws_parts parts;
	enum err err;

	*out = (struct jws){ 0 };
	if (!jws_split(token, &parts))
		return ERR_JWS_SYNTAX;
	err = jws_parse_head(a, &parts, out);
	return err == OK ? jws_decode(a, out) : err;
}

/* The named curve of an EC key, or NID_undef. */
static int
curve_of(EVP_PKEY *key)
{
	char name[64];
	size_t n;
	int nid;

	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC ||
	    EVP_PKEY_get_group_name(key, name, sizeof(name), &n) != 1)
		return NID_undef;
	nid = EC_curve_nist2nid(name);
	return nid != NID_undef ? nid : OBJ_txt2nid(name);
}

bool
jws_key_fits(enum jws_alg alg, EVP_PKEY *key)
{
	switch (alg) {
	case JWS_ES256:
		return curve_of(key) == NID_X9_62_prime256v1;
	case JWS_BP256R1:
		return curve_of(key) == NID_brainpoolP256r1;
	default:
		return false;
	}
}

/* r||s as the DER that OpenSSL wants; n == 0 when it cannot be. */
static size_t
sig_to_der(const unsigned char raw[64], unsigned char der[80])
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw, 32, NULL), *s = BN_bin2bn(raw + 32, 32, NULL);
	int n = 0;

	if (sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
		r = s = NULL; /* now the signature's */
		n = i2d_ECDSA_SIG(sig, &der);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return n > 0 ? (size_t)n : 0;
}

enum err
jws_verify(const struct jws *j, EVP_PKEY *key)
{
	unsigned char der[80]; /* two integers of at most 33 bytes with their heads: 72 */
	EVP_MD_CTX *ctx;
	size_t n;
	bool good;

	if (j->alg != JWS_ES256 && j->alg != JWS_BP256R1)
		return ERR_JWS_ALG;
	if (!jws_key_fits(j->alg, key))
		return ERR_X5C_CURVE;
	if (j->sig_len != sizeof(j->sig))
		return ERR_JWS_SIGNATURE;
	n = sig_to_der(j->sig, der);
	ctx = EVP_MD_CTX_new();
	if (n == 0 || ctx == NULL) {
		EVP_MD_CTX_free(ctx);
		return ERR_MEMORY;
	}
	good = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	       EVP_DigestVerifyUpdate(ctx, j->parts.head.p, j->parts.head.n) == 1 &&
	       EVP_DigestVerifyUpdate(ctx, ".", 1) == 1 &&
	       EVP_DigestVerifyUpdate(ctx, j->parts.body.p, j->parts.body.n) == 1 &&
	       EVP_DigestVerifyFinal(ctx, der, n) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return good ? OK : ERR_JWS_SIGNATURE;
}
