/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_sub - one SUBSCRIBE for each channel, so that each has one reply.
 */
#include "lib/store/redis_sub.h"

#include <stdlib.h>

#include "lib/base/list.h"

#define RETRY_MS 10000

struct channel {
	struct list node;
	struct redis_sub *sub;
	struct redis_call *call; /* that subscribes to it */
	size_t n;
	char name[];
};

struct redis_sub {
	struct loop *loop;
	struct redis *redis;
	bool up;
	redis_sub_fn *fn;
	void (*state)(void *arg, enum err why);
	void *arg;
	struct list channels;
	struct timer again; /* what was refused is tried again */
};

static struct str
name_of(const struct channel *c)
{
	return str_of(c->name, c->n);
}

static struct channel *
find(struct redis_sub *s, struct str name)
{
	LIST_FOR(node, &s->channels) {
		struct channel *c = LIST_ENTRY(node, struct channel, node);

		if (str_eq(name_of(c), name))
			return c;
	}
	return NULL;
}

static void
retry_later(struct redis_sub *s)
{
	timer_set(s->loop, &s->again, RETRY_MS);
}

static void
on_subscribed(void *arg, enum err err, const redisReply *reply)
{
	struct channel *c = arg;
	struct redis_sub *s = c->sub;

	c->call = NULL;
	if (err == OK)
		err = redis_reason(reply);
	if (err == OK) {
		s->fn(s->arg, name_of(c));
		return;
	}
	if (err == ERR_CONNECT) /* the next connection begins with it */
		return;
	retry_later(s);
	if (s->state != NULL)
		s->state(s->arg, err);
}

static void
subscribe(struct channel *c)
{
	struct str words[] = { STR("SUBSCRIBE"), name_of(c) };

	redis_cancel(c->call);
	c->call = redis_send(c->sub->redis, words, 2, on_subscribed, c);
	if (c->call == NULL)
		retry_later(c->sub);
}

static void
subscribe_all(struct redis_sub *s)
{
	LIST_FOR(node, &s->channels)
		subscribe(LIST_ENTRY(node, struct channel, node));
}

static void
on_again(void *arg)
{
	struct redis_sub *s = arg;

	if (!s->up)
		return;
	if (s->state != NULL) /* until it is refused once more */
		s->state(s->arg, OK);
	subscribe_all(s);
}

static void
on_state(void *arg, enum err why)
{
	struct redis_sub *s = arg;

	s->up = why == OK;
	timer_clear(&s->again);
	if (s->up)
		subscribe_all(s);
	if (s->state != NULL)
		s->state(s->arg, why);
}

static void
on_message(void *arg, struct str name)
{
	struct redis_sub *s = arg;
	struct channel *c = find(s, name);

	if (c != NULL)
		s->fn(s->arg, name_of(c));
}

struct redis_sub *
redis_sub_new(struct loop *loop, const struct redis_config *cfg, redis_sub_fn *fn)
{
	struct redis_sub *s = calloc(1, sizeof(*s));
	struct redis_config own = *cfg;

	if (s == NULL)
		return NULL;
	s->loop = loop;
	s->fn = fn;
	s->state = cfg->state;
	s->arg = cfg->arg;
	list_init(&s->channels);
	timer_init(&s->again, on_again, s);
	own.state = on_state;
	own.message = on_message;
	own.arg = s;
	s->redis = redis_new(loop, &own);
	if (s->redis != NULL)
		return s;
	redis_sub_free(s);
	return NULL;
}

static void
channel_free(struct channel *c)
{
	redis_cancel(c->call);
	list_remove(&c->node);
	free(c);
}

void
redis_sub_free(struct redis_sub *s)
{
	struct list *node;

	if (s == NULL)
		return;
	while ((node = list_first(&s->channels)) != NULL)
		channel_free(LIST_ENTRY(node, struct channel, node));
	timer_clear(&s->again);
	redis_free(s->redis);
	free(s);
}

bool
redis_sub_add(struct redis_sub *s, struct str channel)
{
	struct channel *c;

	if (find(s, channel) != NULL)
		return true;
	c = calloc(1, sizeof(*c) + channel.n);
	if (c == NULL)
		return false;
	c->sub = s;
	c->n = channel.n;
	memcpy(c->name, channel.p, channel.n);
	list_append(&s->channels, &c->node);
	if (s->up)
		subscribe(c);
	return true;
}

static void
on_unsubscribed(void *arg, enum err err, const redisReply *reply)
{
	(void)arg;
	(void)err;
	(void)reply;
}

void
redis_sub_remove(struct redis_sub *s, struct str channel)
{
	struct str words[] = { STR("UNSUBSCRIBE"), channel };
	struct channel *c = find(s, channel);
	struct redis_call *call = NULL;

	if (c == NULL)
		return;
	channel_free(c);
	if (s->up)
		call = redis_send(s->redis, words, 2, on_unsubscribed, NULL);
	(void)call; /* what comes nevertheless is not passed on */
}
