/* SPDX-License-Identifier: Apache-2.0 */
/* The loop: what runs, what does not, and in which order; never how long it took. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>

#include "lib/net/loop.h"

struct probe {
	struct timer timer;
	struct task task;
	struct loop *loop;
	struct probe *other;
	char name;
	int times;
};

static char trace[64];
static size_t traced;

static void
mark(char c)
{
	cr_assert_lt(traced, sizeof(trace) - 1);
	trace[traced++] = c;
}

static void
on_mark(void *arg)
{
	struct probe *p = arg;

	p->times++;
	mark(p->name);
}

static void
on_stop(void *arg)
{
	loop_stop(arg);
}

static struct probe
probe(struct loop *l, char name)
{
	return (struct probe){ .loop = l, .name = name };
}

static struct loop *
new_loop(void)
{
	struct loop *l = loop_new(NULL);

	cr_assert_not_null(l);
	return l;
}

/* Runs the loop until a timer `after_ms` from now stops it. */
static void
run_for(struct loop *l, clock_ms after_ms)
{
	struct timer stop;

	timer_init(&stop, on_stop, l);
	timer_set(l, &stop, after_ms);
	loop_run(l);
	loop_free(l);
}

Test(loop, runs_timers_in_the_order_of_their_time)
{
	struct loop *l = new_loop();
	struct probe a = probe(l, 'a'), b = probe(l, 'b'), c = probe(l, 'c');

	timer_init(&a.timer, on_mark, &a);
	timer_init(&b.timer, on_mark, &b);
	timer_init(&c.timer, on_mark, &c);
	timer_set(l, &c.timer, 5 * LOOP_TICK_MS);
	timer_set(l, &a.timer, 0);
	timer_set(l, &b.timer, 3 * LOOP_TICK_MS);
	run_for(l, 8 * LOOP_TICK_MS);
	cr_assert_str_eq(trace, "abc");
}

Test(loop, moves_timers_both_ways_and_drops_cleared_ones)
{
	struct loop *l = new_loop();
	struct probe a = probe(l, 'a'), b = probe(l, 'b'), c = probe(l, 'c'), d = probe(l, 'd');

	timer_init(&a.timer, on_mark, &a);
	timer_init(&b.timer, on_mark, &b);
	timer_init(&c.timer, on_mark, &c);
	timer_init(&d.timer, on_mark, &d);
	timer_set(l, &a.timer, LOOP_TICK_MS);
	timer_set(l, &a.timer, 7 * LOOP_TICK_MS); /* later */
	timer_set(l, &b.timer, 3600 * 1000);
	timer_set(l, &b.timer, 4 * LOOP_TICK_MS); /* earlier */
	timer_set(l, &c.timer, 2 * LOOP_TICK_MS);
	timer_clear(&c.timer);
	timer_clear(&c.timer);
	timer_set(l, &d.timer, 3600 * 1000); /* beyond one turn of the wheel */
	run_for(l, 10 * LOOP_TICK_MS);
	cr_assert_str_eq(trace, "ba");
	cr_assert_eq(d.times, 0);
}

static void
on_again(void *arg)
{
	struct probe *p = arg;

	on_mark(p);
	if (p->times < 3)
		timer_set(p->loop, &p->timer, 0);
}

Test(loop, lets_a_timer_set_itself_again)
{
	struct loop *l = new_loop();
	struct probe a = probe(l, 'a');

	timer_init(&a.timer, on_again, &a);
	timer_set(l, &a.timer, 0);
	run_for(l, 10 * LOOP_TICK_MS);
	cr_assert_str_eq(trace, "aaa");
}

static void
on_clear_other(void *arg)
{
	struct probe *p = arg;

	on_mark(p);
	timer_clear(&p->other->timer);
}

Test(loop, lets_a_timer_clear_another_one_due_at_the_same_time)
{
	struct loop *l = new_loop();
	struct probe a = probe(l, 'a'), b = probe(l, 'b');

	a.other = &b;
	timer_init(&a.timer, on_clear_other, &a);
	timer_init(&b.timer, on_mark, &b);
	timer_set(l, &a.timer, LOOP_TICK_MS);
	timer_set(l, &b.timer, LOOP_TICK_MS);
	run_for(l, 5 * LOOP_TICK_MS);
	cr_assert_str_eq(trace, "a");
}

static void
on_delay_other(void *arg)
{
	struct probe *p = arg;

	on_mark(p);
	timer_set(p->loop, &p->other->timer, 4 * LOOP_TICK_MS);
}

Test(loop, lets_a_timer_move_another_one_due_at_the_same_time)
{
	struct loop *l = new_loop();
	struct probe a = probe(l, 'a'), b = probe(l, 'b'), c = probe(l, 'c');

	a.other = &b;
	timer_init(&a.timer, on_delay_other, &a);
	timer_init(&b.timer, on_mark, &b);
	timer_init(&c.timer, on_mark, &c);
	timer_set(l, &a.timer, LOOP_TICK_MS);
	timer_set(l, &b.timer, LOOP_TICK_MS);
	timer_set(l, &c.timer, 2 * LOOP_TICK_MS);
	run_for(l, 10 * LOOP_TICK_MS);
	cr_assert_str_eq(trace, "acb");
}

static void
on_defer_twice(void *arg)
{
	struct probe *p = arg;

	mark('t');
	task_defer(p->loop, &p->task);
	task_defer(p->loop, &p->task);
	task_defer(p->loop, &p->other->task);
	task_cancel(&p->other->task);
	mark('u');
}

Test(loop, makes_deferred_calls_once_and_after_the_caller)
{
	struct loop *l = new_loop();
	struct probe a = probe(l, 'a'), b = probe(l, 'b');

	a.other = &b;
	timer_init(&a.timer, on_defer_twice, &a);
	task_init(&a.task, on_mark, &a);
	task_init(&b.task, on_mark, &b);
	timer_set(l, &a.timer, 0);
	run_for(l, 4 * LOOP_TICK_MS);
	cr_assert_str_eq(trace, "tua");
}

static void
on_defer_other(void *arg)
{
	struct probe *p = arg;

	on_mark(p);
	task_defer(p->loop, &p->other->task);
}

Test(loop, makes_calls_deferred_by_the_last_turn_before_it_returns)
{
	struct loop *l = new_loop();
	struct probe a = probe(l, 'a'), b = probe(l, 'b');

	a.other = &b;
	task_init(&a.task, on_defer_other, &a);
	task_init(&b.task, on_mark, &b);
	loop_stop(l);
	task_defer(l, &a.task);
	loop_run(l);
	cr_assert_str_eq(trace, "ab");
	loop_free(l);
}

struct corpse {
	struct grave grave;
	struct loop *loop;
	struct timer timer;
	char name;
};

static void
on_free(void *arg)
{
	struct corpse *c = arg;

	mark(c->name);
	free(c);
}

static void
on_bury(void *arg)
{
	struct corpse *c = arg;

	loop_bury(c->loop, &c->grave, on_free, c);
	mark('-');
	c->name = 'x'; /* still ours until the turn is over */
}

Test(loop, frees_what_is_buried_after_the_callback)
{
	struct loop *l = new_loop();
	struct corpse *c = malloc(sizeof(*c));

	*c = (struct corpse){ .loop = l, .name = '?' };
	timer_init(&c->timer, on_bury, c);
	timer_set(l, &c->timer, 0);
	run_for(l, 3 * LOOP_TICK_MS);
	cr_assert_str_eq(trace, "-x");
}

Test(loop, frees_what_is_buried_without_another_turn)
{
	struct loop *l = new_loop();
	struct corpse *c = malloc(sizeof(*c));

	*c = (struct corpse){ .loop = l, .name = 'x' };
	loop_bury(l, &c->grave, on_free, c);
	loop_free(l);
	cr_assert_str_eq(trace, "x");
}

struct parcel {
	struct letter letter;
	struct loop *loop;
	int number;
};

static void
on_parcel(struct letter *letter, void *owner)
{
	struct parcel *p = (struct parcel *)letter;
	int *count = owner;

	if (count != NULL) {
		cr_assert_eq(p->number, *count);
		if (++*count == 100)
			loop_stop(p->loop);
	}
	free(p);
}

static void *
post_parcels(void *arg)
{
	for (int i = 0; i < 120; i++) { /* some of them may come too late, and are freed */
		struct parcel *p = malloc(sizeof(*p));

		*p = (struct parcel){ { .open = on_parcel }, arg, i };
		loop_post(arg, &p->letter);
	}
	return NULL;
}

Test(loop, opens_letters_of_another_thread_with_its_owner)
{
	int count = 0;
	struct loop *l = loop_new(&count);
	pthread_t thread;

	cr_assert_not_null(l);
	cr_assert_eq(pthread_create(&thread, NULL, post_parcels, l), 0);
	loop_run(l);
	pthread_join(thread, NULL);
	cr_assert_geq(count, 100);
	loop_free(l);
}

static void *
stop_from_outside(void *arg)
{
	loop_stop(arg);
	return NULL;
}

Test(loop, is_stopped_from_another_thread)
{
	struct loop *l = new_loop();
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, stop_from_outside, l), 0);
	loop_run(l);
	pthread_join(thread, NULL);
	loop_free(l);
}
