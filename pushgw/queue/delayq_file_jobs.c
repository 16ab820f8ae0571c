/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delayq_file_jobs - hands out what is due.
 *
 * All of it happens in one task, whoever may have been the cause: a timer, a kick, a push that made
 * way for the next of its chain.
 */
#include <stdlib.h>

#include "pushgw/queue/delayq_file_int.h"

#define TURN_MAX 256      /* pushes of a lane handed out in one turn */
#define NO_MEMORY_MS 1000 /* until it is tried again */

static struct file_job *
job_new(struct delayq_file *q, struct backlog_push *p)
{
	struct file_job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	backlog_read(&q->backlog, p, &j->job.push);
	j->job.due = p->when - p->late;
	j->job.attempts = p->attempts;
	list_init(&j->job.node);
	j->p = p;
	list_append(&q->jobs, &j->all);
	q->in_hand++;
	return j;
}

static void
job_free(struct delayq_file *q, struct file_job *j)
{
	list_remove(&j->all);
	q->in_hand--;
	free(j);
}

static struct backlog_push *
due_of(const struct delayq_file *q, unsigned lane)
{
	struct backlog_push *p = backlog_peek(&q->backlog, lane);

	return p != NULL && p->when <= loop_now(q->q.loop) ? p : NULL;
}

static size_t
room_of(const struct delayq_file *q, unsigned lane)
{
	size_t room = TURN_MAX;

	if (lane < q->backlog.n_lanes)
		room = q->q.cfg.room(q->q.cfg.arg, lane);
	return room < TURN_MAX ? room : TURN_MAX;
}

/* Returns whether more can be handed out in the next turn. */
static bool
serve(struct delayq_file *q, unsigned lane)
{
	size_t room = due_of(q, lane) != NULL ? room_of(q, lane) : 0;
	bool full = room < TURN_MAX;
	struct backlog_push *p;
	struct file_job *j;

	for (; room > 0 && (p = due_of(q, lane)) != NULL; room--) {
		j = job_new(q, p);
		if (j == NULL) {
			timer_set(q->q.loop, &q->due, NO_MEMORY_MS);
			return false;
		}
		backlog_take(&q->backlog, lane);
		q->q.cfg.due(q->q.cfg.arg, &j->job);
		if (q->closed)
			return false;
	}
	return !full && due_of(q, lane) != NULL;
}

/* For the first push of any lane that is not due yet; what is due waits for room. */
static void
set_timer(struct delayq_file *q)
{
	clock_ms now = loop_now(q->q.loop), first = 0;

	for (unsigned i = 0; i <= q->backlog.n_lanes; i++) {
		const struct backlog_push *p = backlog_peek(&q->backlog, i);

		if (p != NULL && p->when > now && (first == 0 || p->when < first))
			first = p->when;
	}
	if (first > 0)
		timer_set(q->q.loop, &q->due, first - now);
}

static void
on_run(void *arg)
{
	struct delayq_file *q = arg;
	bool more = false;

	timer_clear(&q->due);
	for (unsigned i = 0; i <= q->backlog.n_lanes; i++) {
		more = serve(q, i) || more;
		if (q->closed)
			return;
	}
	if (more)
		task_defer(q->q.loop, &q->run);
	else if (q->due.due == 0)
		set_timer(q);
}

static void
on_due(void *arg)
{
	struct delayq_file *q = arg;

	task_defer(q->q.loop, &q->run);
}

void
file_jobs_init(struct delayq_file *q)
{
	list_init(&q->jobs);
	task_init(&q->run, on_run, q);
	timer_init(&q->due, on_due, q);
}

void
file_jobs_free(struct delayq_file *q)
{
	struct list *node;

	while ((node = list_first(&q->jobs)) != NULL)
		job_free(q, LIST_ENTRY(node, struct file_job, all));
	task_cancel(&q->run);
	timer_clear(&q->due);
}

/* --- what becomes of them --- */

static size_t
reject(struct delayq_file *q, struct file_job *j)
{
	struct mark mark = mark_of_pushkey(q->key, &j->job.push);
	int64_t now = clock_wall_s();
	struct rejected_key *k = rejected_add(&q->rejected, mark, now);
	struct backlog_push *p;
	size_t n = 0;

	if (k != NULL)
		k->segment = journal_reject(q->journal, mark, now);
	for (; (p = backlog_behind(j->p)) != NULL; n++) {
		journal_done(q->journal, &p->place);
		backlog_remove_behind(&q->backlog, j->p);
	}
	return n;
}

size_t
file_finish(struct delayq *base, struct delayq_job *job, bool rejected)
{
	struct delayq_file *q = file_of(base);
	struct file_job *j = (struct file_job *)(void *)job;
	size_t n = rejected ? reject(q, j) : 0;

	journal_done(q->journal, &j->p->place);
	backlog_remove(&q->backlog, j->p);
	job_free(q, j);
	task_defer(q->q.loop, &q->run);
	return n;
}

void
file_later(struct delayq *base, struct delayq_job *job, clock_ms after)
{
	struct delayq_file *q = file_of(base);
	struct file_job *j = (struct file_job *)(void *)job;

	backlog_put_off(&q->backlog, j->p, loop_now(q->q.loop) + after);
	job_free(q, j);
	task_defer(q->q.loop, &q->run);
}

void
file_kick(struct delayq *base, unsigned lane)
{
	struct delayq_file *q = file_of(base);

	(void)lane; /* the others have nothing due, or no room */
	task_defer(q->q.loop, &q->run);
}
