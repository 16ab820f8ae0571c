/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delayq_file - backlog and journal put together.
 *
 * A push is made and written into the journal when it is put, and joins its chain when that was
 * written; then the caller is told, from a task, so that nothing here is on the stack when they
 * free us.  A put that only repeats others joins the same batch as what it repeats, or a later one,
 * and fails with it.
 */
#include "pushgw/queue/delayq_file.h"

#include <stdlib.h>

#include "lib/base/log.h"
#include "pushgw/queue/delay.h"
#include "pushgw/queue/delayq_file_int.h"

#define TOLD_MAX 64 /* callers told in one turn */

/* --- putting --- */

static void
undo(struct delayq_file *q, struct file_call *c)
{
	for (size_t i = 0; i < c->n_made; i++) {
		struct push p;

		backlog_read(&q->backlog, c->made[i], &p);
		if (p.event_id.n > 0)
			seen_forget(&q->seen, mark_of_push(q->key, &p));
		backlog_unmake(&q->backlog, c->made[i]);
	}
	c->n_made = 0;
}

static void
finish_call(struct delayq_file *q, struct file_call *c, enum err err)
{
	c->err = err;
	list_remove(&c->node);
	list_append(&q->told, &c->node);
	task_defer(q->q.loop, &q->tell);
}

static struct file_call *
call_new(struct delayq_file *q, size_t n, delayq_put_fn *fn, void *arg)
{
	struct file_call *c = malloc(sizeof(*c) + n * (sizeof(*c->made) + sizeof(*c->of)));

	if (c == NULL)
		return NULL;
	*c = (struct file_call){ .call.q = &q->q, .fn = fn, .arg = arg, .n = n };
	c->made = (struct backlog_push **)(void *)(c + 1);
	c->of = (enum delayq_outcome *)(void *)(c->made + n);
	list_init(&c->node);
	return c;
}

static uint64_t
held_bytes(const struct delayq_file *q)
{
	return q->backlog.bytes + q->backlog.kinds.bytes;
}

static bool
fits(const struct delayq_file *q, const struct push *p)
{
	const struct delayq_limits *l = &q->q.cfg.limits;

	return q->backlog.count < l->count_max && held_bytes(q) + backlog_cost(p) <= l->bytes_max &&
	       backlog_chain(&q->backlog, p) < l->per_pushkey_max &&
	       backlog_chain(&q->backlog, p) < BACKLOG_CHAIN_MAX;
}

/* Journal and backlog have it, or neither. */
static enum err
make(struct delayq_file *q, struct file_call *c, const struct push *p)
{
	clock_ms delay = delay_draw(q->q.cfg.limits.delay_max);
	struct journal_push kept = { *p, q->seq + 1, clock_wall_ms() + (int64_t)delay };
	struct backlog_push *made;

	if (!fits(q, p))
		return ERR_QUEUE_FULL;
	made = backlog_make(&q->backlog, p, kept.seq, loop_now(q->q.loop) + delay);
	if (made == NULL)
		return ERR_MEMORY;
	if (!journal_add(q->journal, &made->place, &kept)) {
		backlog_unmake(&q->backlog, made);
		return ERR_MEMORY;
	}
	q->seq++;
	c->made[c->n_made++] = made;
	return OK;
}

static enum err
put_one(struct delayq_file *q, struct file_call *c, const struct push *p, enum delayq_outcome *of)
{
	struct mark mark = mark_of_push(q->key, p);
	enum err err;

	*of = DELAYQ_REJECTED;
	if (rejected_count(&q->rejected) > 0 &&
	    rejected_has(&q->rejected, mark_of_pushkey(q->key, p), p->pushkey_ts))
		return OK;
	*of = DELAYQ_DUPLICATE;
	if (p->event_id.n > 0 && seen_has(&q->seen, mark))
		return OK;
	*of = DELAYQ_QUEUED;
	err = make(q, c, p);
	if (err == OK && p->event_id.n > 0 && !seen_add(&q->seen, mark, 0))
		return ERR_MEMORY;
	return err;
}

static enum err
put_all(struct delayq_file *q, struct file_call *c, const struct push *pushes)
{
	enum err err = journal_state(q->journal);

	seen_pass(&q->seen, loop_now(q->q.loop));
	rejected_pass(&q->rejected, clock_wall_s());
	for (size_t i = 0; i < c->n && err == OK; i++)
		err = put_one(q, c, &pushes[i], &c->of[i]);
	if (err != OK) {
		journal_take_back(q->journal, c->n_made);
		undo(q, c);
	}
	return err;
}

static struct delayq_call *
file_put(struct delayq *base, const struct push *pushes, size_t n, delayq_put_fn *fn, void *arg)
{
	struct delayq_file *q = file_of(base);
	struct file_call *c = call_new(q, n, fn, arg);
	enum err err;

	if (c == NULL)
		return NULL;
	err = put_all(q, c, pushes);
	if (err != OK) {
		finish_call(q, c, err);
		return &c->call;
	}
	c->batch = journal_join(q->journal);
	list_append(&q->waiting, &c->node);
	return &c->call;
}

static void
file_cancel(struct delayq_call *call)
{
	((struct file_call *)(void *)call)->fn = NULL;
}

/* --- it was written, or not --- */

void
file_on_written(void *arg, uint64_t batch, enum err err)
{
	struct delayq_file *q = arg;
	struct list *node;

	while ((node = list_first(&q->waiting)) != NULL) {
		struct file_call *c = LIST_ENTRY(node, struct file_call, node);

		if (c->batch > batch)
			break;
		if (err != OK)
			undo(q, c);
		for (size_t i = 0; i < c->n_made; i++)
			backlog_add(&q->backlog, c->made[i]);
		finish_call(q, c, err);
	}
	task_defer(q->q.loop, &q->run);
}

static void
on_tell(void *arg)
{
	struct delayq_file *q = arg;
	struct list *node;

	for (size_t i = 0; i < TOLD_MAX && (node = list_first(&q->told)) != NULL; i++) {
		struct file_call *c = LIST_ENTRY(node, struct file_call, node);

		list_remove(node);
		if (c->fn != NULL)
			c->fn(c->arg, c->err, c->of, c->err == OK ? c->n : 0);
		free(c);
		if (q->closed)
			return;
	}
	if (!list_empty(&q->told))
		task_defer(q->q.loop, &q->tell);
}

/* --- the rest --- */

static clock_ms
oldest_overdue(const struct delayq_file *q)
{
	clock_ms now = loop_now(q->q.loop), most = 0;

	for (unsigned i = 0; i <= q->backlog.n_lanes; i++) {
		const struct backlog_push *p = backlog_peek(&q->backlog, i);

		if (p != NULL && p->when < now && now - p->when > most)
			most = now - p->when;
	}
	return most;
}

static void
file_measure(const struct delayq *base, struct delayq_gauges *out)
{
	const struct delayq_file *q = (const struct delayq_file *)(const void *)base;

	*out = (struct delayq_gauges){ .count = q->backlog.count,
		.bytes = held_bytes(q),
		.in_hand = q->in_hand,
		.rejected = rejected_count(&q->rejected),
		.seen = q->seen.count,
		.disk = journal_bytes(q->journal),
		.oldest_overdue = oldest_overdue(q) };
}

static uint64_t
seen_max(const struct delayq_limits *l)
{
	return l->count_max < UINT64_MAX / 2 ? 2 * l->count_max : UINT64_MAX;
}

static bool
file_adopt(struct delayq *base, const struct delayq_config *cfg)
{
	struct delayq_file *q = file_of(base);
	const struct delayq_limits *l = &cfg->limits;

	if (!backlog_adopt(&q->backlog, (unsigned)cfg->n_lanes, cfg->lane, cfg->arg))
		return false;
	seen_limit(&q->seen, l->duplicates, seen_max(l));
	rejected_limit(&q->rejected, l->rejected, l->rejected_max);
	q->set.keep = l->duplicates;
	journal_set(q->journal, &q->set);
	task_defer(q->q.loop, &q->run);
	return true;
}

void
delayq_file_set_sync(struct delayq *base, const struct queue_conf *conf)
{
	struct delayq_file *q = file_of(base);

	q->set.fsync = conf->fsync;
	q->set.fsync_interval = conf->fsync_interval;
	journal_set(q->journal, &q->set);
}

static void
free_calls(struct delayq_file *q, struct list *calls)
{
	struct list *node;

	while ((node = list_first(calls)) != NULL) {
		struct file_call *c = LIST_ENTRY(node, struct file_call, node);

		list_remove(node);
		for (size_t i = 0; calls == &q->waiting && i < c->n_made; i++)
			backlog_unmake(&q->backlog, c->made[i]);
		free(c);
	}
}

static void
file_free(struct delayq *base)
{
	struct delayq_file *q = file_of(base);

	q->closed = true;
	journal_close(q->journal);
	file_jobs_free(q);
	free_calls(q, &q->waiting);
	free_calls(q, &q->told);
	task_cancel(&q->tell);
	if (q->backlog.lanes != NULL)
		backlog_fini(&q->backlog);
	seen_fini(&q->seen);
	rejected_fini(&q->rejected);
	delayq_fini(&q->q);
	loop_bury(q->q.loop, &q->grave, free, q);
}

static const struct delayq_backend backend = {
	.free = file_free,
	.adopt = file_adopt,
	.put = file_put,
	.cancel = file_cancel,
	.finish = file_finish,
	.later = file_later,
	.kick = file_kick,
	.measure = file_measure,
};

static bool
init(struct delayq_file *q, struct loop *loop, const struct delayq_config *cfg)
{
	const struct delayq_limits *l = &cfg->limits;

	list_init(&q->waiting);
	list_init(&q->told);
	task_init(&q->tell, on_tell, q);
	file_jobs_init(q);
	seen_init(&q->seen, l->duplicates, seen_max(l), clock_now());
	rejected_init(&q->rejected, l->rejected, l->rejected_max);
	return delayq_init(&q->q, &backend, loop, cfg) &&
	       backlog_init(&q->backlog, (unsigned)cfg->n_lanes, cfg->lane, cfg->arg);
}

struct delayq *
delayq_file_open(struct loop *loop, const char *folder, const struct queue_conf *conf,
    const struct delayq_config *cfg)
{
	struct delayq_file *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	q->set = (struct journal_settings){ .fsync = conf->fsync,
		.fsync_interval = conf->fsync_interval,
		.keep = cfg->limits.duplicates };
	if (!init(q, loop, cfg) || !file_recover(q, folder)) {
		file_free(&q->q);
		return NULL;
	}
	delayq_report(&q->q, OK);
	return &q->q;
}
