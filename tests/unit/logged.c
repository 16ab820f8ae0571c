/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/logged.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"

static FILE *file;

void
logged_begin(void)
{
	file = tmpfile();
	cr_assert_not_null(file);
	cr_assert_geq(dup2(fileno(file), STDERR_FILENO), 0);
}

size_t
logged(const char *part)
{
	static char text[1 << 20];
	ssize_t n;
	size_t times = 0;

	log_flush();
	n = pread(fileno(file), text, sizeof(text) - 1, 0);
	cr_assert_geq(n, 0);
	text[n] = '\0';
	for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
		times++;
	return times;
}
