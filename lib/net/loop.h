/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop - one thread's event loop: readiness of descriptors, timers, deferred calls, deferred free.
 *
 * A loop belongs to the thread that runs it; only loop_post() and loop_stop() may be called from
 * others.  Timers sit on a wheel with a resolution of LOOP_TICK_MS: moving a deadline forward costs
 * a store.  Memory given to loop_bury() is freed when the current turn is over, so any callback may
 * close anything.
 */
#ifndef SCHLEUSE_NET_LOOP_H
#define SCHLEUSE_NET_LOOP_H

#include <stdbool.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/list.h"
#include "lib/base/mailbox.h"

#define LOOP_TICK_MS 50

struct loop;
struct event_base;

/* `owner` is handed to letters.  NULL: out of memory or descriptors. */
struct loop *loop_new(void *owner) MUST_CHECK;
void loop_free(struct loop *l);
void loop_run(struct loop *l);  /* until loop_stop(); then pending deferred calls are done */
void loop_turn(struct loop *l); /* one turn that waits for nothing */
void loop_stop(struct loop *l); /* any thread */
/* Any thread; the letter is opened on the loop with `owner`. */
void loop_post(struct loop *l, struct letter *letter);
struct event_base *loop_base(struct loop *l); /* for libraries that bring their own descriptors */
clock_ms loop_now(const struct loop *l);      /* the time this turn began */

/* --- timers --- */

struct timer {
	struct list node;
	clock_ms due; /* 0: not set */
	clock_ms slotted;
	void (*fn)(void *arg);
	void *arg;
};

void timer_init(struct timer *t, void (*fn)(void *arg), void *arg);
/* From now; replaces an earlier setting. */
void timer_set(struct loop *l, struct timer *t, clock_ms after_ms);
void timer_clear(struct timer *t); /* may be called any time */

/* --- calls at the end of this turn --- */

struct task {
	struct list node;
	void (*fn)(void *arg);
	void *arg;
};

void task_init(struct task *t, void (*fn)(void *arg), void *arg);
/* Once, however often asked for; from within a task: in the next turn. */
void task_defer(struct loop *l, struct task *t);
void task_cancel(struct task *t);

/* --- deferred free --- */

struct grave {
	struct grave *next;
	void (*free_fn)(void *arg);
	void *arg;
};

void loop_bury(struct loop *l, struct grave *g, void (*free_fn)(void *arg), void *arg);

#endif
