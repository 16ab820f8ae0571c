/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "lib/base/clock.h"

static const char *
text(const char *zone, int64_t ms)
{
	static char out[CLOCK_TEXT_MAX];

	setenv("TZ", zone, 1);
	tzset();
	return clock_text(ms, out);
}

Test(clock, prints_rfc_3339_with_milliseconds_and_offset)
{
	cr_assert_str_eq(text("UTC0", 0), "1970-01-01T00:00:00.000+00:00");
	cr_assert_str_eq(text("UTC0", 1769842800123), "2026-01-31T07:00:00.123+00:00");
	cr_assert_str_eq(text("CET-1", 1769842800123), "2026-01-31T08:00:00.123+01:00");
	cr_assert_str_eq(text("AAA+3:30", 1769842800009), "2026-01-31T03:30:00.009-03:30");
	cr_assert_str_eq(text("UTC0", -1), "1969-12-31T23:59:59.999+00:00");
}

Test(clock, never_runs_backwards)
{
	clock_ms last = clock_now();

	for (int i = 0; i < 10000; i++) {
		clock_ms now = clock_now();

		cr_assert_geq(now, last);
		last = now;
	}
}
