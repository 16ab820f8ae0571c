/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lane - what the gateway sends to one entry of `apps`: its provider, how much at once, how much a
 * minute, whether it is stopped.
 *
 * Lanes share nothing, so an app whose provider is slow or refuses us holds up no other.
 */
#ifndef SCHLEUSE_PUSHGW_LANE_H
#define SCHLEUSE_PUSHGW_LANE_H

#include "lib/base/budget.h"
#include "pushgw/delivery/breaker.h"

#define LANE_AWAY 5

struct lane {
	const struct app_conf *app;
	const struct provider_type *type;
	struct provider *provider;
	struct breaker breaker;
	struct budget rate;    /* of app->rate */
	clock_ms paused_until; /* the provider asked us to leave it alone, or is away */
	unsigned failures;     /* one after the other, of a provider that is one server */
	size_t in_hand;        /* pushes */
	bool trouble;          /* the log was told that it does not work */
	clock_ms told_at;      /* ... and when of a push that was given up; 0: never */
	clock_ms opened_at;    /* ... and when of pushkeys called wrong; 0: never */
	uint64_t verdicts[VERDICTS];
};

/* How many pushes may be taken now besides those in hand.  0: *again is when to ask again, 0 if
 * that is when one in hand is done. */
size_t lane_room(struct lane *l, clock_ms now, clock_ms *again);
/* A push is taken: it counts against rate and concurrency until lane_release(). */
void lane_take(struct lane *l, clock_ms now);
void lane_release(struct lane *l);
/* What came of an attempt: how the lane goes on.  Of LANE_AWAY failures of the one server behind
 * a lane follows that it is away: then one push after the other is tried, with growing pauses. */
enum breaker_event lane_note(
    struct lane *l, const struct attempt_result *r, const struct delivery_conf *conf, clock_ms now);
bool lane_away(const struct lane *l);

extern const char *const verdict_names[VERDICTS]; /* in metrics and log */

/* Appends the metrics of n lanes, their labels being entries of the configuration. */
bool lane_print(const struct lane *lanes, size_t n, struct buf *out) MUST_CHECK;

#endif
