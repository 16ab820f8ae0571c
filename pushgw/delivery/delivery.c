/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/delivery/delivery.h"

#include <stdlib.h>

#include "pushgw/delivery/lane_tell.h"
#include "pushgw/delivery/retry.h"
#include "pushgw/series.h"

struct delivery {
	struct loop *loop;
	struct delayq *queue;
	struct lanes *lanes; /* in force */
	struct list retired; /* those before of which something is in hand */
	struct list transits;
	struct timer again; /* a lane has room again because time has passed */
	size_t in_hand;
	bool draining;
};

/* A push in the hands of its provider. */
struct transit {
	struct list node;
	struct delivery *delivery;
	struct lanes *lanes; /* of which */
	struct lane *lane;
	struct delayq_job *job;
	struct attempt *attempt;
	clock_ms began;
};

/* --- room --- */

static void
look_again(struct delivery *d, clock_ms at)
{
	clock_ms now = loop_now(d->loop), after = at > now ? at - now : 0;

	if (d->again.due == 0 || d->again.due > at)
		timer_set(d->loop, &d->again, after);
}

static void
on_again(void *arg)
{
	struct delivery *d = arg;

	for (unsigned i = 0; i < d->lanes->n; i++)
		delayq_kick(d->queue, i);
}

static size_t
room(void *arg, unsigned lane)
{
	struct delivery *d = arg;
	clock_ms again = 0;
	size_t n;

	if (d->draining)
		return 0;
	n = lane_room(&d->lanes->v[lane], loop_now(d->loop), &again);
	if (again > 0)
		look_again(d, again);
	return n;
}

/* --- what becomes of a push --- */

static bool
is_too_old(const struct lanes *s, const struct push *p)
{
	return clock_wall_ms() - p->accepted >= (int64_t)s->conf->queue.age_max;
}

/* Counted from now on: counted from its acceptance, the provider could subtract and would know the
 * random delay (ML-123618-3). */
static int64_t
expiry(const struct lanes *s)
{
	return clock_wall_ms() + (int64_t)s->conf->queue.age_max;
}

static void
lose(struct delivery *d, struct delayq_job *job, enum series cause)
{
	metrics_inc(cause);
	(void)delayq_finish(d->queue, job, false);
}

static void
reject(struct delivery *d, struct delayq_job *job)
{
	metrics_inc(S_PUSHKEYS_DEAD);
	metrics_add(S_DROPPED_DEAD, (int64_t)delayq_finish(d->queue, job, true));
}

/* It has been tried; whether it is worth another try is a matter of its age. */
static void
put_off(struct transit *t, clock_ms after, enum series cause)
{
	struct delivery *d = t->delivery;

	if (is_too_old(t->lanes, &t->job->push)) {
		lose(d, t->job, cause);
		return;
	}
	metrics_inc(S_RETRIES);
	delayq_later(d->queue, t->job, after);
}

/* While the lane as a whole waits, with its own growing pauses, a push need not: all of them are
 * there when the provider is. */
static clock_ms
wait_of(const struct transit *t, const struct attempt_result *r)
{
	bool lane_waits = lane_away(t->lane) || t->lane->breaker.open;

	return retry_wait(
	    &t->lanes->conf->delivery, lane_waits ? 0 : t->job->attempts, r->retry_after);
}

static void
settle(struct transit *t, const struct attempt_result *r)
{
	struct delivery *d = t->delivery;
	const struct delivery_conf *c = &t->lanes->conf->delivery;

	switch (r->verdict) {
	case VERDICT_DELIVERED:
		(void)delayq_finish(d->queue, t->job, false);
		break;
	case VERDICT_SUSPECT:
		if (breaker_believes(&t->lane->breaker)) {
			reject(d, t->job);
			break;
		}
		metrics_inc(S_SUSPECT_HELD);
		put_off(t, retry_wait(c, t->job->attempts, c->breaker_pause), S_LOST_REFUSED);
		break;
	case VERDICT_DEAD:
		reject(d, t->job);
		break;
	case VERDICT_DROP:
		lose(d, t->job, S_LOST_REFUSED);
		break;
	default: /* busy, failed, fault */
		put_off(t, wait_of(t, r), S_LOST_AGE);
	}
}

/* --- attempts --- */

static void
forget(struct transit *t)
{
	struct delivery *d = t->delivery;
	struct lanes *s = t->lanes;

	lane_release(t->lane);
	s->in_hand--;
	d->in_hand--;
	if (s == d->lanes)
		delayq_kick(d->queue, (unsigned)(t->lane - s->v));
	else if (s->in_hand == 0)
		lanes_close(s);
	list_remove(&t->node);
	free(t);
}

static void
on_result(void *arg, const struct attempt_result *r)
{
	struct transit *t = arg;
	struct lane *l = t->lane;
	clock_ms now = loop_now(t->delivery->loop);
	enum breaker_event event = lane_note(l, r, &t->lanes->conf->delivery, now);

	t->attempt = NULL;
	series_attempt(l->app->provider, r->verdict, r->status, (int64_t)(now - t->began));
	if (event == BREAKER_OPENED)
		metrics_inc(S_BREAKER_OPENED);
	lane_tell(l, r, event, now);
	settle(t, r);
	forget(t);
}

/* Its server has its share of the lane already: it is looked at again soon, which is no attempt. */
static bool
waits_for_server(struct delivery *d, const struct lane *l, struct delayq_job *job)
{
	const struct lanes *s = d->lanes;

	if (l->type->crowded == NULL || !l->type->crowded(l->provider, &job->push))
		return false;
	metrics_inc(S_CROWDED);
	/* Not by the wall clock, which may have been set: it was not tried yet. */
	if (loop_now(d->loop) >= job->due + s->conf->queue.age_max)
		lose(d, job, S_LOST_AGE);
	else
		delayq_later(d->queue, job, retry_wait(&s->conf->delivery, 0, 0));
	return true;
}

static void
take(struct delivery *d, struct lane *l, struct delayq_job *job)
{
	struct transit *t = calloc(1, sizeof(*t));
	struct lanes *s = d->lanes;

	if (t == NULL) {
		delayq_later(d->queue, job, s->conf->delivery.retry_min);
		return;
	}
	*t = (struct transit){
		.delivery = d, .lanes = s, .lane = l, .job = job, .began = loop_now(d->loop)
	};
	list_init(&t->node);
	list_append(&d->transits, &t->node);
	lane_take(l, t->began);
	s->in_hand++;
	d->in_hand++;
	if (job->attempts == 0)
		series_delay(clock_wall_ms() - job->push.accepted);
	t->attempt = l->type->send(l->provider, &job->push, expiry(s), on_result, t);
	if (t->attempt != NULL)
		return;
	breaker_forget(&l->breaker);
	put_off(t, retry_wait(&s->conf->delivery, job->attempts, 0), S_LOST_AGE);
	forget(t);
}

static void
on_due(void *arg, struct delayq_job *job)
{
	struct delivery *d = arg;

	if (job->push.lane == DELAYQ_NO_LANE)
		lose(d, job, S_LOST_APP);
	else if (!waits_for_server(d, &d->lanes->v[job->push.lane], job))
		take(d, &d->lanes->v[job->push.lane], job);
}

/* --- the queue --- */

/* Where an operator has to look. */
static const char *
place(const struct pushgw_conf *c)
{
	if (!redis_section_on(&c->redis))
		return c->service.state_dir;
	return c->redis.address != NULL ? c->redis.address : c->redis.master_name;
}

static void
on_state(void *arg, enum err why)
{
	const struct delivery *d = arg;

	metrics_set(S_QUEUE_UP, why == OK);
	if (why == OK)
		log_info("queue: works");
	else
		log_error("queue: does not work: %s: %s (%s); homeservers are answered 503 and "
			  "try again, nothing that was accepted is lost",
		    place(d->lanes->conf), err_name(why), err_text(why));
}

/* --- lanes --- */

static unsigned
lane_of(void *arg, struct str app_id)
{
	struct delivery *d = arg;
	size_t i;

	return pushgw_conf_app(d->lanes->conf, app_id, &i) == APP_FOUND ? (unsigned)i
									: DELAYQ_NO_LANE;
}

void
delivery_config(struct delivery *d, struct delayq_config *out)
{
	const struct pushgw_conf *c = d->lanes->conf;

	*out = (struct delayq_config){
		.limits = { .delay_max = c->queue.delay_max,
		    .count_max = c->queue.count_max,
		    .bytes_max = c->queue.bytes_max,
		    .per_pushkey_max = c->queue.per_pushkey_max,
		    .duplicates = c->queue.duplicates,
		    .rejected = c->rejected.lifetime,
		    .rejected_max = c->rejected.max },
		.lanes = d->lanes->names,
		.n_lanes = d->lanes->n,
		.lane = lane_of,
		.room = room,
		.due = on_due,
		.state = on_state,
		.arg = d,
	};
}

struct delivery *
delivery_new(struct loop *loop, struct lanes *lanes)
{
	struct delivery *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->loop = loop;
	d->lanes = lanes;
	list_init(&d->retired);
	list_init(&d->transits);
	timer_init(&d->again, on_again, d);
	return d;
}

void
delivery_start(struct delivery *d, struct delayq *queue)
{
	d->queue = queue;
}

bool
delivery_adopt(struct delivery *d, struct lanes *lanes)
{
	struct lanes *old = d->lanes;
	struct delayq_config cfg;

	d->lanes = lanes; /* the queue asks which lane its pushes have now */
	delivery_config(d, &cfg);
	if (!delayq_adopt(d->queue, &cfg)) {
		d->lanes = old;
		return false;
	}
	if (old->in_hand == 0)
		lanes_close(old);
	else
		list_append(&d->retired, &old->node);
	return true;
}

void
delivery_free(struct delivery *d)
{
	struct list *node;

	if (d == NULL)
		return;
	timer_clear(&d->again);
	while ((node = list_first(&d->transits)) != NULL) {
		struct transit *t = LIST_ENTRY(node, struct transit, node);

		t->lane->type->cancel(t->attempt);
		list_remove(node);
		free(t);
	}
	while ((node = list_first(&d->retired)) != NULL)
		lanes_close(LIST_ENTRY(node, struct lanes, node));
	lanes_close(d->lanes);
	free(d);
}

void
delivery_drain(struct delivery *d)
{
	d->draining = true;
}

size_t
delivery_in_hand(const struct delivery *d)
{
	return d->in_hand;
}

bool
delivery_print(const struct delivery *d, struct buf *out)
{
	return lane_print(d->lanes->v, d->lanes->n, out);
}
