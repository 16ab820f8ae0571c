/* SPDX-License-Identifier: Apache-2.0 */
/* Pushes that wait: which may be taken, and when. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "pushgw/queue/backlog.h"

static struct backlog b;
static uint64_t seq;

static unsigned
by_first_letter(void *arg, struct str app_id)
{
	return (unsigned)(app_id.p[0] - *(const char *)arg);
}

static char first[] = "a", second[] = "b";

static void
setup(void)
{
	cr_assert(backlog_init(&b, 2, by_first_letter, first));
}

static void
teardown(void)
{
	backlog_fini(&b);
}

TestSuite(push_backlog, .init = setup, .fini = teardown);

static struct push
push_of(const char *app_id, const char *pushkey, const char *event_id)
{
	return (struct push){ .app_id = str_z(app_id),
		.pushkey = str_z(pushkey),
		.event_id = str_z(event_id),
		.data = STR("{}") };
}

static struct backlog_push *
add(const char *app_id, const char *pushkey, const char *event_id, clock_ms when)
{
	struct push p = push_of(app_id, pushkey, event_id);
	struct backlog_push *made = backlog_make(&b, &p, ++seq, when);

	cr_assert_not_null(made);
	backlog_add(&b, made);
	return made;
}

/* Takes the first of the lane, which must be that one and due then. */
static struct backlog_push *
take(unsigned lane, const char *event_id, clock_ms when)
{
	struct backlog_push *p = backlog_peek(&b, lane);
	struct push push;

	cr_assert_not_null(p, "%s", event_id);
	backlog_read(&b, p, &push);
	cr_assert(str_eq(push.event_id, str_z(event_id)), "%s: " STR_FMT, event_id,
	    STR_ARG(push.event_id));
	cr_assert_eq((clock_ms)p->when, when);
	backlog_take(&b, lane);
	return p;
}

static void
deliver(unsigned lane, const char *event_id, clock_ms when)
{
	backlog_remove(&b, take(lane, event_id, when));
}

Test(push_backlog, hands_out_by_time_and_then_by_order)
{
	add("a", "1", "$1", 30);
	add("a", "2", "$2", 10);
	add("a", "3", "$3", 20);
	add("a", "4", "$4", 20);
	deliver(0, "$2", 10);
	deliver(0, "$3", 20);
	deliver(0, "$4", 20);
	deliver(0, "$1", 30);
	cr_assert_null(backlog_peek(&b, 0));
	cr_assert(b.count == 0 && b.bytes == 0 && b.kinds.bytes == 0);
}

Test(push_backlog, sorts_many)
{
	clock_ms last = 0;
	char key[16];

	srand(1);
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		add("a", key, "$e", (clock_ms)(rand() % 1000));
	}
	for (int i = 0; i < 5000; i++) {
		struct backlog_push *p = backlog_peek(&b, 0);

		cr_assert_geq((clock_ms)p->when, last);
		last = p->when;
		backlog_take(&b, 0);
		backlog_remove(&b, p);
	}
}

Test(push_backlog, a_push_waits_for_the_one_before_it)
{
	struct push p = push_of("a", "key", "");

	add("a", "key", "$1", 50);
	add("a", "key", "$2", 10); /* drew less, and waits */
	add("a", "key", "$3", 70);
	cr_assert_eq(backlog_chain(&b, &p), 3);
	deliver(0, "$1", 50);
	deliver(0, "$2", 50);
	deliver(0, "$3", 70);
	cr_assert_eq(backlog_chain(&b, &p), 0);
	add("a", "key", "$4", 5); /* nobody is before it any more */
	deliver(0, "$4", 5);
}

Test(push_backlog, one_in_hand_holds_back_the_others)
{
	struct backlog_push *p;

	add("a", "key", "$1", 10);
	add("a", "key", "$2", 10);
	p = take(0, "$1", 10);
	cr_assert_null(backlog_peek(&b, 0));
	add("a", "key", "$3", 10);
	cr_assert_null(backlog_peek(&b, 0));
	backlog_put_off(&b, p, 1000);
	cr_assert_eq(p->attempts, 1);
	cr_assert_eq((clock_ms)(p->when - p->late), 10, "when its delay was over is known");
	add("a", "key", "$4", 20);
	deliver(0, "$1", 1000);
	deliver(0, "$2", 10);
	deliver(0, "$3", 10);
	deliver(0, "$4", 20);
}

Test(push_backlog, drops_what_is_behind)
{
	struct push key = push_of("a", "key", "");
	struct backlog_push *p;

	for (int round = 0; round < 2; round++) {
		add("a", "key", "$1", 10);
		add("a", "key", "$2", 10);
		add("a", "key", "$3", 10);
		p = take(0, "$1", 10);
		while (backlog_behind(p) != NULL)
			backlog_remove_behind(&b, p);
		cr_assert_eq(backlog_chain(&b, &key), 1);
		if (round == 1) {
			add("a", "key", "$4", 10);
			backlog_remove(&b, p);
			deliver(0, "$4", 10);
		} else {
			backlog_remove(&b, p);
		}
		cr_assert_eq(b.count, 0);
	}
}

Test(push_backlog, has_a_lane_for_what_is_not_configured)
{
	add("a", "key", "$1", 10);
	add("b", "key", "$2", 10);
	add("x", "key", "$3", 10);
	deliver(0, "$1", 10);
	deliver(1, "$2", 10);
	deliver(2, "$3", 10);
}

Test(push_backlog, gets_other_lanes_with_all_that_waits)
{
	struct backlog_push *in_hand;
	struct push p;

	add("a", "key", "$1", 10);
	add("a", "key", "$2", 15);
	add("b", "key", "$3", 10);
	add("b", "other", "$4", 12);
	in_hand = take(1, "$3", 10);
	cr_assert(backlog_adopt(&b, 1, by_first_letter, second));
	backlog_read(&b, in_hand, &p);
	cr_assert_eq(p.lane, 0);
	deliver(0, "$4", 12);
	deliver(1, "$1", 10);
	deliver(1, "$2", 15);
	backlog_put_off(&b, in_hand, 50);
	deliver(0, "$3", 50);
	cr_assert(backlog_adopt(&b, 0, by_first_letter, second));
	add("b", "key", "$5", 10);
	deliver(0, "$5", 10);
}

Test(push_backlog, keeps_once_what_many_have_in_common)
{
	uint64_t kinds;

	add("a", "1", "$1", 10);
	kinds = b.kinds.bytes;
	cr_assert_gt(kinds, 0);
	add("a", "2", "$1", 10);
	cr_assert_eq(b.kinds.bytes, kinds);
	cr_assert_eq(b.kinds.apps.count, 1);
	cr_assert_eq(b.kinds.kinds.count, 1);
}

Test(push_backlog, made_ones_count_but_cannot_be_taken)
{
	struct push p = push_of("a", "key", "$1");
	struct backlog_push *made = backlog_make(&b, &p, 1, 10);

	cr_assert_not_null(made);
	cr_assert(b.count == 1 && b.bytes == backlog_cost(&p));
	cr_assert_null(backlog_peek(&b, 0));
	cr_assert_eq(backlog_chain(&b, &p), 0);
	backlog_unmake(&b, made);
	cr_assert(b.count == 0 && b.bytes == 0 && b.kinds.bytes == 0);
}
