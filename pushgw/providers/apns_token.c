/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/providers/apns_token.h"

#include <sodium.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/list.h"
#include "lib/jose/jws_sign.h"
#include "lib/matrix/canonical.h"

#define TOKEN_MAX 1024
#define JSON_MAX 512

struct apns_key {
	struct list node; /* of `keys` */
	unsigned users;
	char *team_id, *key_id;
	EVP_PKEY *key;
	char text[TOKEN_MAX + 1]; /* "": none was made */
	clock_ms made;
	int64_t iat;
	unsigned generation;
	bool expired; /* says APNs */
};

static struct list keys = { &keys, &keys };

/* --- who shares --- */

static bool
is(const struct apns_key *k, const char *team_id, const char *key_id, const EVP_PKEY *key)
{
	return strcmp(k->team_id, team_id) == 0 && strcmp(k->key_id, key_id) == 0 &&
	       EVP_PKEY_eq(k->key, key) == 1;
}

static void
drop(struct apns_key *k)
{
	list_remove(&k->node);
	EVP_PKEY_free(k->key);
	free(k->team_id);
	free(k->key_id);
	sodium_memzero(k->text, sizeof(k->text));
	free(k);
}

static struct apns_key *
add(const char *team_id, const char *key_id, EVP_PKEY *key)
{
	struct apns_key *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	list_init(&k->node);
	k->team_id = strdup(team_id);
	k->key_id = strdup(key_id);
	if (k->team_id == NULL || k->key_id == NULL || EVP_PKEY_up_ref(key) != 1) {
		drop(k);
		return NULL;
	}
	k->key = key;
	list_append(&keys, &k->node);
	return k;
}

struct apns_key *
apns_key_join(const char *team_id, const char *key_id, EVP_PKEY *key)
{
	struct apns_key *k = NULL;

	LIST_FOR(n, &keys) {
		k = LIST_ENTRY(n, struct apns_key, node);
		if (is(k, team_id, key_id, key))
			break;
		k = NULL;
	}
	if (k == NULL)
		k = add(team_id, key_id, key);
	if (k != NULL)
		k->users++;
	return k;
}

void
apns_key_leave(struct apns_key *k)
{
	if (k != NULL && --k->users == 0)
		drop(k);
}

/* --- the token --- */

static struct str
sign(struct arena *a, const struct apns_key *k, int64_t iat)
{
	struct str token = STR_NONE;
	struct buf header, payload;

	buf_init(&header, JSON_MAX);
	buf_init(&payload, JSON_MAX);
	if (buf_put(&header, STR("{\"alg\":\"ES256\",\"kid\":")) &&
	    json_put_string(&header, str_z(k->key_id)) && buf_put(&header, STR("}")) &&
	    buf_put(&payload, STR("{\"iss\":")) && json_put_string(&payload, str_z(k->team_id)) &&
	    buf_printf(&payload, ",\"iat\":%lld}", (long long)iat))
		token = jws_sign_es256(a, buf_str(&header), buf_str(&payload), k->key);
	buf_fini(&header);
	buf_fini(&payload);
	return token;
}

static bool
renew(struct apns_key *k, const struct apns_moment *m)
{
	struct arena a;
	struct str token;
	bool good;

	arena_init(&a, 8 * TOKEN_MAX);
	token = sign(&a, k, m->wall_s);
	good = token.n > 0 && token.n <= TOKEN_MAX;
	if (good) {
		*str_put(k->text, token) = '\0';
		sodium_memzero((char *)(uintptr_t)token.p, token.n);
		k->made = m->now;
		k->iat = m->wall_s;
		k->generation++;
		k->expired = false;
	}
	arena_fini(&a);
	return good;
}

/* The wall clock tells too: it may have been wrong, and goes on while the machine sleeps. */
static bool
is_old(const struct apns_key *k, const struct apns_moment *m)
{
	return k->expired || m->now - k->made >= APNS_TOKEN_LIFE_MS ||
	       m->wall_s - k->iat >= APNS_TOKEN_LIFE_MS / 1000 || m->wall_s < k->iat;
}

bool
apns_token_get(struct apns_key *k, const struct apns_moment *m, struct apns_provider_token *out)
{
	bool due = k->text[0] == '\0' || (m->now - k->made >= APNS_TOKEN_FLOOR_MS && is_old(k, m));

	if (due && !renew(k, m))
		return false;
	*out = (struct apns_provider_token){ .text = k->text, .generation = k->generation };
	return true;
}

clock_ms
apns_token_expired(struct apns_key *k, unsigned generation, clock_ms now)
{
	if (generation != k->generation)
		return 0;
	k->expired = true;
	return now - k->made >= APNS_TOKEN_FLOOR_MS ? 0 : k->made + APNS_TOKEN_FLOOR_MS - now;
}
