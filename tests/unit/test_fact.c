/* SPDX-License-Identifier: Apache-2.0 */
/* A fake look-up notes what it is asked for; the test answers when it likes.  A stopped loop still
 * runs its deferred calls, so turn() is one turn at a frozen time. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "lib/fact/fact.h"

#define ASKERS 8

static struct loop *loop;
static struct fact_cache *cache;
static size_t looked_up;
static bool at_once;

struct asker {
	struct fact_wait wait;
	size_t calls;
	enum err err;
	const struct fact *fact;
	void (*then)(struct asker *a);
};

static struct asker askers[ASKERS];

static void
look_up(void *arg, struct fact_cache *c, struct str key, const void *input)
{
	looked_up++;
	if (at_once)
		fact_answer(c, key, fact_negative(ERR_DNS, 60000));
}

static void
on_fact(void *arg, const struct fact *f)
{
	struct asker *a = arg;

	a->calls++;
	a->err = f->err;
	a->fact = f;
	if (a->then != NULL)
		a->then(a);
}

static void
ask_younger(size_t i, struct str key, clock_ms younger_than)
{
	fact_get(cache, key, NULL, younger_than, &askers[i].wait, on_fact, &askers[i]);
}

static void
ask(size_t i, struct str key)
{
	ask_younger(i, key, 0);
}

static void
turn(void)
{
	loop_run(loop);
}

/* A positive fact; both times are from the loop's now. */
static struct fact *
positive(clock_ms fresh, clock_ms usable)
{
	struct fact *f = fact_negative(OK, 0);

	f->looked_up = loop_now(loop);
	f->fresh_until = f->looked_up + fresh;
	f->usable_until = f->looked_up + usable;
	return f;
}

static void
open_cache(size_t max_entries, size_t max_pending)
{
	const struct fact_config cfg = { .name = "test",
		.max_entries = max_entries,
		.max_pending = max_pending,
		.timeout_ms = 100,
		.negative_ttl_ms = 60000,
		.look_up = look_up };

	cache = fact_cache_new(loop, &cfg);
	cr_assert_not_null(cache);
}

static void
setup(void)
{
	loop = loop_new(NULL);
	loop_stop(loop);
	open_cache(4, 3);
	for (size_t i = 0; i < ASKERS; i++)
		fact_wait_init(&askers[i].wait);
}

static void
teardown(void)
{
	fact_cache_free(cache);
	loop_free(loop);
}

TestSuite(fact, .init = setup, .fini = teardown);

Test(fact, starts_one_look_up_however_many_ask)
{
	ask(0, STR("a"));
	ask(1, STR("a"));
	ask(2, STR("a"));
	cr_assert_eq(looked_up, 1);
	fact_answer(cache, STR("a"), positive(1000, 1000));
	cr_assert_eq(askers[0].calls, 0, "called from within fact_answer()");
	turn();
	for (size_t i = 0; i < 3; i++)
		cr_assert_eq(askers[i].calls, 1);
	cr_assert_eq(fact_cache_stats(cache)->coalesced, 2);
}

Test(fact, serves_a_fresh_fact_without_asking_again)
{
	ask(0, STR("a"));
	fact_answer(cache, STR("a"), positive(1000, 1000));
	turn();
	ask(1, STR("a"));
	cr_assert_eq(askers[1].calls, 0, "called from within fact_get()");
	turn();
	cr_assert_eq(askers[1].calls, 1);
	cr_assert_not_null(fact_peek(cache, STR("a"), NULL));
	cr_assert_null(fact_peek(cache, STR("b"), NULL));
	cr_assert_eq(looked_up, 1);
	cr_assert_eq(fact_cache_stats(cache)->hits, 2);
}

Test(fact, remembers_a_negative_answer)
{
	ask(0, STR("a"));
	fact_answer(cache, STR("a"), fact_negative(ERR_DNS, 60000));
	turn();
	ask(1, STR("a"));
	turn();
	cr_assert_eq(askers[1].err, ERR_DNS);
	cr_assert_eq(looked_up, 1);
	cr_assert_eq(fact_cache_stats(cache)->negative, 1);
}

Test(fact, takes_an_answer_that_comes_at_once)
{
	at_once = true;
	ask(0, STR("a"));
	ask(1, STR("a"));
	cr_assert_eq(askers[0].calls, 0);
	turn();
	cr_assert_eq(askers[0].err, ERR_DNS);
	cr_assert_eq(askers[1].err, ERR_DNS);
	cr_assert_eq(looked_up, 1);
}

Test(fact, looks_up_again_when_a_fact_has_expired)
{
	ask(0, STR("a"));
	fact_answer(cache, STR("a"), positive(0, 0));
	turn();
	cr_assert_eq(askers[0].calls, 1);
	cr_assert_null(fact_peek(cache, STR("a"), NULL));
	ask(1, STR("a"));
	cr_assert_eq(looked_up, 2);
}

Test(fact, serves_a_stale_fact_and_refreshes_once)
{
	ask(0, STR("a"));
	fact_answer(cache, STR("a"), positive(0, 1000));
	turn();
	ask(1, STR("a"));
	ask(2, STR("a"));
	turn();
	cr_assert_eq(askers[1].calls, 1);
	cr_assert_eq(askers[2].calls, 1);
	cr_assert_eq(looked_up, 2);
	cr_assert_eq(fact_cache_stats(cache)->stale, 2);
}

Test(fact, goes_on_serving_a_stale_fact_when_its_refresh_fails)
{
	ask(0, STR("a"));
	fact_answer(cache, STR("a"), positive(0, 1000));
	turn();
	ask(1, STR("a"));
	fact_answer(cache, STR("a"), fact_negative(ERR_TIMEOUT, 60000));
	turn();
	ask(2, STR("a"));
	turn();
	cr_assert_eq(askers[1].err, OK);
	cr_assert_eq(askers[2].err, OK);
	cr_assert_eq(
	    looked_up, 2, "a failed refresh is tried again only after its negative lifetime");
}

static struct fact *
over_but_in_grace(void)
{
	struct fact *f = positive(0, 0);

	f->grace_until = f->looked_up + 1000;
	return f;
}

Test(fact, waits_for_the_look_up_and_serves_one_in_grace_only_if_it_fails)
{
	ask(0, STR("a"));
	fact_answer(cache, STR("a"), over_but_in_grace());
	turn();
	ask(1, STR("a"));
	turn();
	cr_assert_eq(askers[1].calls, 0);
	fact_answer(cache, STR("a"), fact_negative(ERR_DNS, 60000));
	turn();
	cr_assert_eq(askers[1].err, OK);
	ask(2, STR("a"));
	turn();
	cr_assert_eq(askers[2].calls, 1);
	cr_assert_eq(askers[2].err, OK);
	cr_assert_eq(looked_up, 2);
}

Test(fact, believes_a_failure_that_is_final)
{
	struct fact *f = fact_negative(ERR_DNS, 60000);

	f->final = true;
	ask(0, STR("a"));
	fact_answer(cache, STR("a"), positive(0, 1000));
	turn();
	ask(1, STR("a"));
	fact_answer(cache, STR("a"), f);
	turn();
	ask(2, STR("a"));
	turn();
	cr_assert_eq(askers[2].err, ERR_DNS);
}

Test(fact, asks_again_for_something_younger)
{
	ask(0, STR("a"));
	fact_answer(cache, STR("a"), positive(1000, 1000));
	turn();
	ask_younger(1, STR("a"), loop_now(loop) + 1);
	turn();
	cr_assert_eq(askers[1].calls, 0);
	cr_assert_eq(looked_up, 2);
	ask(2, STR("a"));
	turn();
	cr_assert_eq(askers[2].calls, 1, "others are served meanwhile");
	fact_answer(cache, STR("a"), positive(1000, 1000));
	turn();
	cr_assert_eq(askers[1].calls, 1);
}

Test(fact, refuses_beyond_the_look_ups_allowed)
{
	ask(0, STR("a"));
	ask(1, STR("b"));
	ask(2, STR("c"));
	ask(3, STR("d"));
	cr_assert_eq(askers[3].calls, 0);
	turn();
	cr_assert_eq(askers[3].err, ERR_OVERLOAD);
	cr_assert_eq(looked_up, 3);
	cr_assert_eq(fact_cache_count(cache), 3);
}

Test(fact, evicts_the_least_recently_used)
{
	static const char keys[] = "abcde";

	for (size_t i = 0; i < 4; i++) {
		ask(i, str_of(&keys[i], 1));
		fact_answer(cache, str_of(&keys[i], 1), positive(1000, 1000));
		turn();
	}
	cr_assert_not_null(fact_peek(cache, STR("a"), NULL));
	ask(4, STR("e"));
	cr_assert_eq(fact_cache_count(cache), 4);
	cr_assert_null(fact_peek(cache, STR("b"), NULL));
	cr_assert_not_null(fact_peek(cache, STR("a"), NULL));
	cr_assert_eq(fact_cache_stats(cache)->evicted, 1);
}

Test(fact, keeps_a_peeked_fact_alive_until_the_turn_ends)
{
	const struct fact *f;

	ask(0, STR("a"));
	fact_answer(cache, STR("a"), positive(1000, 1000));
	turn();
	f = fact_peek(cache, STR("a"), NULL);
	fact_clear(cache);
	cr_assert_eq(f->err, OK); /* the sanitizer sees the difference */
	cr_assert_null(fact_peek(cache, STR("a"), NULL));
	turn();
	cr_assert_eq(fact_cache_count(cache), 0);
}

Test(fact, does_not_keep_an_answer_dropped_while_looked_up)
{
	ask(0, STR("a"));
	fact_clear(cache);
	fact_answer(cache, STR("a"), positive(1000, 1000));
	turn();
	cr_assert_eq(askers[0].calls, 1);
	cr_assert_eq(fact_cache_count(cache), 0);
}

Test(fact, calls_nobody_who_cancelled)
{
	ask(0, STR("a"));
	ask(1, STR("a"));
	fact_cancel(&askers[0].wait);
	fact_answer(cache, STR("a"), positive(1000, 1000));
	ask(2, STR("a"));
	fact_cancel(&askers[2].wait);
	turn();
	cr_assert_eq(askers[0].calls, 0);
	cr_assert_eq(askers[1].calls, 1);
	cr_assert_eq(askers[2].calls, 0);
}

static void
cancel_next(struct asker *a)
{
	fact_cancel(&a[1].wait);
}

Test(fact, allows_cancelling_another_from_a_callback)
{
	askers[0].then = cancel_next;
	ask(0, STR("a"));
	ask(1, STR("a"));
	ask(2, STR("a"));
	fact_answer(cache, STR("a"), positive(1000, 1000));
	turn();
	cr_assert_eq(askers[1].calls, 0);
	cr_assert_eq(askers[2].calls, 1);
}

static void
ask_again(struct asker *a)
{
	a->then = NULL;
	ask(0, STR("a"));
}

Test(fact, allows_asking_from_a_callback)
{
	askers[0].then = ask_again;
	ask(0, STR("a"));
	fact_answer(cache, STR("a"), positive(1000, 1000));
	turn();
	cr_assert_eq(askers[0].calls, 2);
}

static void
free_cache(struct asker *a)
{
	fact_cache_free(cache);
	cache = NULL;
}

Test(fact, allows_freeing_the_cache_from_a_callback)
{
	askers[0].then = free_cache;
	ask(0, STR("a"));
	ask(1, STR("a"));
	ask(2, STR("b"));
	fact_answer(cache, STR("a"), positive(1000, 1000));
	turn();
	cr_assert_eq(askers[0].calls, 1);
	cr_assert_eq(askers[1].calls, 0);
	fact_cancel(&askers[2].wait);
}

Test(fact, counts_no_answer_as_out_of_memory)
{
	ask(0, STR("a"));
	fact_answer(cache, STR("a"), NULL);
	turn();
	cr_assert_eq(askers[0].err, ERR_MEMORY);
	ask(1, STR("a"));
	cr_assert_eq(looked_up, 2, "and does not remember it");
}

Test(fact, leaks_nothing_when_freed_with_look_ups_in_flight)
{
	ask(0, STR("a"));
	ask(1, STR("b"));
	fact_answer(cache, STR("b"), positive(0, 1000));
	ask(2, STR("b"));
}

Test(fact, takes_a_lower_bound_at_once)
{
	static const char keys[] = "abc";

	for (size_t i = 0; i < 3; i++) {
		ask(i, str_of(&keys[i], 1));
		fact_answer(cache, str_of(&keys[i], 1), positive(1000, 1000));
		turn();
	}
	fact_set_limits(cache, 1, 100);
	cr_assert_eq(fact_cache_count(cache), 1);
	cr_assert_not_null(fact_peek(cache, STR("c"), NULL));
}

Test(fact, forgets_everything_when_cleared_while_over_its_bound)
{
	static const char keys[] = "abcdef";

	fact_cache_free(cache);
	open_cache(1, 6);
	for (size_t i = 0; i < 6; i++)
		ask(i, str_of(&keys[i], 1));
	for (size_t i = 0; i < 3; i++)
		fact_answer(cache, str_of(&keys[i], 1), positive(1000, 1000));
	fact_clear(cache);
	turn();
	fact_clear(cache);
	turn();
	cr_assert_eq(askers[0].calls, 1);
	cr_assert_eq(askers[5].calls, 0);
	cr_assert_eq(fact_cache_count(cache), 3, "look-ups in flight go on");
}

static void
stop(struct asker *a)
{
	loop_stop(loop);
}

Test(fact, gives_up_waiting_at_the_deadline_and_keeps_one_look_up)
{
	fact_cache_free(cache);
	loop_free(loop);
	loop = loop_new(NULL);
	open_cache(4, 3);
	askers[0].then = stop;
	ask(0, STR("a"));
	loop_run(loop);
	cr_assert_eq(askers[0].err, ERR_TIMEOUT);
	ask_younger(1, STR("a"), loop_now(loop) + 60001);
	turn();
	cr_assert_eq(looked_up, 1);
	fact_answer(cache, STR("a"), positive(1000, 1000));
	ask(2, STR("a"));
	turn();
	cr_assert_eq(askers[2].err, OK, "a late answer still counts");
	cr_assert_eq(looked_up, 1);
}
