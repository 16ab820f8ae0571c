/* SPDX-License-Identifier: Apache-2.0 */
/* The delay of a push is uniform and follows from nothing outside (ML-123618-3, O-16). */
#include <criterion/criterion.h>
#include <sodium.h>

#include "pushgw/queue/delay.h"

#define DRAWS 10000
#define MAX 10000
#define BINS 100

/* libsodium's generator with a seed instead of the kernel's numbers: the test always sees the same
 * draws, made by the same code as the real ones. */
static unsigned char seed[randombytes_SEEDBYTES];
static uint64_t blocks;

static const char *
name(void)
{
	return "seeded";
}

static void
seeded_buf(void *const out, const size_t n)
{
	memcpy(seed, &blocks, sizeof(blocks));
	blocks++;
	randombytes_buf_deterministic(out, n, seed);
}

static uint32_t
seeded_number(void)
{
	uint32_t v;

	seeded_buf(&v, sizeof(v));
	return v;
}

static struct randombytes_implementation seeded = {
	.implementation_name = name, .random = seeded_number, .buf = seeded_buf
};

static void
setup(void)
{
	blocks = 0;
	cr_assert_eq(randombytes_set_implementation(&seeded), 0);
	cr_assert_geq(sodium_init(), 0);
}

TestSuite(push_delay, .init = setup);

/* Pearson's statistic of the draws over equal bins of 0 .. MAX. */
static double
chi_square(const clock_ms *draws)
{
	unsigned seen[BINS] = { 0 };
	double sum = 0, expected = (double)DRAWS / BINS;

	for (size_t i = 0; i < DRAWS; i++)
		seen[draws[i] * BINS / (MAX + 1)]++;
	for (size_t b = 0; b < BINS; b++)
		sum += (seen[b] - expected) * (seen[b] - expected) / expected;
	return sum;
}

Test(push_delay, is_uniform_over_the_whole_range)
{
	static clock_ms draws[DRAWS];
	double x;

	for (size_t i = 0; i < DRAWS; i++) {
		draws[i] = delay_draw(MAX);
		cr_assert_leq(draws[i], MAX);
	}
	x = chi_square(draws);
	/* 99 degrees of freedom: between the quantiles 0.0005 and 0.9995 */
	cr_assert(x > 56.0 && x < 151.9, "chi-square %f", x);
}

Test(push_delay, follows_not_from_the_one_before)
{
	double previous = (double)delay_draw(MAX) - MAX / 2.0, sum = 0, squares = 0;

	for (size_t i = 0; i < DRAWS; i++) {
		double d = (double)delay_draw(MAX) - MAX / 2.0;

		sum += d * previous;
		squares += d * d;
		previous = d;
	}
	/* the serial correlation of independent draws: within 4 standard errors of 0 */
	cr_assert(sum / squares > -0.04 && sum / squares < 0.04, "correlation %f", sum / squares);
}

Test(push_delay, reaches_both_ends_of_a_small_range)
{
	bool seen[3] = { false, false, false };

	for (size_t i = 0; i < 1000; i++) {
		clock_ms d = delay_draw(2);

		cr_assert_leq(d, 2);
		seen[d] = true;
	}
	cr_assert(seen[0] && seen[1] && seen[2]);
	cr_assert_eq(delay_draw(0), 0);
}
