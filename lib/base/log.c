/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/clock.h"

#define DAY_MS (24 * 3600 * 1000LL)
#define COLLECT 16384

_Atomic(enum log_level) log_threshold = LOG_INFO;

static const char *const level_names[] = { "error", "warn ", "info ", "debug" };

static _Thread_local char thread_name[16] = "main";
static _Thread_local char lines[COLLECT];
static _Thread_local size_t used;

static pthread_mutex_t key_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char key[crypto_shorthash_KEYBYTES];
static int64_t key_day = -1;

void
log_thread(const char *name)
{
	snprintf(thread_name, sizeof(thread_name), "%s", name);
}

void
log_flush(void)
{
	size_t at = 0;

	while (at < used) {
		ssize_t n = write(STDERR_FILENO, lines + at, used - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break; /* nobody reads: there is no better place to say so */
		at += (size_t)n;
	}
	used = 0;
}

void
log_write(enum log_level level, const char *fmt, ...)
{
	char time[CLOCK_TEXT_MAX];
	size_t room;
	va_list ap;
	char *line;
	int n;

	if (level > log_threshold)
		return;
	if (used + LOG_LINE_MAX > COLLECT)
		log_flush();
	line = lines + used;
	room = LOG_LINE_MAX - 1; /* for the newline */
	n = snprintf(line, room, "%s %s %s ", clock_text(clock_wall_ms(), time), level_names[level],
	    thread_name);
	va_start(ap, fmt);
	n += vsnprintf(line + n, room - (size_t)n, fmt, ap);
	va_end(ap);
	if ((size_t)n >= room)
		n = (int)room - 1;
	/* One record, one line: nothing a peer sent may start a line of its own. */
	for (int i = 0; i < n; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[n] = '\n';
	used += (size_t)n + 1;
	if (level <= LOG_WARN)
		log_flush();
}

char *
log_id(struct str s, char out[17])
{
	unsigned char digest[crypto_shorthash_BYTES];
	int64_t day = clock_wall_ms() / DAY_MS;

	pthread_mutex_lock(&key_lock);
	if (day != key_day) {
		randombytes_buf(key, sizeof(key));
		key_day = day;
	}
	crypto_shorthash(digest, (const unsigned char *)s.p, s.n, key);
	pthread_mutex_unlock(&key_lock);
	sodium_bin2hex(out, 17, digest, sizeof(digest));
	return out;
}
