/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - short verbs, one line each, to standard error.
 *
 * A line: time, level, thread, text.  Text is printf-formatted; by convention an id comes first,
 * then key=value pairs.  Lines are collected per thread and written by log_flush(), which the loop
 * calls once a turn; warnings and errors are written at once.  A line longer than LOG_LINE_MAX is
 * cut.
 *
 * Privacy (ML-123619): never pass an MXID, room, token, IP address or content.  Where a line must
 * be linked to another one, log_id() gives a keyed hash whose key changes daily and is never
 * written.
 */
#ifndef SCHLEUSE_BASE_LOG_H
#define SCHLEUSE_BASE_LOG_H

#include "lib/base/str.h"

#define LOG_LINE_MAX 2048

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

extern _Atomic(enum log_level)
    log_threshold; /* set at the start or on reload, read by all threads; default LOG_INFO */

void log_thread(const char *name); /* the calling thread's name in its lines, at most 15 bytes */
void log_flush(void);              /* writes what the calling thread has collected */

void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...) \
	do { \
		if (log_threshold >= LOG_INFO) \
			log_write(LOG_INFO, __VA_ARGS__); \
	} while (0)
#define log_debug(...) \
	do { \
		if (log_threshold >= LOG_DEBUG) \
			log_write(LOG_DEBUG, __VA_ARGS__); \
	} while (0)

/* Sixteen hexadecimal digits that stand for s today; returns out. */
char *log_id(struct str s, char out[17]);

#endif
