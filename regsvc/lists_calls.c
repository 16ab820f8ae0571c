/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lists_calls - proxies that wait for a check of the VZD, and who wants to hear of changes.
 */
#include <stdlib.h>

#include "regsvc/lists_int.h"
#include "regsvc/series.h"

struct lists_call {
	struct list node;
	struct timer timer;
	struct task task; /* where there is nothing to wait for */
	void (*fn)(void *arg);
	void *arg;
};

void
lists_cancel(struct lists_call *c)
{
	if (c == NULL)
		return;
	list_remove(&c->node);
	timer_clear(&c->timer);
	task_cancel(&c->task);
	free(c);
}

static void
answer(void *arg)
{
	struct lists_call *c = arg;
	void (*fn)(void *) = c->fn;
	void *fn_arg = c->arg;

	lists_cancel(c);
	fn(fn_arg);
}

static void
on_deadline(void *arg)
{
	metrics_inc(S_LIST_CHECKS_LATE);
	answer(arg);
}

void
lists_answer(struct lists *l)
{
	struct list all; /* who asks again from a call waits for another check */

	list_init(&all);
	while (!list_empty(&l->calls)) {
		struct list *n = l->calls.next;

		list_remove(n);
		list_append(&all, n);
	}
	while (!list_empty(&all))
		answer(LIST_ENTRY(all.next, struct lists_call, node));
}

/* T-4: with every request, whatever the VZD's health, for a short time. */
static bool
wants_check(const struct lists *l)
{
	const struct list_conf *c = l->cfg.conf;

	if (l->keep == NULL || !vzd_configured(l->vzd))
		return false;
	if (c->check == LIST_CHECK_MAX_AGE)
		return l->healthy && lists_current(l).age >= (int64_t)(c->check_max_age / 1000);
	return l->ended == 0 || c->check_gap == 0 || loop_now(l->loop) - l->ended >= c->check_gap;
}

struct lists_call *
lists_check(struct lists *l, void (*fn)(void *arg), void *arg)
{
	struct lists_call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->fn = fn;
	c->arg = arg;
	timer_init(&c->timer, on_deadline, c);
	task_init(&c->task, answer, c);
	list_append(&l->calls, &c->node);
	if (wants_check(l)) {
		timer_set(l->loop, &c->timer, l->cfg.conf->check_timeout);
		if (l->phase == LISTS_IDLE)
			lists_attempt(l, false);
	} else {
		task_defer(l->loop, &c->task);
	}
	return c;
}

/* --- who watches --- */

struct lists_watch {
	struct list node;
	void (*fn)(void *arg);
	void *arg;
};

void
lists_tell(void *arg)
{
	struct lists *l = arg;

	LIST_FOR(n, &l->watches) {
		struct lists_watch *w = LIST_ENTRY(n, struct lists_watch, node);

		w->fn(w->arg);
	}
}

struct lists_watch *
lists_watch(struct lists *l, void (*fn)(void *arg), void *arg)
{
	struct lists_watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->fn = fn;
	w->arg = arg;
	list_append(&l->watches, &w->node);
	return w;
}

void
lists_unwatch(struct lists_watch *w)
{
	if (w == NULL)
		return;
	list_remove(&w->node);
	free(w);
}
