/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_sentinel - one after the other has half of the time of a command.
 */
#include "lib/store/redis_sentinel.h"

#include <stdlib.h>

struct redis_sentinel {
	struct loop *loop;
	const struct redis_config *cfg;
	size_t at, left; /* the one asked now, and how many remain */
	struct redis *redis;
	struct task ask, next;
	enum err why; /* of the last one */
	redis_sentinel_fn *fn;
	void *arg;
};

static void
on_next(void *arg)
{
	struct redis_sentinel *q = arg;

	redis_free(q->redis);
	q->redis = NULL;
	q->at = (q->at + 1) % q->cfg->n_sentinels;
	if (q->left == 0)
		q->fn(q->arg, q->why, STR_NONE, 0, 0);
	else
		task_defer(q->loop, &q->ask);
}

static void
give_up(struct redis_sentinel *q, enum err why)
{
	q->why = why;
	task_defer(q->loop, &q->next);
}

static bool
is_address(const redisReply *reply, uint16_t *port)
{
	const redisReply *const *e = (const redisReply *const *)reply->element;
	uint64_t n;

	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
	    e[0]->type != REDIS_REPLY_STRING || e[1]->type != REDIS_REPLY_STRING ||
	    !str_to_u64(str_of(e[1]->str, (size_t)e[1]->len), 65535, &n))
		return false;
	*port = (uint16_t)n;
	return n > 0 && e[0]->len > 0;
}

static void
on_answer(void *arg, enum err err, const redisReply *reply)
{
	struct redis_sentinel *q = arg;
	uint16_t port;

	if (err != OK)
		give_up(q, err);
	else if (reply->type == REDIS_REPLY_NIL)
		give_up(q, ERR_NOT_FOUND);
	else if (!is_address(reply, &port))
		give_up(q, ERR_REDIS_ANSWER);
	else
		q->fn(q->arg, OK, str_of(reply->element[0]->str, (size_t)reply->element[0]->len),
		    port, q->at);
}

/* It cannot be reached: the next one need not wait for the time of the question. */
static void
on_state(void *arg, enum err why)
{
	if (why != OK)
		give_up(arg, why);
}

static void
on_ask(void *arg)
{
	struct redis_sentinel *q = arg;
	struct str words[] = { STR("SENTINEL"), STR("get-master-addr-by-name"),
		str_z(q->cfg->master_name) };
	struct redis_config c = *q->cfg;

	q->left--;
	c.host = q->cfg->sentinels[q->at].host;
	c.port = q->cfg->sentinels[q->at].port;
	c.n_sentinels = 0;
	c.is_sentinel = true;
	c.timeout = q->cfg->timeout / 2;
	c.longest = c.ping = 0;
	c.wait_min = c.wait_max = c.timeout;
	c.queue_max = 1;
	c.state = on_state;
	c.message = NULL;
	c.arg = q;
	q->redis = redis_new(q->loop, &c);
	if (q->redis == NULL || redis_send(q->redis, words, 3, on_answer, q) == NULL)
		give_up(q, ERR_MEMORY);
}

struct redis_sentinel *
redis_sentinel_ask(struct loop *loop, const struct redis_config *cfg, size_t first,
    redis_sentinel_fn *fn, void *arg)
{
	struct redis_sentinel *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	*q = (struct redis_sentinel){ .loop = loop,
		.cfg = cfg,
		.at = first,
		.left = cfg->n_sentinels,
		.why = ERR_NOT_FOUND,
		.fn = fn,
		.arg = arg };
	task_init(&q->ask, on_ask, q);
	task_init(&q->next, on_next, q);
	task_defer(loop, &q->ask);
	return q;
}

void
redis_sentinel_cancel(struct redis_sentinel *q)
{
	if (q == NULL)
		return;
	redis_free(q->redis);
	task_cancel(&q->ask);
	task_cancel(&q->next);
	free(q);
}
