/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "pushgw/providers/retry_after.h"

#define NOW 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT (RFC 9110 5.6.7) */

Test(push_retry_after, seconds_and_dates)
{
	static const struct {
		const char *text;
		clock_ms wait;
	} cases[] = {
		{ "", 0 },
		{ "0", 0 },
		{ "120", 120000 },
		{ "3600", 3600000 },
		{ "3601", RETRY_AFTER_MAX_MS },
		{ "18446744073709551615", RETRY_AFTER_MAX_MS },
		{ "18446744073709551616", 0 },
		{ "-1", 0 },
		{ "1.5", 0 },
		{ "soon", 0 },
		{ "Sun, 06 Nov 1994 08:49:38 GMT", 1000 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 0 },
		{ "Sun, 06 Nov 1994 08:49:36 GMT", 0 },
		{ "Mon, 07 Nov 1994 08:49:37 GMT", RETRY_AFTER_MAX_MS },
		{ "Sun, 06 Nov 1994 08:49:38 GMT+1", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		cr_assert_eq(
		    retry_after_read(cases[i].text, NOW), cases[i].wait, "\"%s\"", cases[i].text);
}
