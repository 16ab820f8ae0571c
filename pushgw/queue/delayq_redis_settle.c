/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delayq_redis_settle - what is in hand, and what became of it.
 *
 * What ends in one turn, or while the last answer is awaited, is told in one script.  What Redis
 * did not confirm is told again: it is still ours, or else it changes nothing.
 */
#include <stdlib.h>

#include "pushgw/queue/delayq_redis_int.h"

#define LINGER_MS 1000     /* for Redis to hear the last words */
#define TOGETHER_MAX 10000 /* in one script: more are hardly ever in hand */
#define RENEW_MAX 500
#define RENEWALS 4 /* within the visibility */

static const char *const verbs[] = { [DELAYQ_FINISH] = "finish",
	[DELAYQ_REJECT] = "reject",
	[DELAYQ_LATER] = "later",
	[DELAYQ_MOVE] = "move" };

static void
taken_free(struct delayq_taken *t)
{
	list_remove(&t->node);
	free(t->lane);
	free(t);
}

static struct delayq_taken *
first_of(struct list *l)
{
	struct list *node = list_first(l);

	return node != NULL ? LIST_ENTRY(node, struct delayq_taken, node) : NULL;
}

static void
say_head(const struct delayq_redis *q, struct redis_words *w)
{
	delayq_redis_words(q, w);
	redis_words_number(w, DELAYQ_PUSH_COST);
	redis_words_number(w, q->visibility);
	redis_words_number(w, q->q.cfg.limits.rejected);
	redis_words_number(w, q->q.cfg.limits.rejected_max);
}

static void
say_claim(struct redis_words *w, struct str verb, const struct delayq_taken *t)
{
	redis_words_put(w, verb);
	redis_words_put(w, str_z(t->chain));
	redis_words_put(w, str_z(t->token));
}

/* --- telling what became of it --- */

static void
say_end(struct redis_words *w, const struct delayq_taken *t)
{
	say_claim(w, str_z(verbs[t->end]), t);
	if (t->end == DELAYQ_MOVE)
		redis_words_put(w, str_z(t->lane));
	else
		redis_words_number(w, t->after);
}

/* In the order in which they ended. */
static void
unsettle(struct delayq_redis *q)
{
	while (!list_empty(&q->settling)) {
		struct list *last = q->settling.prev;

		list_remove(last);
		list_prepend(&q->ended, last);
	}
}

/* How long it is until the next of the chain is due. */
static void
take_next(struct delayq_redis *q, const struct delayq_taken *t, const redisReply *reply, size_t i)
{
	long long after =
	    delayq_redis_is(reply, i, REDIS_REPLY_INTEGER) ? reply->element[i]->integer : -1;

	if (after >= 0)
		delayq_redis_due(q, t->job.push.lane, (clock_ms)after);
}

static void
on_settled(void *arg, enum err err, const redisReply *reply)
{
	struct delayq_redis *q = arg;
	struct delayq_taken *t;

	q->settle = NULL;
	if (delayq_redis_judge(q, err, reply) != OK) {
		unsettle(q);
		timer_set(q->q.loop, &q->again, DELAYQ_AGAIN_MS);
		return;
	}
	for (size_t i = 0; (t = first_of(&q->settling)) != NULL; i++) {
		take_next(q, t, reply, i);
		taken_free(t);
	}
	if (!list_empty(&q->ended))
		task_defer(q->q.loop, &q->settle_now);
}

/* As many as go together. */
static void
say_ended(struct delayq_redis *q, struct redis_words *w)
{
	struct delayq_taken *t;

	say_head(q, w);
	for (size_t n = 0; n < TOGETHER_MAX && (t = first_of(&q->ended)) != NULL; n++) {
		list_remove(&t->node);
		list_append(&q->settling, &t->node);
		say_end(w, t);
	}
}

static void
settle(void *arg)
{
	struct delayq_redis *q = arg;
	struct redis_words w;

	if (q->settle != NULL || q->connected != OK || list_empty(&q->ended))
		return;
	say_ended(q, &w);
	q->settle = delayq_redis_run(q, DELAYQ_SETTLE, &w, on_settled);
	if (q->settle != NULL)
		return;
	unsettle(q);
	timer_set(q->q.loop, &q->again, DELAYQ_AGAIN_MS);
}

void
delayq_redis_end(struct delayq_redis *q, struct delayq_taken *t, enum delayq_end how)
{
	t->end = how;
	list_remove(&t->node);
	list_append(&q->ended, &t->node);
	q->n_in_hand--;
	task_defer(q->q.loop, &q->settle_now);
}

/* --- holding --- */

static clock_ms
renew_every(const struct delayq_redis *q)
{
	clock_ms every = q->visibility / RENEWALS;

	return every > LOOP_TICK_MS ? every : LOOP_TICK_MS;
}

/* What was not renewed after that; those for longest are first.  If it is refused or lost, the next
 * time will do. */
static bool
renew_some(struct delayq_redis *q, clock_ms before)
{
	struct delayq_taken *t;
	struct redis_words w;
	size_t n = 0;

	say_head(q, &w);
	while (n < RENEW_MAX && (t = first_of(&q->in_hand)) != NULL && t->renewed < before) {
		list_remove(&t->node);
		list_append(&q->in_hand, &t->node);
		t->renewed = clock_now();
		say_claim(&w, STR("renew"), t);
		redis_words_put(&w, STR_NONE);
		n++;
	}
	if (n > 0)
		redis_script_tell(q->conn->redis, &q->scripts[DELAYQ_SETTLE], &w);
	redis_words_fini(&w);
	return n == RENEW_MAX;
}

void
delayq_redis_renew(void *of_q)
{
	struct delayq_redis *q = of_q;
	clock_ms now = clock_now(), every = renew_every(q);

	timer_set(q->q.loop, &q->renew, every / 2);
	if (q->connected != OK)
		return;
	while (renew_some(q, now > every ? now - every : 0))
		continue;
}

void
delayq_redis_hold(struct delayq_redis *q, struct delayq_taken *t)
{
	t->renewed = clock_now();
	list_append(&q->in_hand, &t->node);
	q->n_in_hand++;
	if (q->renew.due == 0)
		timer_set(q->q.loop, &q->renew, renew_every(q) / 2);
}

void
delayq_redis_settle_again(struct delayq_redis *q)
{
	clock_ms now = clock_now();

	while (renew_some(q, now))
		continue;
	settle(q);
}

/* --- public --- */

size_t
delayq_redis_finish(struct delayq *of, struct delayq_job *job, bool rejected)
{
	delayq_redis_end(delayq_redis_of(of), (struct delayq_taken *)(void *)job,
	    rejected ? DELAYQ_REJECT : DELAYQ_FINISH);
	return 0; /* nobody knows yet */
}

void
delayq_redis_later(struct delayq *of, struct delayq_job *job, clock_ms after)
{
	struct delayq_taken *t = (struct delayq_taken *)(void *)job;

	t->after = after;
	delayq_redis_end(delayq_redis_of(of), t, DELAYQ_LATER);
}

/* --- coming and going --- */

void
delayq_redis_settle_init(struct delayq_redis *q)
{
	list_init(&q->in_hand);
	list_init(&q->ended);
	list_init(&q->settling);
	task_init(&q->settle_now, settle, q);
	timer_init(&q->renew, delayq_redis_renew, q);
}

void
delayq_redis_settle_stop(struct delayq_redis *q)
{
	redis_script_cancel(q->settle);
	q->settle = NULL;
	unsettle(q);
}

static void
drop(struct list *l)
{
	struct delayq_taken *t;

	while ((t = first_of(l)) != NULL)
		taken_free(t);
}

/* So that others need not wait. */
static void
give_back(struct delayq_redis *q)
{
	struct redis_words w;

	while (!list_empty(&q->ended)) {
		say_ended(q, &w);
		redis_script_tell(q->conn->redis, &q->scripts[DELAYQ_SETTLE], &w);
		redis_words_fini(&w);
	}
	delayq_redis_words(q, &w);
	redis_words_put(&w, str_z(q->me));
	redis_script_tell(q->conn->redis, &q->scripts[DELAYQ_RELEASE], &w);
	redis_words_fini(&w);
	redis_linger(q->conn->redis, LINGER_MS);
}

void
delayq_redis_settle_fini(struct delayq_redis *q)
{
	delayq_redis_settle_stop(q);
	if (q->connected == OK && !(list_empty(&q->in_hand) && list_empty(&q->ended)))
		give_back(q);
	task_cancel(&q->settle_now);
	timer_clear(&q->renew);
	drop(&q->in_hand);
	drop(&q->ended);
	drop(&q->settling);
}
