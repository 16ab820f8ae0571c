/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delayq - what both back ends have in common: the configuration and the state.
 */
#include "pushgw/queue/delayq.h"

#include <stdlib.h>

#include "pushgw/queue/delayq_int.h"

/* --- for back ends --- */

static void
on_tell(void *arg)
{
	struct delayq *q = arg;

	if (q->known == q->now)
		return;
	q->known = q->now;
	if (q->cfg.state != NULL)
		q->cfg.state(q->cfg.arg, q->known);
}

/* One block: the pointers, then the names.  NULL: out of memory. */
static const char *const *
copy_names(const char *const *names, size_t n)
{
	size_t bytes = (n + 1) * sizeof(char *);
	const char **own;
	char *at;

	for (size_t i = 0; i < n; i++)
		bytes += strlen(names[i]) + 1;
	own = malloc(bytes);
	if (own == NULL)
		return NULL;
	at = (char *)(own + n + 1);
	for (size_t i = 0; i < n; i++) {
		own[i] = at;
		at = stpcpy(at, names[i]) + 1;
	}
	own[n] = NULL;
	return own;
}

static void
drop_names(const char *const *names)
{
	free((void *)(uintptr_t)names);
}

bool
delayq_init(struct delayq *q, const struct delayq_backend *backend, struct loop *loop,
    const struct delayq_config *cfg)
{
	q->backend = backend;
	q->loop = loop;
	q->cfg = *cfg;
	q->cfg.lanes = copy_names(cfg->lanes, cfg->n_lanes);
	q->known = q->now = ERR_COUNT;
	task_init(&q->tell, on_tell, q);
	return q->cfg.lanes != NULL;
}

void
delayq_fini(struct delayq *q)
{
	task_cancel(&q->tell);
	drop_names(q->cfg.lanes);
	q->cfg.lanes = NULL;
}

void
delayq_report(struct delayq *q, enum err why)
{
	q->now = why;
	if (q->now != q->known)
		task_defer(q->loop, &q->tell);
}

/* --- public --- */

void
delayq_free(struct delayq *q)
{
	if (q != NULL)
		q->backend->free(q);
}

bool
delayq_adopt(struct delayq *q, const struct delayq_config *cfg)
{
	struct delayq_config own = *cfg;

	own.lanes = copy_names(cfg->lanes, cfg->n_lanes);
	if (own.lanes == NULL)
		return false;
	if (!q->backend->adopt(q, &own)) {
		drop_names(own.lanes);
		return false;
	}
	drop_names(q->cfg.lanes);
	q->cfg = own;
	return true;
}

enum err
delayq_state(const struct delayq *q)
{
	return q->now;
}

struct delayq_call *
delayq_put(struct delayq *q, const struct push *pushes, size_t n, delayq_put_fn *fn, void *arg)
{
	return n > 0 ? q->backend->put(q, pushes, n, fn, arg) : NULL;
}

void
delayq_cancel(struct delayq_call *c)
{
	if (c != NULL)
		c->q->backend->cancel(c);
}

size_t
delayq_finish(struct delayq *q, struct delayq_job *job, bool rejected)
{
	return q->backend->finish(q, job, rejected);
}

void
delayq_later(struct delayq *q, struct delayq_job *job, clock_ms after)
{
	q->backend->later(q, job, after);
}

void
delayq_kick(struct delayq *q, unsigned lane)
{
	q->backend->kick(q, lane);
}

void
delayq_measure(const struct delayq *q, struct delayq_gauges *out)
{
	*out = (struct delayq_gauges){ 0 };
	q->backend->measure(q, out);
}
