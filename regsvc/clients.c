/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clients - the records in force are an array in the order of their names; reading makes a second
 * one, key by key in the store's order, which is the same, and replaces it when it is complete.
 */
#include "regsvc/clients.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "regsvc/clienttable.h"

#define PREFIX "client:"
#define CHANNEL STR("clients")
#define RETRY_MS 1000
#define RECORD_MAX 4096

struct clients {
	struct loop *loop;
	struct store *store;
	size_t max;
	bool known;
	bool moved;    /* what is held is that of another store */
	enum err told; /* why reading failed, as logged last */
	struct clienttable table;
	/* reading */
	struct store_watch *watch;
	struct store_call *call;
	struct clienttable next;
	char (*keys)[STORE_KEY_MAX + 1]; /* what is to be read */
	size_t n_keys, at;
	bool again;    /* something changed meanwhile */
	bool outdated; /* by ourselves: what is being read would undo it */
	struct timer retry;
	struct list puts;
	void (*changed)(void *arg); /* NULL: nobody wants to know */
	void *changed_arg;
};

struct clients_put {
	struct list node;
	struct clients *clients;
	struct client record;
	struct task refusal; /* for a reason that is not the store's */
	enum err refused;
	struct store_call *call;
	store_done_fn *fn;
	void *arg;
};

static void read_all(void *arg);

/* --- who is told --- */

static void
tell_change(struct clients *c)
{
	if (c->changed != NULL)
		c->changed(c->changed_arg);
}

void
clients_watch(struct clients *c, void (*fn)(void *arg), void *arg)
{
	c->changed = fn;
	c->changed_arg = arg;
}

/* --- reading --- */

static void
reading_over(struct clients *c)
{
	c->outdated = false;
	free(c->keys);
	c->keys = NULL;
	c->n_keys = c->at = 0;
	clienttable_fini(&c->next);
	if (c->again) {
		c->again = false;
		timer_set(c->loop, &c->retry, 0);
	}
}

static void
read_again(struct clients *c, enum err why)
{
	c->told = why;
	c->again = false;
	reading_over(c);
	timer_set(c->loop, &c->retry, RETRY_MS);
}

static void
failed(struct clients *c, enum err why)
{
	if (c->told != why)
		log_error("clients: cannot be read from the store: %s; %s", err_text(why),
		    c->known ? "the ones held stay in force" : "nobody can log in");
	read_again(c, why);
}

/* No record is ever deleted, so a store without any has lost them. */
static void
lost(struct clients *c)
{
	if (c->told != ERR_NOT_FOUND)
		log_error("clients: the store has lost all %zu records; the ones held stay in "
			  "force until one is added or this process ends; bring back the data "
			  "of Redis and let it keep them (appendonly yes)",
		    c->table.n);
	read_again(c, ERR_NOT_FOUND);
}

static void
adopt(struct clients *c)
{
	struct clienttable old = c->table;

	if (c->outdated) {
		c->again = true;
		reading_over(c);
		return;
	}
	c->table = c->next;
	c->next = old;
	if (!c->known || c->told != OK)
		log_info("clients: %zu records", c->table.n);
	c->known = true;
	c->moved = false;
	c->told = OK;
	reading_over(c);
	tell_change(c);
}

static bool
take(struct clients *c, struct str value)
{
	struct client record;
	const char *id = c->keys[c->at] + strlen(PREFIX);

	if (!client_read(value, &record) || strcmp(record.id, id) != 0) {
		log_error(
		    "clients: the record %s cannot be read; remove or replace it", c->keys[c->at]);
		return true;
	}
	return clienttable_append(&c->next, &record);
}

static void read_one(struct clients *c);

static void
on_value(void *arg, enum err err, struct str value)
{
	struct clients *c = arg;

	c->call = NULL;
	if (err == ERR_STORE_DAMAGED)
		value = STR_NONE; /* told as one that cannot be read */
	else if (err != OK && err != ERR_NOT_FOUND) {
		failed(c, err);
		return;
	}
	if (err != ERR_NOT_FOUND && !take(c, value)) {
		failed(c, ERR_MEMORY);
		return;
	}
	c->at++;
	read_one(c);
}

static void
read_one(struct clients *c)
{
	if (c->at == c->n_keys) {
		adopt(c);
		return;
	}
	c->call = store_get(c->store, str_z(c->keys[c->at]), on_value, c);
	if (c->call == NULL)
		failed(c, ERR_MEMORY);
}

static void
on_keys(void *arg, enum err err, const struct str *keys, size_t n)
{
	struct clients *c = arg;

	c->call = NULL;
	if (err != OK) {
		failed(c, err);
		return;
	}
	if (n == 0 && c->table.n > 0 && !c->moved) {
		lost(c);
		return;
	}
	if (n > c->max)
		log_error("clients: %zu are registered, clients.max is %zu; the last ones in the "
			  "order of their names cannot log in",
		    n, c->max);
	n = n < c->max ? n : c->max;
	c->keys = calloc(n + 1, sizeof(*c->keys));
	if (c->keys == NULL) {
		failed(c, ERR_MEMORY);
		return;
	}
	for (c->n_keys = 0; c->n_keys < n; c->n_keys++)
		*str_put(c->keys[c->n_keys], keys[c->n_keys]) = '\0';
	read_one(c);
}

static void
read_all(void *arg)
{
	struct clients *c = arg;

	if (c->call != NULL) {
		c->again = true;
		return;
	}
	timer_clear(&c->retry);
	if (c->watch == NULL)
		c->watch = store_watch(c->store, CHANNEL, read_all, c);
	c->call = c->watch == NULL ? NULL : store_list(c->store, STR(PREFIX), on_keys, c);
	if (c->call == NULL)
		failed(c, ERR_MEMORY);
}

/* --- life --- */

struct clients *
clients_new(struct loop *loop, struct store *store, size_t max)
{
	struct clients *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	*c = (struct clients){ .loop = loop, .store = store, .max = max };
	list_init(&c->puts);
	timer_init(&c->retry, read_all, c);
	timer_set(loop, &c->retry, 0);
	return c;
}

static void
leave_store(struct clients *c)
{
	store_unwatch(c->watch);
	c->watch = NULL;
	store_cancel(c->call);
	c->call = NULL;
	timer_clear(&c->retry);
	c->again = false;
	reading_over(c);
}

void
clients_move(struct clients *c, struct store *store)
{
	if (c->store == store)
		return;
	leave_store(c);
	LIST_FOR(node, &c->puts) {
		struct clients_put *p = LIST_ENTRY(node, struct clients_put, node);

		store_cancel(p->call);
		p->call = NULL;
		p->refused = ERR_CANCELLED;
		task_defer(c->loop, &p->refusal);
	}
	c->store = store;
	c->moved = true;
	timer_set(c->loop, &c->retry, 0);
}

void
clients_limit(struct clients *c, size_t max)
{
	if (c->max == max)
		return;
	c->max = max;
	read_all(c);
}

void
clients_free(struct clients *c)
{
	if (c == NULL)
		return;
	LIST_FOR(node, &c->puts)
		clients_put_cancel(LIST_ENTRY(node, struct clients_put, node));
	leave_store(c);
	clienttable_fini(&c->table);
	free(c);
}

/* --- questions --- */

bool
clients_known(const struct clients *c)
{
	return c->known;
}

size_t
clients_count(const struct clients *c)
{
	return c->table.n;
}

const struct client *
clients_at(const struct clients *c, size_t i)
{
	return &c->table.v[i];
}

const struct client *
clients_find(const struct clients *c, struct str id)
{
	return clienttable_find(&c->table, id);
}

const struct client *
clients_of(const struct clients *c, const char *fingerprint, int64_t now)
{
	return clienttable_of(&c->table, fingerprint, now);
}

bool
clients_uses(const struct clients *c, const char *fingerprint, const char *except)
{
	return clienttable_uses(&c->table, fingerprint, except);
}

/* --- changes --- */

static void
put_over(struct clients_put *p, enum err err)
{
	store_done_fn *fn = p->fn;
	void *arg = p->arg;

	list_remove(&p->node);
	free(p);
	fn(arg, err);
}

static void
on_stored(void *arg, enum err err)
{
	struct clients_put *p = arg;
	struct clients *c = p->clients;

	p->call = NULL;
	c->outdated = c->call != NULL;
	if (err == OK && !clienttable_set(&c->table, &p->record))
		err = ERR_MEMORY;
	tell_change(c);
	put_over(p, err);
}

static void
on_refused(void *arg)
{
	struct clients_put *p = arg;

	put_over(p, p->refused);
}

static bool
send(struct clients_put *p)
{
	struct clients *c = p->clients;
	char key[STORE_KEY_MAX];
	struct store_op op;
	struct buf json;

	buf_init(&json, RECORD_MAX);
	op.key = str_of(key, (size_t)snprintf(key, sizeof(key), PREFIX "%s", p->record.id));
	op.ttl = 0;
	if (client_write(&p->record, &json)) {
		op.value = buf_str(&json);
		if (client_read(op.value, &p->record)) /* with its mark */
			p->call = store_apply(c->store, &op, 1, CHANNEL, on_stored, p);
	}
	buf_fini(&json);
	return p->call != NULL;
}

bool
clients_pending(const struct clients *c, const char *id)
{
	LIST_FOR(node, &c->puts)
		if (strcmp(LIST_ENTRY(node, struct clients_put, node)->record.id, id) == 0)
			return true;
	return false;
}

struct clients_put *
clients_put(struct clients *c, const struct client *record, store_done_fn *fn, void *arg)
{
	struct clients_put *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	*p = (struct clients_put){ .clients = c, .record = *record, .fn = fn, .arg = arg };
	list_append(&c->puts, &p->node);
	task_init(&p->refusal, on_refused, p);
	if (c->table.n >= c->max && clients_find(c, str_z(record->id)) == NULL) {
		p->refused = ERR_OVERLOAD;
		task_defer(c->loop, &p->refusal);
		return p;
	}
	if (send(p))
		return p;
	clients_put_cancel(p);
	return NULL;
}

void
clients_put_cancel(struct clients_put *p)
{
	if (p == NULL)
		return;
	task_cancel(&p->refusal);
	store_cancel(p->call);
	list_remove(&p->node);
	free(p);
}
