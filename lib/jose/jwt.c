/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/jose/jwt.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <sodium.h>

#include "lib/jose/jws.h"

#define LIFETIME_MAX_S 3600 /* whatever a token says */

bool
jwt_key_set(struct jwt_key *t, EVP_PKEY *key)
{
	unsigned char *der = NULL, digest[crypto_hash_sha256_BYTES];
	int n = i2d_PUBKEY(key, &der);

	ERR_clear_error();
	if (n <= 0)
		return false;
	crypto_hash_sha256(digest, der, (unsigned long long)n);
	OPENSSL_free(der);
	sodium_bin2base64(t->kid, sizeof(t->kid), digest, sizeof(digest),
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	EVP_PKEY_free(t->key);
	t->key = key;
	return true;
}

static const struct jwt_key *
key_of(const struct jwt_rules *r, struct str header)
{
	struct claims *o = claims_read_object(header);
	const struct jwt_key *key = NULL;
	struct str kid = STR_NONE;

	if (claims_text(claims_get(o, "kid"), &kid))
		for (size_t i = 0; key == NULL && i < r->n_keys; i++)
			if (str_eq(kid, str_z(r->keys[i].kid)))
				key = &r->keys[i];
	claims_free(o);
	return key;
}

static bool
is_text(const struct claims *o, const char *name, const char *text)
{
	struct str s;

	return claims_text(claims_get(o, name), &s) && str_eq(s, str_z(text));
}

static bool
read_times(const struct claims *o, int64_t now, int64_t *issued)
{
	double iat, exp;

	if (!claims_number(claims_get(o, "iat"), &iat) ||
	    !claims_number(claims_get(o, "exp"), &exp) || exp <= (double)now ||
	    iat > (double)(now + JWT_SKEW_S) || exp - iat > LIFETIME_MAX_S)
		return false;
	*issued = (int64_t)iat;
	return true;
}

static enum err
verify(struct arena *a, const struct jwt_rules *r, struct str text, struct jws *j, bool *forged)
{
	enum err err = jws_parse(a, text, j);
	const struct jwt_key *key;

	*forged = err != ERR_MEMORY;
	if (err == ERR_MEMORY)
		return err;
	if (err != OK || j->alg != JWS_ES256 || j->has_crit || !str_eq(j->typ, STR(JWT_TYP)))
		return ERR_AUTH_TOKEN;
	key = key_of(r, j->header);
	*forged = key != NULL; /* that of a key we had once is nobody's fault */
	if (key == NULL)
		return ERR_AUTH_TOKEN;
	err = jws_verify(j, key->key);
	*forged = err != OK && err != ERR_MEMORY;
	return *forged ? ERR_AUTH_TOKEN : err;
}

enum err
jwt_open(struct arena *a, const struct jwt_rules *r, struct str text, int64_t now,
    struct claims **claims, int64_t *issued, bool *forged)
{
	struct jws j;
	enum err err = verify(a, r, text, &j, forged);

	*claims = err == OK ? claims_read_object(j.payload) : NULL;
	if (*claims != NULL && is_text(*claims, "iss", r->issuer) &&
	    is_text(*claims, "aud", r->audience) && read_times(*claims, now, issued))
		return OK;
	claims_free(*claims);
	*claims = NULL;
	return err == OK ? ERR_AUTH_TOKEN : err;
}
