/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serverkeys - read the answer into a draft, check it, copy it into one piece of memory.
 *
 * The signature covers the canonical object without `signatures` and `unsigned`; dropping members
 * of canonical text leaves canonical text.
 */
#include "lib/matrix/serverkeys.h"

#include <stdlib.h>

#include "lib/base/base64.h"
#include "lib/matrix/canonical.h"
#include "lib/matrix/name.h"
#include "lib/matrix/xmatrix.h"

#define KEY_ID_MAX 255
#define NOTARY_MAX 32 /* answers about one server looked at */

struct draft {
	struct arena *arena;
	struct str object; /* canonical */
	struct str name;   /* as the answer spells it */
	int64_t valid_until_ms;
	size_t count, id_bytes;
	struct serverkey keys[SERVERKEYS_MAX];
};

static bool
same_server(struct str a, struct str b)
{
	char normal_a[NAME_MAX_LEN + 1], normal_b[NAME_MAX_LEN + 1];
	struct str x = name_normal(a, normal_a);

	return x.n > 0 && str_eq(x, name_normal(b, normal_b));
}

static bool
add_key(struct draft *d, struct str id, struct str value)
{
	struct serverkey *k = &d->keys[d->count];

	if (!str_has_prefix(id, STR("ed25519:")))
		return true;
	if (id.n > KEY_ID_MAX)
		return false;
	k->id = id;
	d->id_bytes += id.n;
	d->count++;
	return base64_exact(
	    json_text(d->arena, json_get(value, STR("key"))), k->key, sizeof(k->key));
}

static enum err
read_keys(struct draft *d)
{
	struct str verify_keys = json_get(d->object, STR("verify_keys")), name, value;
	struct json_iter it;
	size_t members = 0;

	if (json_type(verify_keys) != JSON_OBJECT)
		return ERR_KEYS_SHAPE;
	json_begin(&it, verify_keys);
	while (json_next(&it, &name, &value)) {
		name = json_text(d->arena, name);
		if (name.p == NULL)
			return ERR_MEMORY;
		if (++members > SERVERKEYS_MAX || !add_key(d, name, value))
			return ERR_KEYS_SHAPE;
	}
	return OK;
}

static enum err
read_object(struct draft *d, struct str server_name, int64_t now_ms)
{
	if (json_type(d->object) != JSON_OBJECT)
		return ERR_KEYS_SHAPE;
	d->name = json_text(d->arena, json_get(d->object, STR("server_name")));
	if (d->name.p == NULL ||
	    !json_int(json_get(d->object, STR("valid_until_ts")), &d->valid_until_ms))
		return ERR_KEYS_SHAPE;
	if (!same_server(d->name, server_name))
		return ERR_KEYS_NAME;
	if (d->valid_until_ms <= now_ms)
		return ERR_KEYS_EXPIRED;
	if (d->valid_until_ms > now_ms + SERVERKEYS_VALID_MAX_MS)
		d->valid_until_ms = now_ms + SERVERKEYS_VALID_MAX_MS;
	return read_keys(d);
}

/* The object without the members that are not signed; n == 0: no memory. */
static struct str
signed_bytes(struct draft *d)
{
	char *start = arena_bytes(d->arena, d->object.n), *p = start;
	struct json_iter it;
	struct str name, value;
	size_t n;

	if (start == NULL)
		return STR_NONE;
	*p++ = '{';
	json_begin(&it, d->object);
	while (json_next(&it, &name, &value)) {
		if (json_is(name, STR("signatures")) || json_is(name, STR("unsigned")))
			continue;
		if (p > start + 1)
			*p++ = ',';
		/* In canonical text nothing but the colon is between them. */
		n = (size_t)(value.p + value.n - name.p);
		memcpy(p, name.p, n);
		p += n;
	}
	*p++ = '}';
	return str_of(start, (size_t)(p - start));
}

/* One key's signature, which may be missing; *found counts the good ones. */
static bool
check_signature(struct draft *d, struct str signatures, const struct serverkey *k, struct str bytes,
    unsigned *found)
{
	struct str value = json_get(signatures, k->id);
	unsigned char sig[64];

	if (value.n == 0)
		return true;
	++*found;
	return base64_exact(json_text(d->arena, value), sig, sizeof(sig)) &&
	       xmatrix_verify(sig, bytes, k->key);
}

static enum err
check_signatures(struct draft *d)
{
	struct str signatures = json_get(json_get(d->object, STR("signatures")), d->name);
	struct str bytes = signed_bytes(d);
	unsigned found = 0;

	if (bytes.n == 0)
		return ERR_MEMORY;
	for (size_t i = 0; i < d->count; i++)
		if (!check_signature(d, signatures, &d->keys[i], bytes, &found))
			return ERR_KEYS_SIGNATURE;
	return found > 0 ? OK : ERR_KEYS_SIGNATURE;
}

static void
on_free(struct snapshot *s)
{
	free(s); /* the snapshot is the first member's first member */
}

static struct serverkeys *
make(const struct draft *d)
{
	struct serverkeys *k = calloc(1, sizeof(*k) + d->count * sizeof(*k->keys) + d->id_bytes);
	char *ids;

	if (k == NULL)
		return NULL;
	snapshot_init(&k->fact.snap, on_free);
	k->fact.err = OK;
	k->valid_until_ms = d->valid_until_ms;
	k->count = d->count;
	k->keys = (struct serverkey *)(k + 1);
	ids = (char *)(k->keys + k->count);
	for (size_t i = 0; i < k->count; i++) {
		k->keys[i] = d->keys[i];
		k->keys[i].id.p = memcpy(ids, d->keys[i].id.p, d->keys[i].id.n);
		ids += d->keys[i].id.n;
	}
	return k;
}

static enum err
from_object(struct arena *a, struct str object, struct str server_name, int64_t now_ms,
    struct serverkeys **out)
{
	struct draft d = { .arena = a, .object = object };
	enum err err = read_object(&d, server_name, now_ms);

	if (err == OK)
		err = check_signatures(&d);
	if (err != OK)
		return err;
	*out = make(&d);
	return *out != NULL ? OK : ERR_MEMORY;
}

/* The text in canonical form; an answer that is not JSON is one of the wrong shape. */
static enum err
canonical_answer(struct arena *a, struct str json, struct str *out)
{
	enum err err = canonical_form(a, json, out);

	return err == OK || err == ERR_MEMORY ? err : ERR_KEYS_SHAPE;
}

enum err
serverkeys_parse(struct str json, struct str server_name, int64_t now_ms, struct serverkeys **out)
{
	struct arena a;
	struct str object;
	enum err err;

	arena_init(&a, 4 * json.n + 1024);
	err = canonical_answer(&a, json, &object);
	if (err == OK)
		err = from_object(&a, object, server_name, now_ms, out);
	arena_fini(&a);
	return err;
}

/* Tries the answers about this server; *best is the one valid longest, else the error is that of
 * the last. */
static enum err
best_of(struct arena *a, struct str list, struct str server_name, int64_t now_ms,
    struct serverkeys **best)
{
	enum err err = ERR_NOT_FOUND;
	unsigned tried = 0;
	struct json_iter it;
	struct str object;

	json_begin(&it, list);
	while (tried < NOTARY_MAX && json_next(&it, NULL, &object)) {
		struct serverkeys *k;

		if (!same_server(json_text(a, json_get(object, STR("server_name"))), server_name))
			continue;
		tried++;
		err = from_object(a, object, server_name, now_ms, &k);
		if (err != OK)
			continue;
		if (*best != NULL && k->valid_until_ms <= (*best)->valid_until_ms) {
			snapshot_drop(&k->fact.snap);
			continue;
		}
		if (*best != NULL)
			snapshot_drop(&(*best)->fact.snap);
		*best = k;
	}
	return *best != NULL ? OK : err;
}

enum err
serverkeys_from_notary(
    struct str json, struct str server_name, int64_t now_ms, struct serverkeys **out)
{
	struct serverkeys *best = NULL;
	struct arena a;
	struct str answer, list;
	enum err err;

	arena_init(&a, 4 * json.n + 1024);
	err = canonical_answer(&a, json, &answer);
	if (err == OK) {
		list = json_get(answer, STR("server_keys"));
		err = json_type(list) == JSON_ARRAY ? best_of(&a, list, server_name, now_ms, &best)
						    : ERR_KEYS_SHAPE;
	}
	arena_fini(&a);
	if (err == OK)
		*out = best;
	return err;
}

const unsigned char *
serverkeys_find(const struct serverkeys *k, struct str key_id, int64_t now_ms)
{
	if (now_ms >= k->valid_until_ms)
		return NULL;
	for (size_t i = 0; i < k->count; i++)
		if (str_eq(k->keys[i].id, key_id))
			return k->keys[i].key;
	return NULL;
}

int64_t
serverkeys_valid_until_ms(const struct serverkeys *k)
{
	return k->valid_until_ms;
}
