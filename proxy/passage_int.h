/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passage_int - what a passage is, for the files that lead one through: passage.c (states, waiting,
 * the end) and one file per direction, which says what is judged, in which order, and where the
 * request goes (passage_in.c, outbound/passage_out.c).
 */
#ifndef SCHLEUSE_PROXY_PASSAGE_INT_H
#define SCHLEUSE_PROXY_PASSAGE_INT_H

#include "proxy/gather.h"
#include "proxy/outbound/aim.h"
#include "proxy/passage.h"
#include "proxy/relay.h"

enum passage_state { JUDGE, FACTS, BODY, RELAY, GONE };

struct passage_side {
	/* Enters the state that gets what is still needed, or ends in passage_relay() or
	 * passage_refuse(). */
	void (*advance)(struct passage *p);
	/* Gives back what only this direction holds; may be NULL. */
	void (*left)(struct passage *p);
	void (*answer)(struct passage *p, enum err why); /* a refusal; the passage has left */
	enum route_api api; /* in log and metrics; API_NONE: the route's */
	/* The server that lines of the log are linked by; may be NULL. */
	struct str (*other)(const struct passage *p);
};

struct passage {
	struct passage *spare;
	const struct passage_side *side;
	struct worker *w;
	struct proxy_conf *conf; /* one reference: a reload does not change a request under way */
	struct exchange *ex;
	enum passage_state state;
	enum err why;
	clock_ms retry_after; /* with ERR_RATE */
	int status;
	struct judged j;
	struct gather gather;
	enum listener_kind kind; /* inbound: of the listener */
	bool unlisted;           /* a member was not on the list when it was looked at first */
	bool body_judged;        /* like the next */
	bool invites_judged;
	bool body_read;
	struct buf body;
	struct relay relay;
	struct aim aim; /* outbound, like the next */
	unsigned step;  /* which of the side's steps it is at */
	struct grave grave;
	struct segments path; /* last: not zeroed */
};

/* A passage of this exchange, which has its events from now on.  NULL: out of memory, the exchange
 * is aborted. */
struct passage *passage_new(
    struct worker *w, const struct passage_side *side, struct exchange *ex) MUST_CHECK;

/* Refuses; the passage is gone. */
void passage_refuse(struct passage *p, enum err why);
/* Ends without a refusal: the caller answers. */
void passage_leave(struct passage *p, int status);

/* Whether the fact is here; if not, the state has been left for where it comes from. */
bool passage_have(struct passage *p, enum gathered g) MUST_CHECK;
/* The same for the body, of at most `max` bytes, which is then j.body. */
bool passage_have_body(struct passage *p, uint64_t max) MUST_CHECK;

/* Lets it pass. */
void passage_relay(struct passage *p, const struct relay_hop *hop);

#endif
