/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_redis_calls - one call is one command or transaction; only a list takes several, one after
 * the other.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/store/store_keys.h"
#include "lib/store/store_redis_int.h"

#define SCAN_COUNT STR("1000")
#define CLAIM STR("/claim:")

/* Takes or keeps a claim, or gives it up (no time). */
#define CLAIM_SCRIPT \
	"local h=redis.call('get',KEYS[1]) " \
	"if h and h~=ARGV[1] then return 0 end " \
	"if ARGV[2]=='0' then if h then redis.call('del',KEYS[1]) end return 0 end " \
	"redis.call('set',KEYS[1],ARGV[1],'PX',ARGV[2]) return 1"

struct pending {
	struct store_call call; /* first */
	struct list node;
	struct redis_call *sent;
	struct store_keys keys; /* of a list: found so far */
	struct str pattern;     /* of a list; in the memory of keys */
};

static struct pending *
pending_new(struct store_redis *s)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->call.store = &s->store;
	store_keys_init(&p->keys, 2 * s->store.cfg.keys_max); /* some may come twice */
	list_init(&p->node);
	list_append(&s->calls, &p->node);
	return p;
}

static void
pending_free(struct pending *p)
{
	redis_cancel(p->sent);
	list_remove(&p->node);
	store_keys_fini(&p->keys);
	free(p);
}

/* Frees it if it could not be sent. */
static struct store_call *
sent(struct pending *p)
{
	if (p->sent != NULL)
		return &p->call;
	pending_free(p);
	return NULL;
}

/* The command has ended: what remains is to tell whom it was for. */
static struct store_call
ended(struct pending *p)
{
	struct store_call call = p->call;

	p->sent = NULL;
	pending_free(p);
	return call;
}

/* --- get --- */

static void
on_value(void *arg, enum err err, const redisReply *reply)
{
	struct store_call call = ended(arg);
	struct str value = STR_NONE;

	err = store_redis_judge(store_redis_of(call.store), err, reply);
	if (err == OK && reply->type != REDIS_REPLY_STRING)
		err = ERR_REDIS_ANSWER;
	if (err == OK)
		value = str_of(reply->str, (size_t)reply->len);
	if (err == OK && value.n == 0)
		err = ERR_NOT_FOUND;
	if (value.n > call.store->cfg.value_max)
		err = ERR_TOO_LARGE;
	call.fn.value(call.arg, err, err == OK ? value : STR_NONE);
}

/* Not GET: a value that is too large would have to be read to its end. */
struct store_call *
store_redis_get(struct store *store, struct str key)
{
	struct store_redis *s = store_redis_of(store);
	struct pending *p = pending_new(s);
	char room[STORE_NAME_ROOM], last[24];
	struct str words[] = { STR("GETRANGE"), store_redis_name(s, STR_NONE, key, room), STR("0"),
		STR_NONE };

	if (p == NULL)
		return NULL;
	words[3] = str_of(last, (size_t)snprintf(last, sizeof(last), "%zu", store->cfg.value_max));
	p->sent = redis_send(s->redis, words, 4, on_value, p);
	return sent(p);
}

/* --- apply --- */

static void
on_applied(void *arg, enum err err, const redisReply *reply)
{
	struct store_call call = ended(arg);

	err = store_redis_judge(store_redis_of(call.store), err, reply);
	call.fn.done(call.arg, err);
}

/* One change as a command; false: out of memory. */
static bool
compose(const struct store_redis *s, struct arena *a, const struct store_op *op,
    struct redis_command *out)
{
	char room[STORE_NAME_ROOM], px[24];
	struct str *words = arena_alloc(a, 5 * sizeof(*words));
	struct str name = arena_dup(a, store_redis_name(s, STR_NONE, op->key, room));
	int n = snprintf(px, sizeof(px), "%llu", (unsigned long long)op->ttl);
	struct str ttl = arena_dup(a, str_of(px, (size_t)n));

	if (words == NULL || name.p == NULL || ttl.p == NULL)
		return false;
	words[0] = op->value.n > 0 ? STR("SET") : STR("DEL");
	words[1] = name;
	words[2] = op->value;
	words[3] = STR("PX");
	words[4] = ttl;
	*out = (struct redis_command){ words, op->value.n == 0 ? 2 : op->ttl == 0 ? 3 : 5 };
	return true;
}

static struct redis_call *
transact(struct store_redis *s, struct arena *a, const struct store_op *ops, size_t n,
    struct str channel, struct pending *p)
{
	struct redis_command *commands = arena_alloc(a, (n + 1) * sizeof(*commands));
	char room[STORE_NAME_ROOM];
	struct str publish[] = { STR("PUBLISH"), store_redis_name(s, STR_NONE, channel, room),
		STR("1") };

	if (commands == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (!compose(s, a, &ops[i], &commands[i]))
			return NULL;
	commands[n] = (struct redis_command){ publish, 3 };
	return redis_transact(s->redis, commands, n + (channel.n > 0 ? 1 : 0), on_applied, p);
}

struct store_call *
store_redis_apply(struct store *store, const struct store_op *ops, size_t n, struct str channel)
{
	struct store_redis *s = store_redis_of(store);
	struct pending *p = pending_new(s);
	struct arena a;

	if (p == NULL)
		return NULL;
	arena_init(&a, SIZE_MAX / 2); /* bounded by STORE_OPS_MAX */
	p->sent = transact(s, &a, ops, n, channel, p);
	arena_fini(&a);
	return sent(p);
}

/* --- list --- */

static void on_page(void *arg, enum err err, const redisReply *reply);

static void
scan(struct pending *p, struct str cursor)
{
	struct str words[] = { STR("SCAN"), cursor, STR("MATCH"), p->pattern, STR("COUNT"),
		SCAN_COUNT };

	p->sent = redis_send(store_redis_of(p->call.store)->redis, words, 6, on_page, p);
}

static void
keys_told(struct pending *p, enum err err)
{
	struct store_keys keys = p->keys;
	struct store_call call;

	store_keys_init(&p->keys, 0);
	call = ended(p);
	store_keys_sort(&keys);
	if (err == OK && keys.n > call.store->cfg.keys_max)
		err = ERR_TOO_LARGE;
	call.fn.keys(call.arg, err, keys.v, err == OK ? keys.n : 0);
	store_keys_fini(&keys);
}

static enum err
add_page(struct pending *p, const redisReply *page)
{
	struct str prefix = store_redis_of(p->call.store)->prefix;
	enum err err = OK;

	for (size_t i = 0; i < page->elements && err == OK; i++) {
		const redisReply *e = page->element[i];
		struct str name = str_of(e->str, (size_t)e->len);

		if (e->type != REDIS_REPLY_STRING || !str_has_prefix(name, prefix))
			return ERR_REDIS_ANSWER;
		name = str_from(name, prefix.n);
		if (store_key_ok(name))
			err = store_keys_add(&p->keys, name);
	}
	return err;
}

static bool
is_page(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
	       reply->element[0]->type == REDIS_REPLY_STRING &&
	       reply->element[1]->type == REDIS_REPLY_ARRAY;
}

static void
on_page(void *arg, enum err err, const redisReply *reply)
{
	struct pending *p = arg;
	struct str cursor = STR_NONE;

	p->sent = NULL;
	err = store_redis_judge(store_redis_of(p->call.store), err, reply);
	if (err == OK)
		err = is_page(reply) ? add_page(p, reply->element[1]) : ERR_REDIS_ANSWER;
	if (err == OK)
		cursor = str_of(reply->element[0]->str, (size_t)reply->element[0]->len);
	if (err == OK && !str_eq(cursor, STR("0"))) {
		scan(p, cursor);
		if (p->sent != NULL)
			return;
		err = ERR_OVERLOAD;
	}
	keys_told(p, err);
}

/* What stands for itself in a pattern. */
static char *
put_plain(char *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (memchr("*?[]\\^-", s.p[i], 7) != NULL)
			*out++ = '\\';
		*out++ = s.p[i];
	}
	return out;
}

struct store_call *
store_redis_list(struct store *store, struct str prefix)
{
	struct store_redis *s = store_redis_of(store);
	struct pending *p = pending_new(s);
	char room[2 * STORE_NAME_ROOM + 1], *end = put_plain(room, s->prefix);

	if (p == NULL)
		return NULL;
	end = str_put(put_plain(end, prefix), STR("*"));
	p->pattern = arena_dup(&p->keys.mem, str_of(room, (size_t)(end - room)));
	if (p->pattern.p != NULL)
		scan(p, STR("0"));
	return sent(p);
}

/* --- claims --- */

static void
on_claimed(void *arg, enum err err, const redisReply *reply)
{
	struct store_call call = ended(arg);

	err = store_redis_judge(store_redis_of(call.store), err, reply);
	if (err == OK && reply->type != REDIS_REPLY_INTEGER)
		err = ERR_REDIS_ANSWER;
	call.fn.claimed(call.arg, err, err == OK && reply->integer == 1);
}

struct store_call *
store_redis_claim(struct store *store, struct str name, struct str token, clock_ms ttl)
{
	struct store_redis *s = store_redis_of(store);
	struct pending *p = pending_new(s);
	char room[STORE_NAME_ROOM], px[24];
	int n = snprintf(px, sizeof(px), "%llu", (unsigned long long)ttl);
	struct str words[] = { STR("EVAL"), STR(CLAIM_SCRIPT), STR("1"),
		store_redis_name(s, CLAIM, name, room), token, str_of(px, (size_t)n) };

	if (p == NULL)
		return NULL;
	p->sent = redis_send(s->redis, words, 6, on_claimed, p);
	return sent(p);
}

void
store_redis_cancel(struct store_call *call)
{
	pending_free((struct pending *)(void *)call);
}

void
store_redis_drop_calls(struct store_redis *s)
{
	struct list *node;

	while ((node = list_first(&s->calls)) != NULL)
		pending_free(LIST_ENTRY(node, struct pending, node));
}
