/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/tokenkeys.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/jose/jws.h"

#define KEY STR("token:key")
#define CHANNEL STR("token-keys")
#define CLAIM STR("token-key")
#define CLAIM_MS 10000
#define RETRY_MS 1000

struct tokenkeys {
	struct loop *loop;
	struct store *store;
	struct jwt_key keys[TOKEN_KEYS_MAX];
	size_t n;
	bool own; /* no files are configured */
	enum err told;
	/* our own key */
	struct store_watch *watch;
	struct store_claim *claim; /* who makes it */
	struct store_call *call;
	EVP_PKEY *made; /* being stored */
	struct timer retry;
};

static void read_own(void *arg);

/* --- keys --- */

static void
forget(struct tokenkeys *k)
{
	for (size_t i = 0; i < k->n; i++)
		EVP_PKEY_free(k->keys[i].key);
	memset(k->keys, 0, sizeof(k->keys));
	k->n = 0;
}

const struct jwt_key *
tokenkeys_signer(const struct tokenkeys *k)
{
	return k->n > 0 ? &k->keys[0] : NULL;
}

const struct jwt_key *
tokenkeys_all(const struct tokenkeys *k, size_t *n)
{
	*n = k->n;
	return k->keys;
}

/* --- our own: read from the store, or made --- */

static void
failed(struct tokenkeys *k, enum err why)
{
	if (k->told != why)
		log_error("token: the signing key cannot be had from the store: %s%s",
		    err_text(why), k->n > 0 ? "; the one held stays" : "; no tokens are issued");
	k->told = why;
	timer_set(k->loop, &k->retry, RETRY_MS);
}

static void
take(struct tokenkeys *k, EVP_PKEY *key)
{
	if (k->n == 0)
		log_info("token: the signing key is there");
	forget(k);
	if (jwt_key_set(&k->keys[0], key)) {
		k->n = 1;
		k->told = OK;
	} else {
		EVP_PKEY_free(key);
		failed(k, ERR_MEMORY);
	}
	store_claim_release(k->claim);
	k->claim = NULL;
}

static void
on_stored(void *arg, enum err err)
{
	struct tokenkeys *k = arg;
	EVP_PKEY *key = k->made;

	k->call = NULL;
	k->made = NULL;
	if (err == OK) {
		take(k, key);
		return;
	}
	EVP_PKEY_free(key);
	failed(k, err);
}

static void
make(struct tokenkeys *k)
{
	struct store_op op = { .key = KEY };
	BIO *pem = BIO_new(BIO_s_secmem());
	char *text = NULL;

	k->made = EVP_EC_gen("P-256");
	if (pem != NULL && k->made != NULL &&
	    PEM_write_bio_PrivateKey(pem, k->made, NULL, NULL, 0, NULL, NULL) == 1) {
		op.value.n = (size_t)BIO_get_mem_data(pem, &text);
		op.value.p = text;
		k->call = store_apply(k->store, &op, 1, CHANNEL, on_stored, k);
	}
	BIO_free(pem);
	if (k->call != NULL)
		return;
	EVP_PKEY_free(k->made);
	k->made = NULL;
	failed(k, ERR_MEMORY);
}

static void
on_claim(void *arg, bool held)
{
	struct tokenkeys *k = arg;

	if (held && k->call == NULL)
		read_own(k); /* perhaps somebody has made it meanwhile */
}

static void
make_or_wait(struct tokenkeys *k)
{
	if (k->claim == NULL)
		k->claim = store_claim(k->store, CLAIM, CLAIM_MS, on_claim, k);
	if (k->claim == NULL)
		failed(k, ERR_MEMORY);
	else if (store_claim_held(k->claim))
		make(k);
}

static void
on_value(void *arg, enum err err, struct str value)
{
	struct tokenkeys *k = arg;
	EVP_PKEY *key = NULL;
	BIO *pem;

	k->call = NULL;
	if (err == ERR_NOT_FOUND) {
		make_or_wait(k);
		return;
	}
	if (err != OK) {
		failed(k, err);
		return;
	}
	pem = BIO_new_mem_buf(value.p, (int)value.n);
	if (pem != NULL)
		key = PEM_read_bio_PrivateKey(pem, NULL, NULL, NULL);
	BIO_free(pem);
	ERR_clear_error();
	if (key != NULL && jws_key_fits(JWS_ES256, key)) {
		take(k, key);
		return;
	}
	EVP_PKEY_free(key);
	failed(k, ERR_STORE_DAMAGED);
}

static void
read_own(void *arg)
{
	struct tokenkeys *k = arg;

	if (!k->own || k->call != NULL)
		return;
	timer_clear(&k->retry);
	if (k->watch == NULL)
		k->watch = store_watch(k->store, CHANNEL, read_own, k);
	k->call = k->watch == NULL ? NULL : store_get(k->store, KEY, on_value, k);
	if (k->call == NULL)
		failed(k, ERR_MEMORY);
}

static void
end_own(struct tokenkeys *k)
{
	store_unwatch(k->watch);
	k->watch = NULL;
	store_cancel(k->call);
	k->call = NULL;
	EVP_PKEY_free(k->made);
	k->made = NULL;
	store_claim_release(k->claim);
	k->claim = NULL;
	timer_clear(&k->retry);
}

/* --- life --- */

/* Our own key: the one held counts until the store says what it is. */
static void
use_own(struct tokenkeys *k, struct store *store)
{
	if (k->own && k->store == store)
		return;
	end_own(k);
	if (!k->own)
		forget(k);
	k->own = true;
	k->store = store;
	timer_set(k->loop, &k->retry, 0);
}

static void
use_files(struct tokenkeys *k, const struct token_conf *conf)
{
	struct jwt_key keys[TOKEN_KEYS_MAX] = { 0 };

	for (size_t i = 0; i < conf->keys.n; i++) {
		if (jwt_key_set(&keys[i], conf->pkeys[i]))
			continue;
		log_error("token: out of memory; the keys stay those that they were");
		return; /* the references are still the configuration's */
	}
	for (size_t i = 0; i < conf->keys.n; i++)
		EVP_PKEY_up_ref(conf->pkeys[i]);
	end_own(k);
	forget(k);
	k->own = false;
	k->n = conf->keys.n;
	memcpy(k->keys, keys, sizeof(keys));
}

void
tokenkeys_adopt(struct tokenkeys *k, struct store *store, const struct token_conf *conf)
{
	if (conf->keys.n > 0)
		use_files(k, conf);
	if (conf->keys.n == 0 || k->own)
		use_own(k, store);
	k->store = store;
}

struct tokenkeys *
tokenkeys_new(struct loop *loop, struct store *store, const struct token_conf *conf)
{
	struct tokenkeys *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->loop = loop;
	timer_init(&k->retry, read_own, k);
	tokenkeys_adopt(k, store, conf);
	return k;
}

void
tokenkeys_free(struct tokenkeys *k)
{
	if (k == NULL)
		return;
	end_own(k);
	forget(k);
	free(k);
}
