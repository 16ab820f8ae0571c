/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delayq_redis - opening, connections, the state; the rest is in delayq_redis_put.c, _take.c,
 * _settle.c and _serve.c.
 *
 * The state is that of the connection, or what Redis refuses (no memory, a replica, no right) while
 * there is one.  What it refuses it is asked again with the next heartbeat (_serve.c), which
 * writes.
 */
#include "pushgw/queue/delayq_redis.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/daemon/redis_section.h"
#include "pushgw/config.h"
#include "pushgw/queue/delayq_redis_int.h"

#define GRACE_MS 60000 /* more than a gateway takes to be back after Redis was away */
#define PREFIX "pushgw:"

/* --- the state --- */

static void
report(struct delayq_redis *q)
{
	delayq_report(&q->q, q->connected != OK ? q->connected : q->refused);
}

/* The first word of an error is its kind; what follows may quote our command. */
static void
log_refusal(const redisReply *reply)
{
	struct str word, rest;

	if (reply->type != REDIS_REPLY_ERROR)
		return;
	str_cut(str_of(reply->str, (size_t)reply->len), ' ', &word, &rest);
	log_warn("redis: a script of the queue is refused: " STR_FMT
		 " (NOPERM: the ACL of its user, OOM: maxmemory, READONLY: a replica)",
	    STR_ARG(word));
}

enum err
delayq_redis_judge(struct delayq_redis *q, enum err err, const redisReply *reply)
{
	if (err != OK)
		return err; /* the connection's state tells */
	err = redis_reason(reply);
	if (err == OK)
		return OK;
	if (q->refused != err)
		log_refusal(reply);
	q->refused = err;
	q->refused_anew = true;
	report(q);
	return err;
}

void
delayq_redis_writes(struct delayq_redis *q)
{
	if (!q->refused_anew)
		q->refused = OK;
	q->refused_anew = false;
	report(q);
}

/* --- scripts --- */

void
delayq_redis_words(const struct delayq_redis *q, struct redis_words *w)
{
	redis_words_init(w, str_z(q->prefix));
}

struct redis_script_call *
delayq_redis_run(
    struct delayq_redis *q, enum delayq_script which, struct redis_words *w, redis_fn *fn)
{
	struct redis_script_call *c =
	    redis_script_run(q->conn->redis, &q->scripts[which], w, fn, q);

	redis_words_fini(w);
	return c;
}

bool
delayq_redis_is(const redisReply *reply, size_t at, int type)
{
	return reply->type == REDIS_REPLY_ARRAY && at < reply->elements &&
	       reply->element[at]->type == type;
}

/* --- connections --- */

static void
conn_free(struct delayq_conn *c)
{
	timer_clear(&c->over);
	list_remove(&c->node);
	redis_free(c->redis);
	free(c);
}

static void
on_over(void *of_conn)
{
	conn_free(of_conn);
}

static void
on_again(void *arg)
{
	struct delayq_redis *q = arg;

	delayq_redis_settle_again(q); /* first, or it would be taken once more */
	delayq_redis_poll(q);
}

static void
on_connected(void *arg, enum err why)
{
	struct delayq_conn *c = arg;
	struct delayq_redis *q = c->q;

	if (c != q->conn)
		return;
	q->connected = why;
	q->refused = OK; /* of whom we were connected to */
	q->refused_anew = false;
	report(q);
	delayq_redis_serve_stop(q);
	if (why != OK)
		return;
	delayq_redis_serve(q);
	on_again(q);
}

static struct delayq_conn *
conn_new(struct delayq_redis *q, struct resolver *resolver, const struct redis_conf *redis)
{
	struct delayq_conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->q = q;
	list_init(&c->node);
	timer_init(&c->over, on_over, c);
	c->redis = redis_section_open(q->q.loop, resolver, redis, on_connected, c);
	if (c->redis != NULL)
		return c;
	free(c);
	return NULL;
}

static void
set_prefix(struct delayq_redis *q, const struct redis_conf *redis)
{
	snprintf(q->prefix, sizeof(q->prefix), "%s" PREFIX,
	    redis->key_prefix != NULL ? redis->key_prefix : "");
}

bool
delayq_redis_reopen(struct delayq *of, struct resolver *resolver, const struct redis_conf *redis)
{
	struct delayq_redis *q = delayq_redis_of(of);
	struct delayq_conn *c = conn_new(q, resolver, redis);
	clock_ms timeout = redis_config_of(q->conn->redis)->timeout;

	if (c == NULL)
		return false;
	delayq_redis_take_stop(q);
	delayq_redis_settle_stop(q);
	delayq_redis_serve_stop(q);
	list_append(&q->old, &q->conn->node);
	/* Nothing asked there takes longer: a script may be sent twice. */
	timer_set(q->q.loop, &q->conn->over, 2 * timeout + DELAYQ_AGAIN_MS);
	q->conn = c;
	q->connected = ERR_COUNT;
	set_prefix(q, redis);
	return true;
}

void
delayq_redis_set_visibility(struct delayq *of, const struct queue_conf *queue)
{
	struct delayq_redis *q = delayq_redis_of(of);

	q->visibility = queue->visibility;
	timer_set(q->q.loop, &q->again, 0); /* what is in hand is renewed for the new time */
}

/* --- the back end --- */

static bool
redis_adopt(struct delayq *of, const struct delayq_config *cfg)
{
	struct delayq_redis *q = delayq_redis_of(of);

	if (!delayq_redis_take_room(q, cfg->n_lanes))
		return false;
	delayq_redis_serve_adopt(q, &q->q.cfg, cfg);
	LIST_FOR(node, &q->in_hand) {
		struct push *p = &LIST_ENTRY(node, struct delayq_taken, node)->job.push;

		p->lane = cfg->lane(cfg->arg, p->app_id);
	}
	timer_set(q->q.loop, &q->again, 0);
	return true;
}

static void
redis_measure(const struct delayq *of, struct delayq_gauges *out)
{
	const struct delayq_redis *q = (const struct delayq_redis *)(const void *)of;
	clock_ms now = clock_now();

	*out = q->known;
	out->in_hand = q->n_in_hand;
	LIST_FOR(node, &q->in_hand) {
		clock_ms due = LIST_ENTRY(node, struct delayq_taken, node)->job.due;

		if (due < now && now - due > out->oldest_overdue)
			out->oldest_overdue = now - due;
	}
}

static void
redis_queue_free(struct delayq *of)
{
	struct delayq_redis *q = delayq_redis_of(of);
	struct list *node;

	timer_clear(&q->again);
	delayq_redis_puts_drop(q);
	delayq_redis_take_stop(q);
	delayq_redis_serve_stop(q);
	delayq_redis_serve_fini(q);
	delayq_redis_settle_fini(q);
	while ((node = list_first(&q->old)) != NULL)
		conn_free(LIST_ENTRY(node, struct delayq_conn, node));
	if (q->conn != NULL)
		conn_free(q->conn);
	free(q->nexts);
	free(q->asked);
	delayq_fini(&q->q);
	free(q);
}

static const struct delayq_backend backend = {
	.free = redis_queue_free,
	.adopt = redis_adopt,
	.put = delayq_redis_put,
	.cancel = delayq_redis_put_cancel,
	.finish = delayq_redis_finish,
	.later = delayq_redis_later,
	.kick = delayq_redis_kick,
	.measure = redis_measure,
};

static void
name_us(char out[DELAYQ_ME + 1])
{
	unsigned char random[DELAYQ_ME / 2];

	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(out, DELAYQ_ME + 1, random, sizeof(random));
}

struct delayq *
delayq_redis_open(struct loop *loop, struct resolver *resolver, const struct redis_conf *redis,
    const struct queue_conf *queue, const struct delayq_config *cfg)
{
	struct delayq_redis *q = calloc(1, sizeof(*q));
	bool ok;

	if (q == NULL)
		return NULL;
	ok = delayq_init(&q->q, &backend, loop, cfg);
	q->visibility = queue->visibility;
	q->grace = GRACE_MS;
	q->connected = ERR_COUNT;
	list_init(&q->old);
	list_init(&q->puts);
	timer_init(&q->again, on_again, q);
	name_us(q->me);
	set_prefix(q, redis);
	delayq_redis_take_init(q);
	delayq_redis_settle_init(q);
	delayq_redis_serve_init(q);
	ok = ok && delayq_redis_scripts_init(q->scripts);
	ok = ok && delayq_redis_take_room(q, cfg->n_lanes);
	if (ok)
		q->conn = conn_new(q, resolver, redis);
	if (q->conn != NULL)
		return &q->q;
	redis_queue_free(&q->q);
	return NULL;
}
