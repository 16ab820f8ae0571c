/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/accesstoken.h"

#include "lib/base/buf.h"
#include "lib/jose/claims.h"
#include "lib/jose/jws.h"
#include "lib/jose/jws_sign.h"
#include "regsvc/jsonput.h"

#define PAYLOAD_MAX 4096
#define TYP STR("at+jwt")
#define LIFETIME_MAX_S 3600 /* whatever a token says */

/* --- making --- */

static bool
put_payload(struct buf *out, const struct accesstoken_rules *r, const struct client *c,
    unsigned scopes, int64_t now)
{
	char scope[SCOPE_TEXT_MAX], jti[UUID_TEXT + 1];

	uuid_new(jti);
	return buf_put(out, STR("{")) && jsonput_text(out, "iss", str_z(r->issuer)) &&
	       jsonput_text(out, "sub", str_z(c->id)) &&
	       jsonput_text(out, "aud", str_z(r->audience)) &&
	       jsonput_text(out, "client_id", str_z(c->id)) &&
	       jsonput_text(out, "jti", str_z(jti)) &&
	       jsonput_text(out, "subscription_id", str_z(c->subscription)) &&
	       jsonput_text(out, "scope", str_z(scope_print(scopes, scope))) &&
	       buf_printf(out, "\"iat\":%lld,\"exp\":%lld}", (long long)now,
		   (long long)(now + r->lifetime_s));
}

struct str
accesstoken_make(struct arena *a, const struct accesstoken_rules *r, const struct tokenkey *key,
    const struct client *c, unsigned scopes, int64_t now)
{
	struct str token = STR_NONE;
	struct buf header, payload;

	buf_init(&header, 256);
	buf_init(&payload, PAYLOAD_MAX);
	if (buf_printf(
		&header, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", key->kid) &&
	    put_payload(&payload, r, c, scopes, now))
		token = jws_sign_es256(a, buf_str(&header), buf_str(&payload), key->key);
	buf_fini(&header);
	buf_fini(&payload);
	return token;
}

/* --- reading --- */

static bool
is_text(const struct claims *o, const char *name, const char *text)
{
	struct str s;

	return claims_text(claims_get(o, name), &s) && str_eq(s, str_z(text));
}

static const struct tokenkey *
key_of(const struct jws *j, const struct tokenkeys *keys)
{
	struct claims *header = claims_read_object(j->header);
	const struct tokenkey *key = NULL;
	struct str kid;

	if (header != NULL && claims_text(claims_get(header, "kid"), &kid))
		key = tokenkeys_find(keys, kid);
	claims_free(header);
	return key;
}

static bool
read_times(const struct claims *o, int64_t now, int64_t *issued)
{
	double iat, exp;

	if (!claims_number(claims_get(o, "iat"), &iat) ||
	    !claims_number(claims_get(o, "exp"), &exp) || exp <= (double)now ||
	    iat > (double)(now + ACCESSTOKEN_SKEW_S) || exp - iat > LIFETIME_MAX_S)
		return false;
	*issued = (int64_t)iat;
	return true;
}

static bool
copy_text(struct arena *a, const struct claims *o, const char *name, struct str *out)
{
	if (!claims_text(claims_get(o, name), out) || out->n == 0)
		return false;
	*out = arena_dup(a, *out);
	return out->p != NULL;
}

static bool
read_payload(struct arena *a, const struct accesstoken_rules *r, struct str payload, int64_t now,
    struct accesstoken *out)
{
	struct claims *o = claims_read_object(payload);
	struct str scope;
	bool good = o != NULL && is_text(o, "iss", r->issuer) && is_text(o, "aud", r->audience) &&
		    read_times(o, now, &out->issued) && copy_text(a, o, "sub", &out->client) &&
		    copy_text(a, o, "subscription_id", &out->subscription) &&
		    claims_text(claims_get(o, "scope"), &scope) && scope_parse(scope, &out->scopes);

	claims_free(o);
	return good;
}

enum err
accesstoken_read(struct arena *a, const struct accesstoken_rules *r, const struct tokenkeys *keys,
    struct str text, int64_t now, struct accesstoken *out, bool *forged)
{
	const struct tokenkey *key;
	struct jws j;
	enum err err;

	*out = (struct accesstoken){ 0 };
	*forged = false;
	err = jws_parse(a, text, &j);
	if (err == ERR_MEMORY)
		return err;
	*forged = true;
	if (err != OK || j.alg != JWS_ES256 || j.has_crit || !str_eq(j.typ, TYP))
		return ERR_AUTH_TOKEN;
	key = key_of(&j, keys);
	*forged = key != NULL; /* that of a key we had once is nobody's fault */
	if (key == NULL)
		return ERR_AUTH_TOKEN;
	err = jws_verify(&j, key->key);
	if (err != OK)
		return err == ERR_MEMORY ? err : ERR_AUTH_TOKEN;
	*forged = false;
	return read_payload(a, r, j.payload, now, out) ? OK : ERR_AUTH_TOKEN;
}
