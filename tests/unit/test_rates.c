/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <pthread.h>

#include "lib/base/rates.h"

#define NAME UINT64_C(0x1234)
#define NOW UINT64_C(1000000)

static const struct rate rate = { .per_minute = 60, .burst = 3 };

static unsigned
taken(struct rates *r, uint64_t name, unsigned tries, clock_ms now)
{
	unsigned n = 0;

	while (tries-- > 0)
		n += rates_take(r, name, &rate, now) == 0;
	return n;
}

Test(rates, a_burst_then_one_at_a_time)
{
	struct rates *r = rates_new(100);

	cr_expect_eq(taken(r, NAME, 10, NOW), 3);
	cr_expect_eq(rates_take(r, NAME, &rate, NOW), 1000);
	cr_expect_eq(rates_take(r, NAME, &rate, NOW + 400), 600);
	cr_expect_eq(taken(r, NAME, 10, NOW + 999), 0);
	cr_expect_eq(taken(r, NAME, 10, NOW + 1000), 1);
	cr_expect_eq(taken(r, NAME, 10, NOW + 3000), 2);
	cr_expect_eq(taken(r, NAME, 10, NOW + 3600000), 3, "never more than the burst");
	rates_free(r);
}

Test(rates, a_bucket_of_one)
{
	const struct rate one = { .per_minute = 1, .burst = 1 };
	struct rates *r = rates_new(1);

	cr_expect_eq(rates_take(r, NAME, &one, NOW), 0);
	cr_expect_eq(rates_take(r, NAME, &one, NOW), 60000);
	cr_expect_eq(rates_take(r, NAME, &one, NOW + 59999), 1);
	cr_expect_eq(rates_take(r, NAME, &one, NOW + 60000), 0);
	rates_free(r);
}

Test(rates, names_do_not_disturb_each_other)
{
	struct rates *r = rates_new(1000);

	for (uint64_t name = 1; name <= 1000; name++)
		cr_expect_eq(taken(r, name, 4, NOW), 3);
	rates_free(r);
}

Test(rates, a_crowd_does_not_wash_out_those_who_ask_too_much)
{
	struct rates *r = rates_new(RATES_WAYS); /* one set */

	for (uint64_t name = 1; name < RATES_WAYS; name++)
		cr_assert_eq(taken(r, name, 4, NOW), 3);
	for (uint64_t name = 100; name < 1100; name++)
		cr_assert_eq(taken(r, name, 1, NOW), 1, "a newcomer always finds a place");
	for (uint64_t name = 1; name < RATES_WAYS; name++)
		cr_expect_eq(taken(r, name, 1, NOW), 0);
	rates_free(r);
}

static void *
take_some(void *arg)
{
	return (void *)(uintptr_t)taken(arg, NAME, 1000, NOW);
}

Test(rates, threads_share_a_bucket)
{
	struct rates *r = rates_new(100);
	pthread_t threads[4];
	uintptr_t sum = 0;

	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, take_some, r), 0);
	for (int i = 0; i < 4; i++) {
		void *n;

		pthread_join(threads[i], &n);
		sum += (uintptr_t)n;
	}
	cr_expect_eq(sum, 3);
	rates_free(r);
}
