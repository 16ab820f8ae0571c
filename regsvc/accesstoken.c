/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/accesstoken.h"

#include "lib/base/buf.h"
#include "lib/jose/jws_sign.h"
#include "regsvc/jsonput.h"

#define PAYLOAD_MAX 4096

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
accesstoken_make(struct arena *a, const struct accesstoken_rules *r, const struct jwt_key *key,
    const struct client *c, unsigned scopes, int64_t now)
{
	struct str token = STR_NONE;
	struct buf header, payload;

	buf_init(&header, 256);
	buf_init(&payload, PAYLOAD_MAX);
	if (buf_printf(
		&header, "{\"alg\":\"ES256\",\"typ\":\"" JWT_TYP "\",\"kid\":\"%s\"}", key->kid) &&
	    put_payload(&payload, r, c, scopes, now))
		token = jws_sign_es256(a, buf_str(&header), buf_str(&payload), key->key);
	buf_fini(&header);
	buf_fini(&payload);
	return token;
}

/* --- reading --- */

static bool
copy_text(struct arena *a, const struct claims *o, const char *name, struct str *out)
{
	if (!claims_text(claims_get(o, name), out) || out->n == 0)
		return false;
	*out = arena_dup(a, *out);
	return out->p != NULL;
}

static bool
read_payload(struct arena *a, const struct claims *o, struct accesstoken *out)
{
	struct str scope;

	return copy_text(a, o, "sub", &out->client) &&
	       copy_text(a, o, "subscription_id", &out->subscription) &&
	       claims_text(claims_get(o, "scope"), &scope) && scope_parse(scope, &out->scopes);
}

enum err
accesstoken_read(struct arena *a, const struct accesstoken_rules *r, const struct tokenkeys *keys,
    struct str text, int64_t now, struct accesstoken *out, bool *forged)
{
	struct jwt_rules rules = { .issuer = r->issuer, .audience = r->audience };
	struct claims *o;
	enum err err;

	*out = (struct accesstoken){ 0 };
	rules.keys = tokenkeys_all(keys, &rules.n_keys);
	err = jwt_open(a, &rules, text, now, &o, &out->issued, forged);
	if (err == OK && !read_payload(a, o, out))
		err = ERR_AUTH_TOKEN;
	claims_free(o);
	return err;
}
