/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace - whether a peer that is waited for delivers (or takes) bytes at a minimum rate.
 *
 * Embedded, one for each direction.  It holds time on credit: waiting spends it, bytes earn it back
 * at the rate, and it never grows beyond the window.  So a peer may rest for a window now and then,
 * but must keep up the rate over longer times, and cannot save up by a fast beginning.  The clock
 * runs only while something is waited for: who is held up by us is not slow.  Pure; the thread of
 * its owner.
 */
#ifndef SCHLEUSE_HTTP_PACE_H
#define SCHLEUSE_HTTP_PACE_H

#include <stdbool.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"

struct pace {
	clock_ms since;    /* of what is not yet settled; 0: nothing is waited for */
	int64_t credit_us; /* below 0: too slow */
};

struct pace_rule {
	uint64_t rate; /* bytes a second; 0: none is demanded */
	clock_ms window;
};

void pace_init(struct pace *p, const struct pace_rule *r);

/* Starts or stops the clock. */
static inline void
pace_wait(struct pace *p, clock_ms now, bool waiting)
{
	if (waiting == (p->since != 0))
		return;
	if (p->since != 0)
		p->credit_us -= (int64_t)(now - p->since) * 1000;
	p->since = waiting ? now : 0;
}

/* `bytes` have come (or gone) since the last call. */
void pace_earn(struct pace *p, const struct pace_rule *r, clock_ms now, uint64_t bytes);

/* When to look again: `after`, or sooner if the peer is too slow before. */
clock_ms pace_deadline(
    const struct pace *p, const struct pace_rule *r, clock_ms now, clock_ms after);

/* How long until the peer is too slow if nothing comes: 0 when it is, UINT64_MAX: never. */
clock_ms pace_left(const struct pace *p, const struct pace_rule *r, clock_ms now);

/* A peer that reads what we send.  What left us may wait in the kernel, megabytes of it; taken is
 * what waits nowhere any more. */
struct pace_reader {
	struct pace pace;
	uint64_t handed; /* bytes given to the stream, counted by the owner */
	uint64_t taken;  /* of these, when it was last looked at */
};

/* Looks, with what now waits (stream_backlog()).  OK: it is not too slow.  ERR_CLIENT_RATE: it is.
 * ERR_CLIENT_SLOW: it has taken nothing since the last look. */
enum err pace_look(struct pace_reader *reader, const struct pace_rule *r, clock_ms now,
    uint64_t backlog) MUST_CHECK;

#endif
