/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_redis - the state, and announcements.
 *
 * The state is the worst of three: of the connection, of what is refused (no memory, a replica, no
 * right) while the connection is there, and of the connection for announcements.  While something
 * is refused, a key that nobody reads is written every few seconds, so that the end of it is
 * noticed.
 */
#include "lib/store/store_redis.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/store/store_redis_int.h"

#define CHANNELS_MAX 256
#define TRY_MS 5000
#define TRY STR("/try")
#define LONGEST 20 /* times the time of a command, while bytes move */
#define REPLY_SLACK 65536

struct str
store_redis_name(
    const struct store_redis *s, struct str kind, struct str key, char room[STORE_NAME_ROOM])
{
	char *end = str_put(str_put(str_put(room, s->prefix), kind), key);

	return str_of(room, (size_t)(end - room));
}

/* --- the state --- */

static void
report(struct store_redis *s)
{
	enum err why = s->connected;

	if (why == OK)
		why = s->refused;
	if (why == OK && s->sub != NULL && s->subscribed != ERR_COUNT)
		why = s->subscribed;
	store_report(&s->store, why);
}

static void
on_connected(void *arg, enum err why)
{
	struct store_redis *s = arg;

	s->connected = why;
	s->refused = OK; /* of whom we were connected to */
	timer_clear(&s->again);
	report(s);
}

static void
on_subscribed(void *arg, enum err why)
{
	struct store_redis *s = arg;

	s->subscribed = why;
	report(s);
}

/* The first word of an error is its kind; what follows may quote our command. */
static void
log_refusal(const redisReply *reply)
{
	struct str word, rest;

	if (reply->type != REDIS_REPLY_ERROR)
		return;
	str_cut(str_of(reply->str, (size_t)reply->len), ' ', &word, &rest);
	log_warn("redis: a command is refused: " STR_FMT, STR_ARG(word));
}

/* What Redis says to a command; err: whether it says anything. */
enum err
store_redis_judge(struct store_redis *s, enum err err, const redisReply *reply)
{
	if (err != OK)
		return err; /* the connection's state tells */
	err = redis_reason(reply);
	if (err == OK)
		return OK;
	if (s->refused != err)
		log_refusal(reply);
	s->refused = err;
	timer_set(s->store.loop, &s->again, TRY_MS);
	report(s);
	return err;
}

static void
on_tried(void *arg, enum err err, const redisReply *reply)
{
	struct store_redis *s = arg;

	s->trying = NULL;
	if (err != OK || store_redis_judge(s, OK, reply) != OK)
		return;
	s->refused = OK;
	report(s);
}

static void
on_again(void *arg)
{
	struct store_redis *s = arg;
	char room[STORE_NAME_ROOM];
	struct str name = store_redis_name(s, TRY, STR_NONE, room);
	const struct str get[] = { STR("GETRANGE"), name, STR("0"), STR("0") };
	const struct str set[] = { STR("SET"), name, STR("1"), STR("PX"), STR("1000") };
	const struct redis_command commands[] = { { get, 4 }, { set, 5 } };

	redis_cancel(s->trying);
	s->trying = redis_transact(s->redis, commands, 2, on_tried, s);
	if (s->trying == NULL)
		timer_set(s->store.loop, &s->again, TRY_MS);
}

/* --- announcements --- */

static void
on_message(void *arg, struct str channel)
{
	struct store_redis *s = arg;

	store_announced(&s->store, str_from(channel, s->prefix.n));
}

static bool
open_sub(struct store_redis *s)
{
	struct redis_config cfg;

	if (s->sub != NULL)
		return true;
	cfg = *redis_config_of(s->redis);
	cfg.queue_max = CHANNELS_MAX;
	cfg.state = on_subscribed;
	s->subscribed = ERR_COUNT;
	s->sub = redis_sub_new(s->store.loop, &cfg, on_message);
	return s->sub != NULL;
}

static void
redis_unwatch(struct store *store, struct str channel)
{
	struct store_redis *s = store_redis_of(store);
	char room[STORE_NAME_ROOM];

	redis_sub_remove(s->sub, store_redis_name(s, STR_NONE, channel, room));
	if (!list_empty(&store->watches))
		return;
	redis_sub_free(s->sub);
	s->sub = NULL;
	report(s);
}

static bool
redis_watch(struct store *store, struct str channel)
{
	struct store_redis *s = store_redis_of(store);
	char room[STORE_NAME_ROOM];

	return open_sub(s) && redis_sub_add(s->sub, store_redis_name(s, STR_NONE, channel, room));
}

/* --- the back end --- */

static void
redis_store_free(struct store *store)
{
	struct store_redis *s = store_redis_of(store);

	store_redis_drop_calls(s);
	timer_clear(&s->again);
	redis_sub_free(s->sub);
	redis_free(s->redis);
	store_fini(store);
	free(s);
}

static const struct store_backend backend = {
	.free = redis_store_free,
	.get = store_redis_get,
	.apply = store_redis_apply,
	.list = store_redis_list,
	.claim = store_redis_claim,
	.cancel = store_redis_cancel,
	.watch = redis_watch,
	.unwatch = redis_unwatch,
};

struct store *
store_redis_open(struct loop *loop, const struct store_config *cfg,
    const struct redis_config *redis, const char *prefix)
{
	struct store_redis *s = calloc(1, sizeof(*s));
	struct redis_config rc = *redis;

	if (s == NULL)
		return NULL;
	store_init(&s->store, &backend, loop, cfg);
	list_init(&s->calls);
	timer_init(&s->again, on_again, s);
	s->connected = s->subscribed = ERR_COUNT;
	s->prefix = str_of(
	    s->prefix_text, (size_t)snprintf(s->prefix_text, sizeof(s->prefix_text), "%s", prefix));
	rc.longest = LONGEST * rc.timeout;
	rc.ping = rc.timeout;
	rc.reply_max = cfg->value_max + REPLY_SLACK;
	rc.state = on_connected;
	rc.message = NULL;
	rc.arg = s;
	s->redis = strlen(prefix) <= STORE_PREFIX_MAX ? redis_new(loop, &rc) : NULL;
	if (s->redis != NULL)
		return &s->store;
	redis_store_free(&s->store);
	return NULL;
}
