/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard - slows down who guesses.
 *
 * Two things count failed attempts, each forgotten one by one with time.  An address (IPv6: its
 * /64) with too many has to wait, whoever it claims to be: 429.  Attempts that are being looked at
 * count as failures meanwhile, so that many at the same time are no way around that, nor a way to
 * fill the queue of those who log in rightly; neither is going away before the answer.  A client
 * with failures, from wherever they come, gets its next failing answers later and later; a right
 * secret is never held up by that, so nobody can lock out a client by guessing at it from
 * elsewhere.
 *
 * Names are keyed hashes in a table of fixed size, where what has failed least gives way.  Runs on
 * the service's loop.
 */
#ifndef SCHLEUSE_DAEMON_GUARD_H
#define SCHLEUSE_DAEMON_GUARD_H

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/conf/option.h"

struct guard_conf {
	uint64_t failures; /* at once; beyond, one in `forget` */
	clock_ms forget;   /* after which one failure counts no more */
	clock_ms delay, delay_max;
	uint64_t places;
};

/* The settings that each daemon with a guard has; delays need an answer that can wait. */
/* clang-format off */
#define GUARD_ROWS \
	{ "failures", CONF_COUNT, CONF_FIELD(struct guard_conf, failures), "10", 1, 1000, CONF_RELOAD, \
	  "failed attempts of an address (IPv6: one /64) before it has to wait" }, \
	{ "forget", CONF_DURATION, CONF_FIELD(struct guard_conf, forget), "1m", 1000, 24 * 3600 * 1000, CONF_RELOAD, \
	  "after which one failed attempt counts no more" }
#define GUARD_PLACES_ROW(counted) \
	{ "places", CONF_COUNT, CONF_FIELD(struct guard_conf, places), "65536", 64, 16777216, CONF_RESTART, \
	  counted " whose failures are counted" }
/* clang-format on */

/* Its metrics; each the number of a row (lib/ops/metrics). */
struct guard_series {
	unsigned failed, slowed;
};

struct guard;

/* `series` outlives the guard. */
struct guard *guard_new(
    const struct guard_conf *conf, const struct guard_series *series) MUST_CHECK;
void guard_adopt(struct guard *g, const struct guard_conf *conf);
void guard_free(struct guard *g); /* NULL is allowed */

/* 0: an attempt from this address (text of an IP address) may be looked at, and ends with one of
 * the three calls below; else after how many milliseconds it may. */
clock_ms guard_enter(struct guard *g, const char *peer, clock_ms now) MUST_CHECK;
void guard_leave(struct guard *g, const char *peer); /* it was right, or nobody has looked at it */
/* Nobody waits for the answer, but it has cost us a verification. */
void guard_abandoned(struct guard *g, const char *peer, clock_ms now);

/* Counts one failed attempt; id: who it claimed to be, n == 0: nobody in particular.  By how many
 * milliseconds the answer has to be delayed. */
clock_ms guard_failed(struct guard *g, const char *peer, struct str id, clock_ms now);

#endif
