/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/daemon/heartbeat.h"
#include "tests/unit/lab.h"

static struct loop *own, *workers[2];
static struct heartbeat *heartbeat;
static int beats;

static void
on_beat(void *arg)
{
	cr_assert_eq(arg, &beats);
	beats++;
}

static void
setup(void)
{
	own = loop_new(&own);
	heartbeat = heartbeat_new(own, 2, 1, on_beat, &beats);
	cr_assert_not_null(heartbeat);
	for (int i = 0; i < 2; i++) {
		workers[i] = loop_new(&workers[i]);
		heartbeat_watch(heartbeat, workers[i]);
	}
	heartbeat_start(heartbeat);
}

static void
teardown(void)
{
	for (int i = 0; i < 2; i++)
		loop_free(workers[i]);
	loop_free(own);
	heartbeat_free(heartbeat);
}

TestSuite(heartbeat, .init = setup, .fini = teardown);

static void
turn_all(void)
{
	lab_turn(workers[0]);
	lab_turn(workers[1]);
	lab_turn(own);
}

Test(heartbeat, beats_while_all_loops_turn)
{
	const clock_ms begin = clock_now();

	while (beats < 3) {
		turn_all();
		cr_assert_lt(clock_now() - begin, LAB_PATIENCE_MS);
	}
}

Test(heartbeat, stops_when_one_loop_hangs_and_goes_on_with_it)
{
	const clock_ms begin = clock_now();
	int then;

	while (beats < 1)
		turn_all();
	/* What is on its way may still arrive; from here on worker 1 hangs. */
	then = beats;
	for (int i = 0; i < 300; i++) {
		lab_turn(workers[0]);
		lab_turn(own);
	}
	cr_assert_leq(beats, then);
	while (beats == then) {
		turn_all();
		cr_assert_lt(clock_now() - begin, LAB_PATIENCE_MS);
	}
}

Test(heartbeat, is_silent_once_stopped)
{
	int then;

	while (beats < 1)
		turn_all();
	heartbeat_stop(heartbeat);
	then = beats;
	for (int i = 0; i < 100; i++)
		turn_all();
	cr_assert_eq(beats, then);
}
