/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/providers/vapid.h"

#include <inttypes.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/hash.h"
#include "lib/base/list.h"
#include "lib/jose/bearer.h"
#include "lib/jose/jws_sign.h"
#include "lib/matrix/canonical.h"

#define POINT 65
#define POINT_TEXT 88 /* in base64url, with the NUL */
#define TOKEN_MEMORY 16384
#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

struct vapid {
	EVP_PKEY *key;
	char *contact;
	char public[POINT_TEXT];
	struct hash table;
	struct list order; /* the one used last is the first */
	size_t n;
};

struct token {
	struct hash_node by_origin;
	struct list node;
	char *origin, *field;
	int64_t expires;
};

static void
free_token(struct vapid *v, struct token *t)
{
	hash_remove(&v->table, &t->by_origin);
	list_remove(&t->node);
	v->n--;
	bearer_wipe(t->field);
	free(t->origin);
	free(t);
}

/* --- making one --- */

static bool
put_claims(struct buf *out, const struct vapid *v, const struct token *t)
{
	return buf_put(out, STR("{\"aud\":")) && json_put_string(out, str_z(t->origin)) &&
	       buf_printf(out, ",\"exp\":%" PRId64 ",\"sub\":", t->expires) &&
	       json_put_string(out, str_z(v->contact)) && buf_put(out, STR("}"));
}

static char *
make_field(const struct vapid *v, const struct token *t)
{
	struct arena a;
	struct buf claims;
	struct str jwt = STR_NONE;
	char *field = NULL;

	arena_init(&a, TOKEN_MEMORY);
	buf_init(&claims, TOKEN_MEMORY);
	if (put_claims(&claims, v, t))
		jwt = jws_sign_es256(
		    &a, STR("{\"typ\":\"JWT\",\"alg\":\"ES256\"}"), buf_str(&claims), v->key);
	if (jwt.n > 0 && asprintf(&field, "Authorization: vapid t=" STR_FMT ", k=%s", STR_ARG(jwt),
			     v->public) < 0)
		field = NULL;
	if (jwt.n > 0)
		sodium_memzero((char *)(uintptr_t)jwt.p, jwt.n);
	buf_fini(&claims);
	arena_fini(&a);
	return field;
}

static bool
renew(const struct vapid *v, struct token *t, int64_t now_s)
{
	char *field;

	t->expires = now_s + VAPID_LIFE_S;
	field = make_field(v, t);
	if (field == NULL)
		return false;
	bearer_wipe(t->field);
	t->field = field;
	return true;
}

static struct token *
add(struct vapid *v, struct str origin, uint64_t hash)
{
	struct token *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->origin = strndup(origin.p, origin.n);
	if (t->origin == NULL || !hash_insert(&v->table, &t->by_origin, hash)) {
		free(t->origin);
		free(t);
		return NULL;
	}
	list_prepend(&v->order, &t->node);
	if (++v->n > VAPID_ORIGINS)
		free_token(v, LIST_ENTRY(v->order.prev, struct token, node));
	return t;
}

/* --- finding one --- */

static struct token *
find(const struct vapid *v, struct str origin, uint64_t hash)
{
	for (struct hash_node *n = hash_first(&v->table, hash); n != NULL; n = hash_next(n)) {
		struct token *t = HASH_ENTRY(n, struct token, by_origin);

		if (str_eq(origin, str_z(t->origin)))
			return t;
	}
	return NULL;
}

/* Half of its life is left, so it outlasts the time a push service keeps a request; nor is it too
 * far ahead, as after a step of the clock. */
static bool
is_good(const struct token *t, int64_t now_s)
{
	return t->field != NULL && t->expires > now_s + VAPID_LIFE_S / 2 &&
	       t->expires <= now_s + VAPID_LIFE_S;
}

const char *
vapid_field(struct vapid *v, struct str origin, int64_t now_s)
{
	uint64_t hash = hash_str(origin);
	struct token *t = find(v, origin, hash);

	if (t == NULL)
		t = add(v, origin, hash);
	if (t == NULL)
		return NULL;
	list_remove(&t->node);
	list_prepend(&v->order, &t->node);
	if (is_good(t, now_s) || renew(v, t, now_s))
		return t->field;
	free_token(v, t);
	return NULL;
}

/* --- life --- */

static bool
read_public(struct vapid *v)
{
	unsigned char point[POINT] = { 4 }; /* uncompressed, whatever form the file has */
	BIGNUM *x = NULL, *y = NULL;
	char curve[32];
	bool good = EVP_PKEY_get_utf8_string_param(
			v->key, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof(curve), NULL) == 1 &&
		    strcmp(curve, "prime256v1") == 0 &&
		    EVP_PKEY_get_bn_param(v->key, OSSL_PKEY_PARAM_EC_PUB_X, &x) == 1 &&
		    EVP_PKEY_get_bn_param(v->key, OSSL_PKEY_PARAM_EC_PUB_Y, &y) == 1 &&
		    BN_bn2binpad(x, point + 1, POINT / 2) == POINT / 2 &&
		    BN_bn2binpad(y, point + 1 + POINT / 2, POINT / 2) == POINT / 2;

	BN_free(x);
	BN_free(y);
	ERR_clear_error();
	sodium_bin2base64(v->public, sizeof(v->public), point, POINT, VARIANT);
	return good;
}

struct vapid *
vapid_new(EVP_PKEY *key, const char *contact)
{
	struct vapid *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	hash_init(&v->table);
	list_init(&v->order);
	EVP_PKEY_up_ref(key);
	v->key = key;
	v->contact = strdup(contact);
	if (v->contact == NULL || !read_public(v)) {
		vapid_free(v);
		return NULL;
	}
	return v;
}

void
vapid_free(struct vapid *v)
{
	if (v == NULL)
		return;
	while (!list_empty(&v->order))
		free_token(v, LIST_ENTRY(list_first(&v->order), struct token, node));
	hash_fini(&v->table);
	EVP_PKEY_free(v->key);
	free(v->contact);
	free(v);
}
