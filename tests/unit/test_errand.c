/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/errand.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tests/unit/lab.h"

static struct loop *loop;
static pthread_t worked_on;
static atomic_int worked;
static int done;

static void
setup(void)
{
	loop = loop_new(NULL);
	cr_assert_not_null(loop);
}

static void
teardown(void)
{
	loop_free(loop);
}

static void
work(void *arg)
{
	(void)arg;
	worked_on = pthread_self();
	worked++;
}

static void
on_done(void *arg)
{
	cr_assert_eq(arg, &done);
	cr_assert_eq(worked, 1);
	done++;
}

TestSuite(errand, .init = setup, .fini = teardown);

Test(errand, works_elsewhere_and_tells_the_loop)
{
	cr_assert_not_null(errand_start(loop, "test", work, on_done, &done));
	UNTIL(loop, done > 0);
	cr_assert_eq(done, 1);
	cr_assert_not(pthread_equal(worked_on, pthread_self()));
}

Test(errand, tells_nothing_once_it_is_cancelled)
{
	struct errand *e = errand_start(loop, "test", work, on_done, &done);

	cr_assert_not_null(e);
	errand_cancel(e);
	cr_assert_eq(worked, 1, "cancelling waits for the work");
	for (int i = 0; i < 10; i++)
		lab_turn(loop);
	cr_assert_eq(done, 0);
	errand_cancel(NULL);
}
