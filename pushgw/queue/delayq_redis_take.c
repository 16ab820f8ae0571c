/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delayq_redis_take - asks Redis for what is due.
 *
 * Each answer says for how long nothing is due in a lane, and so does each put and what is
 * finished: a lane is asked when that time is over, and once a second for what others put.  Lanes
 * without room are not asked.  One script is under way at a time; if its answer does not come, what
 * it took is given back before the next.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "pushgw/queue/delayq_redis_int.h"
#include "pushgw/queue/push_record.h"

#define POLL_MS 1000          /* others put too */
#define TOGETHER_MS 500       /* lanes are asked so much earlier when another one is asked */
#define DROPPED_MS 5000       /* between looks into a lane that was ours and is not yet nobody's */
#define LANE_MAX 256          /* pushes of one lane in one answer */
#define ENOUGH (1 << 20)      /* bytes of an answer */
#define STRANGERS_MAX 64      /* asked at a time */
#define UNREADABLE_MS 60000   /* a record that we cannot read: a newer gateway may */
#define UNREADABLE_TRIES 1440 /* then it is dropped */

/* --- when --- */

static void
poll_at(struct delayq_redis *q, clock_ms at)
{
	clock_ms now = clock_now();

	q->poll_at = at;
	timer_set(q->q.loop, &q->poll, at > now ? at - now : 0);
}

void
delayq_redis_due(struct delayq_redis *q, unsigned lane, clock_ms after)
{
	clock_ms at = clock_now() + after;

	if (lane >= q->q.cfg.n_lanes || q->nexts[lane] <= at)
		return;
	q->nexts[lane] = at;
	if (at < q->poll_at)
		poll_at(q, at);
}

static size_t
room(const struct delayq_redis *q, unsigned lane)
{
	return q->q.cfg.room(q->q.cfg.arg, lane);
}

static void
poll_again(struct delayq_redis *q)
{
	clock_ms now = clock_now(), at = now + POLL_MS;

	for (unsigned i = 0; i < q->q.cfg.n_lanes; i++)
		if (q->nexts[i] < at && room(q, i) > 0)
			at = q->nexts[i];
	if (at <= now)
		task_defer(q->q.loop, &q->poll_now);
	poll_at(q, at);
}

void
delayq_redis_kick(struct delayq *of, unsigned lane)
{
	struct delayq_redis *q = delayq_redis_of(of);

	if (lane < q->q.cfg.n_lanes && q->nexts[lane] <= clock_now())
		task_defer(q->q.loop, &q->poll_now);
}

/* --- giving back what an answer that never came took --- */

static void
on_released(void *arg, enum err err, const redisReply *reply)
{
	struct delayq_redis *q = arg;

	q->releasing = NULL;
	if (delayq_redis_judge(q, err, reply) == OK) {
		q->lost = false;
		delayq_redis_poll(q);
	} else {
		timer_set(q->q.loop, &q->again, DELAYQ_AGAIN_MS);
	}
}

static void
release(struct delayq_redis *q)
{
	struct redis_words w;

	delayq_redis_words(q, &w);
	redis_words_put(&w, str_z(q->token));
	q->releasing = delayq_redis_run(q, DELAYQ_RELEASE, &w, on_released);
	if (q->releasing == NULL)
		timer_set(q->q.loop, &q->again, DELAYQ_AGAIN_MS);
}

/* --- what was taken --- */

static struct str
text_of(const redisReply *job, size_t at)
{
	return str_of(job->element[at]->str, (size_t)job->element[at]->len);
}

/* Which lane, chain, tries, age, record. */
static bool
is_job(const redisReply *job)
{
	return delayq_redis_is(job, 0, REDIS_REPLY_INTEGER) &&
	       delayq_redis_is(job, 1, REDIS_REPLY_STRING) &&
	       job->element[1]->len == DELAYQ_CHAIN &&
	       delayq_redis_is(job, 2, REDIS_REPLY_INTEGER) &&
	       delayq_redis_is(job, 3, REDIS_REPLY_INTEGER) &&
	       delayq_redis_is(job, 4, REDIS_REPLY_STRING);
}

/* NULL: out of memory; another will take it when its time is over. */
static struct delayq_taken *
taken_new(const struct delayq_redis *q, const redisReply *job)
{
	struct str record = text_of(job, 4);
	struct delayq_taken *t = calloc(1, sizeof(*t) + record.n);
	clock_ms now = clock_now(), age = (clock_ms)job->element[3]->integer;

	if (t == NULL)
		return NULL;
	list_init(&t->node);
	list_init(&t->job.node);
	t->job.due = age < now ? now - age : 0;
	t->job.attempts = (unsigned)job->element[2]->integer;
	memcpy(t->chain, job->element[1]->str, DELAYQ_CHAIN);
	memcpy(t->token, q->token, sizeof(t->token));
	t->n = record.n;
	str_put(t->record, record);
	return t;
}

static void
unreadable(struct delayq_redis *q, struct delayq_taken *t)
{
	if (t->job.attempts >= UNREADABLE_TRIES) {
		log_error("queue: a push in Redis cannot be read and is dropped; was it put by a "
			  "newer gateway?");
		delayq_redis_end(q, t, DELAYQ_FINISH);
		return;
	}
	if (t->job.attempts == 0)
		log_warn("queue: a push in Redis cannot be read, it is put off; was it put by a "
			 "newer gateway?");
	t->after = UNREADABLE_MS;
	delayq_redis_end(q, t, DELAYQ_LATER);
}

/* Into the lane of its app, where whichever gateway has room takes it; so it is not in hand here.
 */
static void
move(struct delayq_redis *q, struct delayq_taken *t)
{
	unsigned lane = t->job.push.lane;

	if (lane != DELAYQ_NO_LANE)
		t->lane = strdup(q->q.cfg.lanes[lane]);
	delayq_redis_end(q, t, DELAYQ_MOVE);
}

static void
hand_out(struct delayq_redis *q, struct delayq_taken *t, bool nobodys)
{
	const struct delayq_config *cfg = &q->q.cfg;
	struct push *p = &t->job.push;

	delayq_redis_hold(q, t);
	if (!push_record_read(str_of(t->record, t->n), p)) {
		p->lane = DELAYQ_NO_LANE;
		unreadable(q, t);
		return;
	}
	p->lane = cfg->lane(cfg->arg, p->app_id);
	if (p->lane != DELAYQ_NO_LANE ? room(q, p->lane) > 0 : nobodys)
		cfg->due(cfg->arg, &t->job);
	else
		move(q, t);
}

/* Whose app is in no lane can be handed out: of a lane of ours, or of nobody's. */
static bool
is_nobodys(const struct delayq_redis *q, const redisReply *job)
{
	size_t which = (size_t)job->element[0]->integer;

	return which < q->n_asked &&
	       (q->asked[which].lane != DELAYQ_NO_LANE || q->asked[which].orphan);
}

static void
take_jobs(struct delayq_redis *q, const redisReply *jobs)
{
	for (size_t i = 0; i < jobs->elements; i++) {
		const redisReply *job = jobs->element[i];
		struct delayq_taken *t = is_job(job) ? taken_new(q, job) : NULL;

		if (t != NULL)
			hand_out(q, t, is_nobodys(q, job));
	}
}

static void
take_nexts(struct delayq_redis *q, const redisReply *nexts)
{
	clock_ms now = clock_now();

	for (size_t i = 0; i < q->n_asked && i < nexts->elements; i++) {
		long long after = nexts->element[i]->integer;

		if (q->asked[i].lane != DELAYQ_NO_LANE)
			q->nexts[q->asked[i].lane] =
			    now + (after < 0 || after > POLL_MS ? POLL_MS : (clock_ms)after);
	}
}

static bool
is_answer(const redisReply *reply)
{
	return delayq_redis_is(reply, 0, REDIS_REPLY_ARRAY) &&
	       delayq_redis_is(reply, 1, REDIS_REPLY_ARRAY) &&
	       delayq_redis_is(reply, 2, REDIS_REPLY_INTEGER) &&
	       delayq_redis_is(reply, 3, REDIS_REPLY_INTEGER);
}

static void
on_taken(void *arg, enum err err, const redisReply *reply)
{
	struct delayq_redis *q = arg;

	q->taking = NULL;
	q->lost = err != OK;
	err = delayq_redis_judge(q, err, reply);
	if (err != OK || !is_answer(reply)) {
		timer_set(q->q.loop, &q->again, DELAYQ_AGAIN_MS);
		return;
	}
	q->known.count = (uint64_t)reply->element[2]->integer;
	q->known.bytes = (uint64_t)reply->element[3]->integer;
	take_nexts(q, reply->element[0]);
	take_jobs(q, reply->element[1]);
	poll_again(q);
}

/* --- asking --- */

static void
ask_lane(struct delayq_redis *q, struct redis_words *w, struct delayq_asked what, struct str name,
    size_t n)
{
	q->asked[q->n_asked++] = what;
	redis_words_put(w, name);
	redis_words_number(w, n < LANE_MAX ? n : LANE_MAX);
}

/* Each is the first one in turn, so none waits behind one that fills the answers. */
static void
ask_lanes(struct delayq_redis *q, struct redis_words *w, clock_ms now)
{
	const struct delayq_config *cfg = &q->q.cfg;

	for (unsigned i = 0; i < cfg->n_lanes; i++) {
		unsigned lane = (unsigned)((q->first + i) % cfg->n_lanes);
		size_t n = q->nexts[lane] <= now + TOGETHER_MS ? room(q, lane) : 0;

		if (n > 0)
			ask_lane(q, w, (struct delayq_asked){ .lane = lane },
			    str_z(cfg->lanes[lane]), n);
	}
	q->first++;
}

static void
ask_strangers(struct delayq_redis *q, struct redis_words *w, clock_ms now)
{
	size_t most = q->n_asked + STRANGERS_MAX;

	LIST_FOR(node, &q->strangers) {
		struct delayq_stranger *s = LIST_ENTRY(node, struct delayq_stranger, node);
		bool orphan = delayq_redis_is_orphan(q, s);

		if ((!orphan && !s->ours) || s->next > now || q->n_asked == most)
			continue;
		s->next = now + (orphan ? POLL_MS : DROPPED_MS);
		ask_lane(q, w, (struct delayq_asked){ DELAYQ_NO_LANE, orphan },
		    str_of(s->name, s->n), LANE_MAX);
	}
}

static void
ask(struct delayq_redis *q)
{
	clock_ms now = clock_now();
	struct redis_words w;

	snprintf(q->token, sizeof(q->token), "%s.%llu", q->me, (unsigned long long)++q->n_takes);
	delayq_redis_words(q, &w);
	redis_words_put(&w, str_z(q->token));
	redis_words_number(&w, q->visibility);
	redis_words_number(&w, ENOUGH);
	q->n_asked = 0;
	ask_lanes(q, &w, now);
	ask_strangers(q, &w, now);
	if (q->n_asked == 0) {
		redis_words_fini(&w);
		poll_again(q);
		return;
	}
	q->taking = delayq_redis_run(q, DELAYQ_TAKE, &w, on_taken);
	if (q->taking == NULL)
		timer_set(q->q.loop, &q->again, DELAYQ_AGAIN_MS);
}

static void
on_poll(void *arg)
{
	delayq_redis_poll(arg);
}

void
delayq_redis_poll(struct delayq_redis *q)
{
	if (q->connected != OK || q->taking != NULL || q->releasing != NULL)
		return;
	delayq_redis_renew(q); /* or, after a pause, we would take what we have */
	if (q->lost)
		release(q);
	else
		ask(q);
}

/* --- coming and going --- */

void
delayq_redis_take_init(struct delayq_redis *q)
{
	timer_init(&q->poll, on_poll, q);
	task_init(&q->poll_now, on_poll, q);
}

bool
delayq_redis_take_room(struct delayq_redis *q, size_t lanes)
{
	clock_ms *nexts = calloc(lanes + 1, sizeof(*nexts));
	struct delayq_asked *asked = calloc(lanes + STRANGERS_MAX, sizeof(*asked));

	if (nexts == NULL || asked == NULL) {
		free(nexts);
		free(asked);
		return false;
	}
	free(q->nexts);
	free(q->asked);
	q->nexts = nexts;
	q->asked = asked;
	q->n_asked = 0;
	q->first = 0;
	return true;
}

void
delayq_redis_take_stop(struct delayq_redis *q)
{
	timer_clear(&q->poll);
	task_cancel(&q->poll_now);
	q->lost = q->lost || q->taking != NULL;
	redis_script_cancel(q->taking);
	redis_script_cancel(q->releasing);
	q->taking = q->releasing = NULL;
}
