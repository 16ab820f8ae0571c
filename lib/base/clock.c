/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/clock.h"

#include <stdio.h>
#include <time.h>

clock_ms
clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (clock_ms)t.tv_sec * 1000 + (clock_ms)t.tv_nsec / 1000000;
}

int64_t
clock_wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
clock_wall_s(void)
{
	return clock_wall_ms() / 1000;
}

char *
clock_text(int64_t wall_ms, char out[CLOCK_TEXT_MAX])
{
	time_t s = (time_t)(wall_ms / 1000);
	int ms = (int)(wall_ms % 1000);
	long off;
	struct tm tm;

	if (ms < 0) {
		ms += 1000;
		s--;
	}
	localtime_r(&s, &tm);
	off = tm.tm_gmtoff / 60;
	snprintf(out, CLOCK_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%03d%c%02d:%02d",
	    (tm.tm_year + 1900) % 10000, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
	    tm.tm_sec, ms, off < 0 ? '-' : '+', (int)(off < 0 ? -off : off) / 60,
	    (int)(off < 0 ? -off : off) % 60);
	return out;
}
