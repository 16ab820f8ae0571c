/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/federation/fedsigned.h"

/* The header, its certificates, their copies. */
#define HEADER_ROOM (FEDSIGNED_ROOM / JWSFORM_MAX)

/* Head and certificates of one signature. */
static enum err
read_signature(
    struct arena *a, const struct jws_parts *parts, struct jws *j, STACK_OF(X509) **certs)
{
	enum err err = jws_parse_head(a, parts, j);

	if (err != OK)
		return err;
	if (j->has_crit)
		return ERR_JWS_SYNTAX;
	if (j->alg != JWS_ES256 && j->alg != JWS_BP256R1)
		return ERR_JWS_ALG;
	return j->x5c.n > 0 ? x5c_parse(a, j->x5c, certs) : ERR_X5C_SYNTAX;
}

enum err
fedsigned_signers(struct str text, STACK_OF(X509) *out[JWSFORM_MAX], size_t *n)
{
	struct jwsform form;
	enum err first = OK, err = jwsform_split(text, &form);
	struct arena a;
	struct jws j;

	*n = 0;
	for (size_t i = 0; err == OK && i < form.n; i++) {
		enum err why;

		arena_init(&a, HEADER_ROOM);
		why = read_signature(&a, &form.v[i], &j, &out[*n]);
		arena_fini(&a);
		if (why == OK)
			++*n;
		else if (first == OK)
			first = why;
	}
	return err != OK ? err : *n > 0 ? OK : first;
}

static bool
is_made_with(const struct jws_parts *parts, enum jws_alg alg)
{
	struct arena a;
	struct jws j;
	bool is;

	arena_init(&a, HEADER_ROOM);
	is = jws_parse_head(&a, parts, &j) == OK && j.alg == alg;
	arena_fini(&a);
	return is;
}

bool
fedsigned_lacks(struct str text, enum jws_alg alg)
{
	struct jwsform form;

	if (jwsform_split(text, &form) != OK)
		return false;
	for (size_t i = 0; i < form.n; i++)
		if (is_made_with(&form.v[i], alg))
			return false;
	return true;
}

static enum err
judge_signer(const struct jws *j, STACK_OF(X509) *certs, const struct fedsigned_demands *d)
{
	EVP_PKEY *key = X509_get0_pubkey(sk_X509_value(certs, 0));
	enum err err;

	if (d->only != NULL && X509_cmp(sk_X509_value(certs, 0), d->only) != 0)
		return ERR_JWS_SIGNATURE; /* somebody else's */
	if (key == NULL)                  /* of a kind OpenSSL does not know */
		return ERR_X5C_CURVE;
	err = jws_verify(j, key);
	return err == OK ? x5c_judge(certs, &d->x5c) : err;
}

static enum err
verify_one(struct arena *a, const struct jws_parts *parts, const struct fedsigned_demands *d,
    struct jws *j, STACK_OF(X509) **signer)
{
	STACK_OF(X509) *certs = NULL;
	enum err err = read_signature(a, parts, j, &certs);

	if (err == OK)
		err = judge_signer(j, certs, d);
	if (err == OK)
		*signer = certs;
	else
		sk_X509_pop_free(certs, X509_free);
	return err;
}

enum err
fedsigned_verify(struct arena *a, struct str text, const struct fedsigned_demands *d, struct jws *j,
    STACK_OF(X509) **signer)
{
	struct jwsform form;
	enum err first = jwsform_split(text, &form), err;

	if (first != OK)
		return first;
	for (size_t i = 0; i < form.n; i++) {
		err = verify_one(a, &form.v[i], d, j, signer);
		if (err == OK)
			return jws_decode(a, j);
		if (i == 0)
			first = err;
	}
	return first;
}
