/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker - one data-plane thread: its loop, listeners, TLS contexts, upstream pools, fact caches.
 *
 * Everything here is touched by the worker's own thread only; news from the control thread arrives
 * as letters (worker_post_*).
 */
#ifndef SCHLEUSE_PROXY_WORKER_H
#define SCHLEUSE_PROXY_WORKER_H

#include "lib/fact/fact.h"
#include "lib/federation/fedlist.h"
#include "lib/http/server.h"
#include "lib/net/listener.h"
#include "lib/net/preface.h"
#include "lib/net/tls.h"
#include "proxy/config.h"
#include "proxy/listeners.h"
#include "proxy/outbound/outward.h"
#include "proxy/upstreams.h"

#define INVITE_KEY_BYTES 32

struct control;
struct connlimit;
struct passage;
struct rates;

/* One endpoint as the worker serves it.  Connections point at it, so it stays until the last one
 * is gone, even if no more come. */
struct worker_listener {
	struct worker *worker;
	struct endpoint *endpoint; /* one reference */
	struct listener **listeners;
	size_t n_listeners; /* 0: accepts no more */
	enum listener_kind kind;
	bool leaving;                     /* being given up: its connections end soon */
	const struct listener_conf *conf; /* NULL: of a predecessor, and being given up */
	struct proxy_conf *conf_of;       /* one reference: `conf` is in it */
	size_t n_conns;                   /* that point at it */
	struct grave grave;
};

struct federation_view {                  /* what is in force, as the control thread last said */
	struct fedlist *list;             /* one reference, or NULL */
	int64_t as_of;                    /* wall-clock second of its last refresh */
	struct passport_trust *passports; /* one reference; NULL: as configured */
};

struct worker {
	unsigned number;
	struct control *control;
	struct loop *loop;
	struct proxy_conf *conf; /* one reference */
	struct tls_server *tls;
	struct tls_tickets *tickets; /* one reference */
	struct http_server http;
	struct worker_listener **listeners; /* those that accept */
	size_t n_listeners;
	unsigned n_workers; /* of the process */
	struct prefaces prefaces;
	struct connlimit *connections; /* the process's */
	struct rates *rates;           /* likewise */
	bool crowded;                  /* the listeners pause for limits.connections_max */
	struct timer room_timer;
	struct upstreams *upstreams;         /* one reference */
	struct federation_view *federations; /* by federation */
	struct fact_cache *keys;             /* struct serverkeys by origin */
	struct fact_cache *accounts;         /* struct account by token hash */
	struct fact_cache *misses;           /* bare facts by miss_key() */
	struct fact_cache *destinations;     /* struct destination by its key */
	struct fact_cache *owners;           /* struct destination_owner by host and port */
	struct outward out;                  /* the way out */
	unsigned char invite_key[INVITE_KEY_BYTES];
	struct passage *spare; /* a few freed passages, to save the allocator */
	unsigned n_spare;
	bool draining;
	bool left_behind; /* could not take over the newest configuration */
	struct timer drain_timer;
};

/* Starts a worker's thread; it listens nowhere yet.  Takes references of conf, tickets and staples.
 * NULL with a message. */
struct worker *worker_start(struct control *control, unsigned number, unsigned n_workers,
    struct proxy_conf *conf, struct tls_tickets *tickets, struct tls_staples *staples,
    const unsigned char invite_key[INVITE_KEY_BYTES], char *why, size_t why_size) MUST_CHECK;
void worker_join(struct worker *w); /* waits for the thread; it ends after worker_post_drain() */
void worker_free(struct worker *w); /* after worker_join() */

/* News, from the control thread. */
/* Takes references; the staples are those of this configuration. */
bool worker_post_conf(struct worker *w, struct proxy_conf *conf, struct tls_staples *staples);
bool worker_post_listeners(struct worker *w, struct listeners *l);       /* takes a reference */
bool worker_post_staples(struct worker *w, struct tls_staples *staples); /* takes a reference */
bool worker_post_tickets(struct worker *w, struct tls_tickets *tickets); /* takes a reference */
bool worker_post_list(
    struct worker *w, size_t federation, const struct fedlist *list, int64_t as_of);
bool worker_post_passports(struct worker *w, size_t federation, struct passport_trust *trust);
/* An address of an upstream, by its number in conf. */
bool worker_post_health(struct worker *w, struct proxy_conf *conf, size_t number, bool up);
bool worker_post_forget(struct worker *w); /* who is behind which token */
/* alone: nobody else has our sockets, what waits in their queues is ours. */
bool worker_post_drain(struct worker *w, bool alone);

/* Ends the thread if it drains and nothing is left; whenever something has ended. */
void worker_look_drained(struct worker *w);

/* Whether federation traffic may pass now; fills what rules look at.  The federation is found by
 * its name, for a request may be older than the worker's configuration. */
void worker_list(const struct worker *w, const struct federation_conf *f, int64_t now_s,
    const struct fedlist **list, bool *stale);
/* Whose PASSporTs count now; NULL: nobody's.  Valid until control returns to the loop. */
const struct passport_trust *worker_passports(
    const struct worker *w, const struct federation_conf *f);

#endif
