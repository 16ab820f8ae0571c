/* SPDX-License-Identifier: Apache-2.0 */
/*
 * breaker - stops an app whose settings seem to be wrong, and keeps its pushkeys from being
 * rejected meanwhile.
 *
 * A wrong environment, topic or project makes a push provider call every pushkey wrong.  Believing
 * it would wipe the pushers of all users.  So such an answer (VERDICT_SUSPECT) is believed only
 * while most others are deliveries; when too many of the last ones are suspects, or the provider
 * refuses our credentials (VERDICT_FAULT), the app is stopped: one push after the other is tried
 * until one tells that things are right again.  Between these is a pause after VERDICT_FAULT alone:
 * pushkeys that are wrong can be made up by whoever may notify, and must not keep those of others
 * waiting.
 *
 * Pure; time is passed in.
 */
#ifndef SCHLEUSE_PUSHGW_BREAKER_H
#define SCHLEUSE_PUSHGW_BREAKER_H

#include "pushgw/providers/provider.h"

#define BREAKER_WINDOW_MAX 1024
#define BREAKER_EVIDENCE 10 /* fewer answers are too few to stop an app */

struct breaker {
	uint64_t window, share; /* settings: answers looked at, per cent of suspects */
	clock_ms pause;
	bool open, probing; /* stopped; one push is being tried */
	bool refused;       /* open: the credentials were */
	clock_ms probe_at;  /* open: when the next may be tried */
	uint8_t
	    suspects[BREAKER_WINDOW_MAX / 8]; /* a bit for each of the last answers, in a ring */
	size_t n, at, n_suspects;
};

enum breaker_event { BREAKER_SAME, BREAKER_OPENED, BREAKER_CLOSED };

void breaker_init(struct breaker *b, const struct delivery_conf *conf);
/* Whether a push may be tried now.  Closed: always. */
bool breaker_allows(const struct breaker *b, clock_ms now);
/* One is being tried. */
void breaker_try(struct breaker *b);
/* What came of a try. */
enum breaker_event breaker_note(struct breaker *b, enum verdict v, clock_ms now);
/* A try was given up before there was a verdict. */
void breaker_forget(struct breaker *b);
/* Whether a suspect pushkey may be taken for dead, after breaker_note() of it. */
bool breaker_believes(const struct breaker *b);

#endif
