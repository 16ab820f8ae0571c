/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/providers/retry_after.h"

#include <time.h>

#include "lib/base/str.h"

static clock_ms
bounded(uint64_t seconds)
{
	return seconds < RETRY_AFTER_MAX_MS / 1000 ? seconds * 1000 : RETRY_AFTER_MAX_MS;
}

clock_ms
retry_after_read(const char *text, int64_t wall_s)
{
	struct tm tm = { 0 };
	const char *end;
	uint64_t seconds;
	int64_t at;

	if (str_to_u64(str_z(text), UINT64_MAX, &seconds))
		return bounded(seconds);
	end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	if (end == NULL || *end != '\0')
		return 0;
	at = timegm(&tm);
	return at > wall_s ? bounded((uint64_t)(at - wall_s)) : 0;
}
