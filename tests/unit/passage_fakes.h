/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passage_fakes - everything around a passage: exchange, facts, look-ups, pool, forward and time.
 *
 * They do nothing but note what they were asked, in `around`; the test plays the answers.
 */
#ifndef SCHLEUSE_TESTS_PASSAGE_FAKES_H
#define SCHLEUSE_TESTS_PASSAGE_FAKES_H

#include "lib/http/forward.h"
#include "proxy/homeserver.h"
#include "proxy/lookups.h"
#include "proxy/miss.h"
#include "proxy/outbound/remotes.h"
#include "proxy/passage.h"

#define THEM "them.example"
#define US "us.example"

struct around {
	/* exchange */
	unsigned answered, aborted, ended;
	int status;
	char fields[1024], body[1024];
	struct str upload;     /* what peek gives next */
	enum exchange_body upload_then; /* and after that */
	enum err upload_err;
	unsigned wanted;       /* how often the body was asked for */
	uint64_t limit;
	/* facts */
	const struct fact *keys_at_hand, *account_at_hand;
	const struct fact *miss_at_hand;
	const struct fact *destination_at_hand, *through_at_hand, *owner_at_hand;
	const char *keys_of; /* whose keys may be asked for */
	char places[256];    /* of destinations and owners what was looked for, each behind a blank */
	unsigned places_asked;
	unsigned keys_asked, accounts_asked, misses_asked;
	char miss[MISS_KEY_MAX]; /* the key that was asked for */
	clock_ms younger_than;
	struct fact_wait *waiting; /* NULL: nobody */
	/* invites */
	unsigned invites_asked, noted, forgotten;
	size_t n_invites;
	void (*on_invites)(void *arg, const bool *known); /* NULL: nobody waits */
	void *invites_arg;
	/* the federation list */
	const struct fedlist *list;
	bool list_stale;
	const struct passport_trust *passports;
	/* upstreams and pool */
	bool another; /* there is a second address */
	unsigned failed, worked; /* what was noted about addresses */
	uint64_t key;            /* by which one was chosen */
	struct upstream *idle; /* what pool_take gives */
	unsigned dialled;
	bool dialled_fresh;
	bool taken_certain;
	struct pool_wait *dialling;
	unsigned released;
	/* other servers */
	enum err remote_err;         /* why there is none */
	unsigned remotes_got;
	int remotes_held;
	bool remote_tls, remote_through; /* as was asked for */
	/* forward */
	unsigned forwarded;
	struct forward *forward; /* NULL: not running */
	bool may_retry;
	unsigned body_events, room_events;
	/* time */
	clock_ms now;
	struct timer *timer;   /* NULL: none is set */
	struct grave *graves[4]; /* what is buried */
	unsigned n_graves;
};

extern struct around around;
extern struct upstream reused, fresh;
extern const struct exchange_ops fake_exchange;

void end_turn(void); /* what is buried goes */

/* Upstreams of one address; refs as if the worker held the first. */
extern struct upstreams fake_upstreams;

/* The worker's caches: only their addresses matter. */
extern char fake_keys, fake_accounts, fake_misses, fake_destinations, fake_owners;

#endif
