/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <pthread.h>

#include "lib/base/snapshot.h"

struct state {
	struct snapshot snapshot;
	atomic_int freed;
};

static void
on_free(struct snapshot *s)
{
	atomic_fetch_add(&((struct state *)s)->freed, 1);
}

static void *
hold_and_drop(void *arg)
{
	for (int i = 0; i < 10000; i++)
		snapshot_drop(snapshot_hold(arg));
	snapshot_drop(arg);
	return NULL;
}

Test(snapshot, is_freed_once_by_its_last_holder)
{
	struct state s = { 0 };
	pthread_t threads[4];

	snapshot_init(&s.snapshot, on_free);
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(snapshot_hold(&s.snapshot), &s.snapshot);
		cr_assert_eq(pthread_create(&threads[i], NULL, hold_and_drop, &s), 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	cr_assert_eq(s.freed, 0);
	snapshot_drop(&s.snapshot);
	cr_assert_eq(s.freed, 1);
	cr_assert_null(snapshot_hold(NULL));
	snapshot_drop(NULL);
}
