/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop - libevent underneath, one turn at a time: events, then deferred calls, then timers, then
 * the dead are freed and the log is written.
 *
 * The wheel has WHEEL slots of LOOP_TICK_MS.  A timer lies in the slot of the time it was last put
 * in; when that slot comes round and its due time has moved on, it is put in again.
 */
#include "lib/net/loop.h"

#include <event2/event.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/base/log.h"

#define WHEEL 1024 /* a power of two */
#define LAST_ROUNDS 1000

struct loop {
	struct event_base *base;
	struct event *letters;
	struct event *tick;
	struct mailbox *mailbox;
	void *owner;
	atomic_bool stop;
	clock_ms now;
	clock_ms ticked; /* the slot number up to which timers have been run */
	struct list wheel[WHEEL];
	struct list tasks;
	struct grave *graves;
};

static void
on_letters(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;

	(void)fd;
	(void)what;
	mailbox_drain(l->mailbox, l->owner);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg; /* only to end the wait; the turn itself runs the timers */
}

struct loop *
loop_new(void *owner)
{
	const struct timeval tick = { .tv_usec = LOOP_TICK_MS * 1000 };
	struct loop *l = calloc(1, sizeof(*l));
	struct event_config *cfg = event_config_new();

	if (l == NULL || cfg == NULL)
		goto fail;
	event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);
	l->base = event_base_new_with_config(cfg);
	l->mailbox = mailbox_new();
	if (l->base == NULL || l->mailbox == NULL)
		goto fail;
	l->letters =
	    event_new(l->base, mailbox_fd(l->mailbox), EV_READ | EV_PERSIST, on_letters, l);
	l->tick = event_new(l->base, -1, EV_PERSIST, on_tick, l);
	if (l->letters == NULL || l->tick == NULL || event_add(l->letters, NULL) != 0 ||
	    event_add(l->tick, &tick) != 0)
		goto fail;
	event_config_free(cfg);
	l->owner = owner;
	l->now = clock_now();
	l->ticked = l->now / LOOP_TICK_MS;
	for (size_t i = 0; i < WHEEL; i++)
		list_init(&l->wheel[i]);
	list_init(&l->tasks);
	return l;
fail:
	if (cfg != NULL)
		event_config_free(cfg);
	if (l != NULL)
		loop_free(l);
	return NULL;
}

static void
free_graves(struct loop *l)
{
	while (l->graves != NULL) {
		struct grave *g = l->graves;

		l->graves = g->next;
		g->free_fn(g->arg); /* frees g too: it is embedded */
	}
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	if (l->letters != NULL) /* before its descriptor is closed */
		event_free(l->letters);
	mailbox_free(l->mailbox);
	free_graves(l);
	if (l->tick != NULL)
		event_free(l->tick);
	if (l->base != NULL)
		event_base_free(l->base);
	free(l);
}

/* One batch: what is deferred meanwhile waits for the next turn, so that no task can keep the loop
 * from its descriptors. */
static void
run_tasks(struct loop *l)
{
	struct list *node, batch;

	list_init(&batch);
	while ((node = list_first(&l->tasks)) != NULL) {
		list_remove(node);
		list_append(&batch, node);
	}
	while ((node = list_first(&batch)) != NULL) {
		struct task *t = LIST_ENTRY(node, struct task, node);

		list_remove(node);
		t->fn(t->arg);
	}
}

static void
slot(struct loop *l, struct timer *t)
{
	clock_ms tick = (t->due + LOOP_TICK_MS - 1) / LOOP_TICK_MS;

	if (tick <= l->ticked)
		tick = l->ticked + 1;
	t->slotted = tick * LOOP_TICK_MS;
	list_append(&l->wheel[tick & (WHEEL - 1)], &t->node);
}

/* Runs what is due in one slot.  A callback may set, clear or free any timer, so the slot is moved
 * to a list of its own first and taken from there one by one. */
static void
run_slot(struct loop *l, struct list *head)
{
	struct list *node, batch;

	list_init(&batch);
	while ((node = list_first(head)) != NULL) {
		list_remove(node);
		list_append(&batch, node);
	}
	while ((node = list_first(&batch)) != NULL) {
		struct timer *t = LIST_ENTRY(node, struct timer, node);

		list_remove(node);
		if (t->due > l->ticked * LOOP_TICK_MS) {
			slot(l, t);
			continue;
		}
		t->due = 0;
		t->fn(t->arg);
	}
}

static void
run_timers(struct loop *l)
{
	clock_ms tick = l->now / LOOP_TICK_MS;

	/* After a long pause (suspend, debugger) one round of the wheel is enough. */
	if (tick > l->ticked + WHEEL)
		l->ticked = tick - WHEEL;
	while (l->ticked < tick) {
		l->ticked++;
		run_slot(l, &l->wheel[l->ticked & (WHEEL - 1)]);
	}
}

static void
turn(struct loop *l, int flags)
{
	event_base_loop(l->base, EVLOOP_ONCE | flags);
	l->now = clock_now();
	run_timers(l);
	run_tasks(l);
	free_graves(l);
	log_flush();
}

void
loop_turn(struct loop *l)
{
	turn(l, EVLOOP_NONBLOCK);
}

void
loop_run(struct loop *l)
{
	while (!atomic_load_explicit(&l->stop, memory_order_relaxed))
		turn(l, list_empty(&l->tasks) ? 0 : EVLOOP_NONBLOCK);
	/* What is deferred again and again by a busy peer must not keep us. */
	for (int i = 0; i < LAST_ROUNDS && !list_empty(&l->tasks); i++)
		run_tasks(l);
	free_graves(l);
	log_flush();
}

static void
on_stop(struct letter *letter, void *owner)
{
	(void)owner;
	free(letter);
}

void
loop_stop(struct loop *l)
{
	struct letter *wake = calloc(1, sizeof(*wake));

	atomic_store(&l->stop, true);
	if (wake == NULL)
		return; /* the next tick notices */
	wake->open = on_stop;
	mailbox_post(l->mailbox, wake);
}

void
loop_post(struct loop *l, struct letter *letter)
{
	mailbox_post(l->mailbox, letter);
}

struct event_base *
loop_base(struct loop *l)
{
	return l->base;
}

clock_ms
loop_now(const struct loop *l)
{
	return l->now;
}

void
timer_init(struct timer *t, void (*fn)(void *arg), void *arg)
{
	*t = (struct timer){ .fn = fn, .arg = arg };
	list_init(&t->node);
}

void
timer_set(struct loop *l, struct timer *t, clock_ms after_ms)
{
	t->due = l->now + after_ms;
	if (!list_empty(&t->node)) {
		if (t->due >= t->slotted)
			return; /* found too early and put in again */
		list_remove(&t->node);
	}
	slot(l, t);
}

void
timer_clear(struct timer *t)
{
	t->due = 0;
	list_remove(&t->node);
}

void
task_init(struct task *t, void (*fn)(void *arg), void *arg)
{
	*t = (struct task){ .fn = fn, .arg = arg };
	list_init(&t->node);
}

void
task_defer(struct loop *l, struct task *t)
{
	if (list_empty(&t->node))
		list_append(&l->tasks, &t->node);
}

void
task_cancel(struct task *t)
{
	list_remove(&t->node);
}

void
loop_bury(struct loop *l, struct grave *g, void (*free_fn)(void *arg), void *arg)
{
	g->free_fn = free_fn;
	g->arg = arg;
	g->next = l->graves;
	l->graves = g;
}
