/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delayq_redis_serve - every few seconds: which lanes are served here, what is measured, and
 * whether Redis writes.
 *
 * A lane that is not ours and not empty is a stranger; it may be another gateway's, which has a
 * newer configuration, or an older one.  Nobody's it is when we have seen for the time of grace,
 * connected all the while, that nobody says to serve it.  One that was ours is looked into before:
 * what belongs to another lane of ours is moved there.
 */
#include <stdlib.h>

#include "pushgw/queue/delayq_redis_int.h"

#define EVERY_MS 5000
#define FORGET_MS 600000 /* an empty lane */

static bool
has(const struct delayq_config *cfg, struct str lane)
{
	for (size_t i = 0; i < cfg->n_lanes; i++)
		if (str_eq(str_z(cfg->lanes[i]), lane))
			return true;
	return false;
}

/* --- strangers --- */

static struct str
name_of(const struct delayq_stranger *s)
{
	return str_of(s->name, s->n);
}

static struct delayq_stranger *
find(const struct delayq_redis *q, struct str name)
{
	LIST_FOR(node, &q->strangers) {
		struct delayq_stranger *s = LIST_ENTRY(node, struct delayq_stranger, node);

		if (str_eq(name_of(s), name))
			return s;
	}
	return NULL;
}

static void
stranger_free(struct delayq_stranger *s)
{
	list_remove(&s->node);
	free(s);
}

/* NULL: out of memory; it will be seen again. */
static struct delayq_stranger *
stranger_new(struct delayq_redis *q, struct str name)
{
	struct delayq_stranger *s = calloc(1, sizeof(*s) + name.n);

	if (s == NULL)
		return NULL;
	s->n = name.n;
	s->since = clock_now();
	str_put(s->name, name);
	list_append(&q->strangers, &s->node);
	return s;
}

bool
delayq_redis_is_orphan(const struct delayq_redis *q, const struct delayq_stranger *s)
{
	return clock_now() - s->since >= q->grace;
}

static void
seen(struct delayq_redis *q, struct str name, struct str served)
{
	struct delayq_stranger *s = find(q, name);
	uint64_t at = 0;

	if (has(&q->q.cfg, name) || !str_to_u64(served, UINT64_MAX, &at))
		return;
	if (s == NULL)
		s = stranger_new(q, name);
	if (s == NULL)
		return;
	s->listed = true;
	if (s->served != at)
		s->since = clock_now();
	s->served = at;
}

static struct str
text_of(const redisReply *list, size_t at)
{
	return delayq_redis_is(list, at, REDIS_REPLY_STRING)
		   ? str_of(list->element[at]->str, (size_t)list->element[at]->len)
		   : STR_NONE;
}

static void
seen_all(struct delayq_redis *q, const redisReply *list)
{
	LIST_FOR(node, &q->strangers)
		LIST_ENTRY(node, struct delayq_stranger, node)->listed = false;
	for (size_t i = 0; i + 1 < list->elements; i += 2)
		seen(q, text_of(list, i), text_of(list, i + 1));
	LIST_FOR(old, &q->strangers) {
		struct delayq_stranger *s = LIST_ENTRY(old, struct delayq_stranger, node);

		if (!s->listed) /* it is empty */
			stranger_free(s);
	}
}

void
delayq_redis_serve_adopt(
    struct delayq_redis *q, const struct delayq_config *old, const struct delayq_config *now)
{
	LIST_FOR(node, &q->strangers) {
		struct delayq_stranger *s = LIST_ENTRY(node, struct delayq_stranger, node);

		if (has(now, name_of(s)))
			stranger_free(s);
	}
	for (size_t i = 0; i < old->n_lanes; i++) {
		struct str name = str_z(old->lanes[i]);
		struct delayq_stranger *s =
		    !has(now, name) && find(q, name) == NULL ? stranger_new(q, name) : NULL;

		if (s != NULL)
			s->ours = true;
	}
	redis_script_cancel(q->serving); /* it was asked for the old ones */
	q->serving = NULL;
	timer_set(q->q.loop, &q->serve, 0);
}

/* --- saying --- */

static bool
is_answer(const redisReply *reply)
{
	for (size_t i = 0; i < 4; i++)
		if (!delayq_redis_is(reply, i, REDIS_REPLY_INTEGER))
			return false;
	return delayq_redis_is(reply, 4, REDIS_REPLY_ARRAY);
}

static void
on_served(void *arg, enum err err, const redisReply *reply)
{
	struct delayq_redis *q = arg;

	q->serving = NULL;
	if (err == OK && redis_reason(reply) == OK)
		delayq_redis_writes(q);
	if (delayq_redis_judge(q, err, reply) != OK || !is_answer(reply))
		return;
	q->known.count = (uint64_t)reply->element[0]->integer;
	q->known.bytes = (uint64_t)reply->element[1]->integer;
	q->known.rejected = (uint64_t)reply->element[2]->integer;
	q->known.oldest_overdue = (clock_ms)reply->element[3]->integer;
	seen_all(q, reply->element[4]);
}

void
delayq_redis_serve(void *of_q)
{
	struct delayq_redis *q = of_q;
	struct redis_words w;

	timer_set(q->q.loop, &q->serve, q->serve_every);
	if (q->serving != NULL || q->connected != OK)
		return;
	delayq_redis_words(q, &w);
	redis_words_number(&w, q->q.cfg.limits.rejected);
	redis_words_number(&w, FORGET_MS);
	for (size_t i = 0; i < q->q.cfg.n_lanes; i++)
		redis_words_put(&w, str_z(q->q.cfg.lanes[i]));
	q->serving = delayq_redis_run(q, DELAYQ_SERVE, &w, on_served);
}

/* --- coming and going --- */

void
delayq_redis_serve_init(struct delayq_redis *q)
{
	q->serve_every = EVERY_MS;
	timer_init(&q->serve, delayq_redis_serve, q);
	list_init(&q->strangers);
}

/* What others said meanwhile is not known. */
void
delayq_redis_serve_stop(struct delayq_redis *q)
{
	timer_clear(&q->serve);
	redis_script_cancel(q->serving);
	q->serving = NULL;
	LIST_FOR(node, &q->strangers)
		LIST_ENTRY(node, struct delayq_stranger, node)->since = clock_now();
}

void
delayq_redis_serve_fini(struct delayq_redis *q)
{
	struct list *node;

	while ((node = list_first(&q->strangers)) != NULL)
		stranger_free(LIST_ENTRY(node, struct delayq_stranger, node));
}
