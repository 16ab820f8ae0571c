/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit - a test that does not end is a failed one: it is killed after LIMIT_S, so that no run of
 * the tests hangs.
 *
 * Every test gets its limit here, because Criterion 2.4.1 takes --timeout and does nothing with it.
 */
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <criterion/internal/ordered-set.h>

#define LIMIT_S 120 /* far above what any takes on a busy machine with sanitizers */

/* clang-format off */
ReportHook(PRE_ALL)(struct criterion_test_set *all)
{
	FOREACH_SET(struct criterion_suite_set *suite, all->suites) {
		if (suite->tests == NULL)
			continue;
		FOREACH_SET(struct criterion_test *test, suite->tests)
			test->data->timeout = LIMIT_S;
	}
}
/* clang-format on */
