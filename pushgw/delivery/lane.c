/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/delivery/lane.h"

#include "pushgw/delivery/retry.h"

#define AWAY_PAUSE_MAX_MS 10000 /* its return is noticed that late */

/* A rate a minute is spread over it: what may go at once, and in which time as much again. */
struct portion {
	uint64_t max;
	clock_ms period;
};

static struct portion
portion(uint64_t a_minute)
{
	if (a_minute >= 60)
		return (struct portion){ a_minute / 60, 60000 * (a_minute / 60) / a_minute };
	return (struct portion){ 1, 60000 / a_minute };
}

/* Tokens of its rate; none: when the next comes. */
static size_t
rate_room(struct lane *l, clock_ms now, clock_ms *again)
{
	struct portion p;
	uint64_t left;

	if (l->app->rate == 0)
		return SIZE_MAX;
	p = portion(l->app->rate);
	left = budget_left(&l->rate, p.max, p.period, now);
	if (left == 0)
		*again = now + p.period / p.max + 1;
	return left;
}

/* Answers of many servers, which devices name, stop nothing: none of them speaks for the others,
 * and one that is slow would be the only one tried. */
static bool
is_stopped(const struct lane *l)
{
	return l->breaker.open && l->type->one_server;
}

size_t
lane_room(struct lane *l, clock_ms now, clock_ms *again)
{
	size_t room, tokens;

	*again = 0;
	if (l->in_hand >= l->app->concurrency)
		return 0;
	if (now < l->paused_until) {
		*again = l->paused_until;
		return 0;
	}
	if (is_stopped(l) && !breaker_allows(&l->breaker, now)) {
		*again = l->breaker.probing ? 0 : l->breaker.probe_at;
		return 0;
	}
	room = is_stopped(l) || lane_away(l) ? l->in_hand == 0 : l->app->concurrency - l->in_hand;
	tokens = rate_room(l, now, again);
	return tokens < room ? tokens : room;
}

void
lane_take(struct lane *l, clock_ms now)
{
	struct portion p;

	l->in_hand++;
	breaker_try(&l->breaker);
	if (l->app->rate == 0)
		return;
	p = portion(l->app->rate);
	(void)budget_take(&l->rate, p.max, p.period, now);
}

void
lane_release(struct lane *l)
{
	l->in_hand--;
}

bool
lane_away(const struct lane *l)
{
	return l->failures >= LANE_AWAY;
}

static void
pause_until(struct lane *l, clock_ms until)
{
	if (until > l->paused_until)
		l->paused_until = until;
}

static void
note_failure(struct lane *l, const struct delivery_conf *conf, clock_ms now)
{
	clock_ms wait;

	if (!l->type->one_server || ++l->failures < LANE_AWAY)
		return;
	wait = retry_wait(conf, l->failures - LANE_AWAY, 0);
	pause_until(l, now + (wait < AWAY_PAUSE_MAX_MS ? wait : AWAY_PAUSE_MAX_MS));
}

enum breaker_event
lane_note(
    struct lane *l, const struct attempt_result *r, const struct delivery_conf *conf, clock_ms now)
{
	l->verdicts[r->verdict]++;
	if (r->verdict == VERDICT_FAILED)
		note_failure(l, conf, now);
	else
		l->failures = 0;
	if (r->whole_app)
		pause_until(l, now + retry_wait(conf, 0, r->retry_after));
	return breaker_note(&l->breaker, r->verdict, now);
}
