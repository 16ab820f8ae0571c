/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_file - calls go through three lists: waiting, running (one batch, on the errand), done.
 *
 * Callers are told from a task, one per turn, so nothing here is on the stack when they free us.
 * While the folder cannot be written to, it is tried again every few seconds.
 */
#include "lib/store/store_file.h"

#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/net/errand.h"
#include "lib/store/store_disk.h"
#include "lib/store/store_int.h"

#define CALLS_MAX 4096
#define RETRY_MS 5000

enum what { GET, APPLY, LIST, CLAIM, TRY };

struct file_call {
	struct store_call call; /* first */
	struct list node;
	enum what what;
	bool held;            /* claim */
	struct str key;       /* or prefix */
	struct store_op *ops; /* with all they point to */
	size_t n;
	struct str channel;
	struct arena mem; /* of key and channel */
	enum err err;
	struct buf value;
	struct store_keys keys;
};

struct store_file {
	struct store store; /* first */
	struct store_disk *disk;
	struct list waiting, running, done;
	size_t n_calls;
	struct errand *errand;
	struct task begin, tell;
	struct timer again;
};

static struct store_file *
file_of(const struct store_call *c)
{
	return (struct store_file *)(void *)c->store;
}

/* --- calls --- */

static void
call_free(struct file_call *c)
{
	file_of(&c->call)->n_calls--;
	list_remove(&c->node);
	free(c->ops);
	arena_fini(&c->mem);
	buf_fini(&c->value);
	store_keys_fini(&c->keys);
	free(c);
}

static struct file_call *
call_new(struct store_file *f, enum what what, struct str key)
{
	struct file_call *c = f->n_calls < CALLS_MAX ? calloc(1, sizeof(*c)) : NULL;

	if (c == NULL)
		return NULL;
	c->call.store = &f->store;
	c->what = what;
	list_init(&c->node);
	arena_init(&c->mem, 4096);
	buf_init(&c->value, f->store.cfg.value_max);
	store_keys_init(&c->keys, f->store.cfg.keys_max);
	c->key = arena_dup(&c->mem, key);
	f->n_calls++;
	if (c->key.n == key.n)
		return c;
	call_free(c);
	return NULL;
}

static void
drop_calls(struct list *calls)
{
	struct list *node;

	while ((node = list_first(calls)) != NULL)
		call_free(LIST_ENTRY(node, struct file_call, node));
}

static struct store_call *
enqueue(struct store_file *f, struct file_call *c)
{
	if (c == NULL)
		return NULL;
	list_append(&f->waiting, &c->node);
	task_defer(f->store.loop, &f->begin);
	return &c->call;
}

/* --- on the errand --- */

static void
carry_out(struct store_disk *d, struct file_call *c)
{
	switch (c->what) {
	case GET:
		c->err = store_disk_get(d, c->key, &c->value);
		break;
	case APPLY:
		c->err = store_disk_apply(d, c->ops, c->n);
		break;
	case LIST:
		c->err = store_disk_list(d, c->key, &c->keys);
		break;
	case TRY:
		c->err = store_disk_try(d);
		break;
	case CLAIM:
		break;
	}
}

static void
work(void *arg)
{
	struct store_file *f = arg;

	LIST_FOR(node, &f->running)
		carry_out(f->disk, LIST_ENTRY(node, struct file_call, node));
}

/* --- back on the loop --- */

static void
look_at(struct store_file *f, struct file_call *c)
{
	bool broken = c->err == ERR_FILE || c->err == ERR_STORE_FULL;

	if (c->what == CLAIM)
		return;
	if (broken) {
		store_report(&f->store, c->err);
		timer_set(f->store.loop, &f->again, RETRY_MS);
	} else if (c->err == OK && (c->what == APPLY || c->what == TRY)) {
		store_report(&f->store, OK);
		timer_clear(&f->again);
	}
	if (c->what == APPLY && c->err == OK && c->channel.n > 0)
		store_announced(&f->store, c->channel);
}

static void
on_done(void *arg)
{
	struct store_file *f = arg;

	f->errand = NULL;
	LIST_FOR(node, &f->running) {
		look_at(f, LIST_ENTRY(node, struct file_call, node));
		list_remove(node);
		list_append(&f->done, node);
	}
	task_defer(f->store.loop, &f->tell);
	task_defer(f->store.loop, &f->begin);
}

static void
on_begin(void *arg)
{
	struct store_file *f = arg;

	if (f->errand != NULL || list_empty(&f->waiting))
		return;
	LIST_FOR(node, &f->waiting) {
		list_remove(node);
		list_append(&f->running, node);
	}
	f->errand = errand_start(f->store.loop, "store", work, on_done, f);
	if (f->errand != NULL)
		return;
	LIST_FOR(node, &f->running)
		LIST_ENTRY(node, struct file_call, node)->err = ERR_MEMORY;
	on_done(f);
}

static void
tell(struct file_call *c)
{
	struct store_call call = c->call;
	struct buf value = c->value;
	struct store_keys keys = c->keys;
	enum what what = c->what;
	enum err err = c->err;
	bool held = c->held && err == OK;

	buf_init(&c->value, 0);
	store_keys_init(&c->keys, 0);
	call_free(c);
	if (what == GET && call.fn.value != NULL)
		call.fn.value(call.arg, err, err == OK ? buf_str(&value) : STR_NONE);
	else if (what == APPLY && call.fn.done != NULL)
		call.fn.done(call.arg, err);
	else if (what == LIST && call.fn.keys != NULL)
		call.fn.keys(call.arg, err, keys.v, err == OK ? keys.n : 0);
	else if (what == CLAIM && call.fn.claimed != NULL)
		call.fn.claimed(call.arg, err, held);
	buf_fini(&value);
	store_keys_fini(&keys);
}

static void
on_tell(void *arg)
{
	struct store_file *f = arg;
	struct list *node = list_first(&f->done);

	if (node == NULL)
		return;
	list_remove(node);
	if (!list_empty(&f->done))
		task_defer(f->store.loop, &f->tell);
	tell(LIST_ENTRY(node, struct file_call, node));
}

static void
on_again(void *arg)
{
	struct store_file *f = arg;

	if (enqueue(f, call_new(f, TRY, STR_NONE)) == NULL)
		timer_set(f->store.loop, &f->again, RETRY_MS);
}

/* --- the back end --- */

static struct store_call *
file_get(struct store *s, struct str key)
{
	struct store_file *f = (struct store_file *)(void *)s;

	return enqueue(f, call_new(f, GET, key));
}

/* One block: the changes, then the bytes of keys and values. */
static struct store_op *
copy_ops(const struct store_op *ops, size_t n)
{
	size_t bytes = n * sizeof(*ops);
	struct store_op *own;
	char *at;

	for (size_t i = 0; i < n; i++)
		bytes += ops[i].key.n + ops[i].value.n;
	own = malloc(bytes);
	if (own == NULL)
		return NULL;
	at = (char *)(own + n);
	for (size_t i = 0; i < n; i++) {
		own[i] = ops[i];
		own[i].key.p = at;
		at = str_put(at, ops[i].key);
		own[i].value.p = at;
		at = str_put(at, ops[i].value);
	}
	return own;
}

static struct store_call *
file_apply(struct store *s, const struct store_op *ops, size_t n, struct str channel)
{
	struct store_file *f = (struct store_file *)(void *)s;
	struct file_call *c = call_new(f, APPLY, STR_NONE);

	if (c == NULL)
		return NULL;
	c->ops = copy_ops(ops, n);
	c->n = n;
	c->channel = arena_dup(&c->mem, channel);
	if (c->ops != NULL && (channel.n == 0 || c->channel.n > 0))
		return enqueue(f, c);
	call_free(c);
	return NULL;
}

static struct store_call *
file_list(struct store *s, struct str prefix)
{
	struct store_file *f = (struct store_file *)(void *)s;

	return enqueue(f, call_new(f, LIST, prefix));
}

static struct store_call *
file_claim(struct store *s, struct str name, struct str token, clock_ms ttl)
{
	struct store_file *f = (struct store_file *)(void *)s;
	struct file_call *c = call_new(f, CLAIM, name);

	(void)token;
	if (c == NULL)
		return NULL;
	c->held = ttl > 0;
	list_append(&f->done, &c->node);
	task_defer(s->loop, &f->tell);
	return &c->call;
}

static bool
is_in(struct list *calls, const struct file_call *c)
{
	LIST_FOR(node, calls) {
		if (node == &c->node)
			return true;
	}
	return false;
}

static void
file_cancel(struct store_call *call)
{
	struct file_call *c = (struct file_call *)(void *)call;

	call->fn.done = NULL;
	if (!is_in(&file_of(call)->running, c))
		call_free(c);
}

static bool
file_watch(struct store *s, struct str channel)
{
	(void)s;
	(void)channel;
	return true;
}

static void
file_unwatch(struct store *s, struct str channel)
{
	(void)s;
	(void)channel;
}

static void
file_free(struct store *s)
{
	struct store_file *f = (struct store_file *)(void *)s;

	errand_cancel(f->errand);
	drop_calls(&f->waiting);
	drop_calls(&f->running);
	drop_calls(&f->done);
	task_cancel(&f->begin);
	task_cancel(&f->tell);
	timer_clear(&f->again);
	store_disk_close(f->disk);
	store_fini(s);
	free(f);
}

static const struct store_backend backend = {
	.free = file_free,
	.get = file_get,
	.apply = file_apply,
	.list = file_list,
	.claim = file_claim,
	.cancel = file_cancel,
	.watch = file_watch,
	.unwatch = file_unwatch,
};

struct store *
store_file_open(struct loop *loop, const struct store_config *cfg, const char *folder)
{
	struct store_file *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	store_init(&f->store, &backend, loop, cfg);
	list_init(&f->waiting);
	list_init(&f->running);
	list_init(&f->done);
	task_init(&f->begin, on_begin, f);
	task_init(&f->tell, on_tell, f);
	timer_init(&f->again, on_again, f);
	f->disk = store_disk_open(folder);
	if (f->disk == NULL) {
		file_free(&f->store);
		return NULL;
	}
	store_report(&f->store, OK);
	return &f->store;
}
