/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vzd_tokens - a token out of an answer: how long it counts, and wiping it.
 */
#ifndef SCHLEUSE_REGSVC_VZD_TOKENS_H
#define SCHLEUSE_REGSVC_VZD_TOKENS_H

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

#define VZD_TOKEN_MAX (16 << 10)

struct vzd_access {
	char *text;     /* NULL: none */
	clock_ms until; /* when to get another one */
};

/* Reads a token answer (RFC 6749 5.1, with the deviations that vzd_auth.h names), replacing what is
 * held.  ERR_VZD_ANSWER: nothing changed; ERR_MEMORY. */
enum err vzd_access_read(struct vzd_access *t, struct str json, clock_ms now, clock_ms margin,
    clock_ms preset) MUST_CHECK;
void vzd_access_drop(struct vzd_access *t);
bool vzd_access_good(const struct vzd_access *t, clock_ms now);

#endif
