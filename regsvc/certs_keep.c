/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certs_keep - the names first, then one value after the other; what changes meanwhile begins it
 * anew.
 */
#include "regsvc/certs_keep.h"

#include <stdlib.h>

#include "lib/base/log.h"

#define RETRY_MS (10 * 1000)

struct certs_keep {
	struct loop *loop;
	struct store *store;
	struct store_watch *watch;
	struct store_call *call;
	struct timer timer; /* begins */
	char (*keys)[STORE_KEY_MAX + 1];
	struct certs_record *records;
	size_t n_keys, next, n_records;
	enum err error; /* of the last reading */
	certs_keep_fn *fn;
	void *arg;
};

static void
drop_reading(struct certs_keep *k)
{
	for (size_t i = 0; i < k->n_records; i++)
		certs_record_fini(&k->records[i]);
	free(k->records);
	free(k->keys);
	k->records = NULL;
	k->keys = NULL;
	k->n_keys = k->next = k->n_records = 0;
}

static void
end_reading(struct certs_keep *k, enum err err)
{
	if (err != OK && err != k->error)
		log_warn(
		    "passport certificates cannot be read from the store: reason=%s: %s; those "
		    "in memory stay; trying again",
		    err_name(err), err_text(err));
	else if (err == OK && k->error != OK)
		log_info("passport certificates are read from the store again");
	k->error = err;
	if (err == OK)
		k->fn(k->arg, k->records, k->n_records);
	drop_reading(k);
	if (err != OK)
		timer_set(k->loop, &k->timer, RETRY_MS);
}

static void on_value(void *arg, enum err err, struct str value);

static void
read_next(struct certs_keep *k)
{
	if (k->next == k->n_keys) {
		end_reading(k, OK);
		return;
	}
	k->call = store_get(k->store, str_z(k->keys[k->next]), on_value, k);
	if (k->call == NULL)
		end_reading(k, ERR_MEMORY);
}

/* false: out of memory. */
static bool
take_value(struct certs_keep *k, struct str key, struct str value)
{
	enum err err = certs_record_read(key, value, &k->records[k->n_records]);

	if (err == OK)
		k->n_records++;
	else if (err != ERR_MEMORY)
		log_warn("store: '" STR_FMT "' is left out: %s; delete it and register the "
			 "certificate anew",
		    STR_ARG(key), err_text(err));
	return err != ERR_MEMORY;
}

static void
on_value(void *arg, enum err err, struct str value)
{
	struct certs_keep *k = arg;
	struct str key = str_z(k->keys[k->next]);

	k->call = NULL;
	if (err == ERR_STORE_DAMAGED)
		log_warn("store: '" STR_FMT "' is left out: %s", STR_ARG(key), err_text(err));
	else if (err == OK && !take_value(k, key, value))
		err = ERR_MEMORY;
	/* one may have been deleted since it was listed */
	if (err != OK && err != ERR_NOT_FOUND && err != ERR_STORE_DAMAGED) {
		end_reading(k, err);
		return;
	}
	k->next++;
	read_next(k);
}

static bool
take_keys(struct certs_keep *k, const struct str *keys, size_t n)
{
	k->keys = calloc(n + 1, sizeof(*k->keys));
	k->records = calloc(n + 1, sizeof(*k->records));
	if (k->keys == NULL || k->records == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		str_put(k->keys[i], keys[i]);
	k->n_keys = n;
	return true;
}

static void
on_keys(void *arg, enum err err, const struct str *keys, size_t n)
{
	struct certs_keep *k = arg;

	k->call = NULL;
	if (err == OK && !take_keys(k, keys, n))
		err = ERR_MEMORY;
	if (err == OK)
		read_next(k);
	else
		end_reading(k, err);
}

static void
on_announced(void *arg)
{
	certs_keep_look(arg);
}

static void
begin(void *arg)
{
	struct certs_keep *k = arg;

	drop_reading(k);
	if (k->watch == NULL)
		k->watch = store_watch(k->store, STR(CERTS_CHANNEL), on_announced, k);
	if (k->watch != NULL)
		k->call = store_list(k->store, STR(CERTS_PREFIX), on_keys, k);
	if (k->call == NULL)
		end_reading(k, ERR_MEMORY);
}

void
certs_keep_look(struct certs_keep *k)
{
	store_cancel(k->call);
	k->call = NULL;
	timer_set(k->loop, &k->timer, 0);
}

struct certs_keep *
certs_keep_new(struct loop *loop, certs_keep_fn *fn, void *arg)
{
	struct certs_keep *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->loop = loop;
	k->fn = fn;
	k->arg = arg;
	timer_init(&k->timer, begin, k);
	return k;
}

void
certs_keep_adopt(struct certs_keep *k, struct store *store)
{
	if (k->store == store)
		return;
	store_unwatch(k->watch);
	k->watch = NULL;
	k->store = store;
	certs_keep_look(k);
}

void
certs_keep_free(struct certs_keep *k)
{
	if (k == NULL)
		return;
	store_unwatch(k->watch);
	store_cancel(k->call);
	timer_clear(&k->timer);
	drop_reading(k);
	free(k);
}
