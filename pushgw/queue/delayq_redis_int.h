/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delayq_redis_int - what the files of delayq_redis share; nobody else includes it.
 */
#ifndef SCHLEUSE_PUSHGW_DELAYQ_REDIS_INT_H
#define SCHLEUSE_PUSHGW_DELAYQ_REDIS_INT_H

#include "lib/store/redis_script.h"
#include "pushgw/queue/delayq_int.h"

#define DELAYQ_PREFIX_MAX 128
#define DELAYQ_ME 16                      /* hexadecimal digits that tell gateways apart */
#define DELAYQ_TOKEN_MAX (DELAYQ_ME + 22) /* "<me>.<number>" */
#define DELAYQ_CHAIN 22                   /* characters of a hash */
#define DELAYQ_PUSH_COST 500              /* bytes of a push in Redis besides its record */
#define DELAYQ_AGAIN_MS 1000              /* after something failed */

enum delayq_script {
	DELAYQ_PUT,
	DELAYQ_TAKE,
	DELAYQ_SETTLE,
	DELAYQ_RELEASE,
	DELAYQ_SERVE,
	DELAYQ_SCRIPTS
};

bool delayq_redis_scripts_init(struct redis_script scripts[DELAYQ_SCRIPTS]) MUST_CHECK;

/* A lane in Redis that is not configured here. */
struct delayq_stranger {
	struct list node;
	clock_ms since;  /* nobody has said to serve it from then on */
	uint64_t served; /* when somebody last did, by the clock of Redis */
	clock_ms next;   /* when to look there again */
	bool ours;       /* it was configured here */
	bool listed;     /* in the answer being read */
	size_t n;
	char name[];
};

enum delayq_end { DELAYQ_FINISH, DELAYQ_REJECT, DELAYQ_LATER, DELAYQ_MOVE };

/* A push in hand, then what is to be told of it. */
struct delayq_taken {
	struct delayq_job job; /* first */
	struct list node;      /* of in_hand, ended or settling */
	clock_ms renewed;
	enum delayq_end end;
	clock_ms after; /* later */
	char *lane;     /* move: where to; NULL: where it is */
	char chain[DELAYQ_CHAIN + 1], token[DELAYQ_TOKEN_MAX];
	size_t n;
	char record[];
};

/* A lane that was asked for what is due. */
struct delayq_asked {
	unsigned lane; /* DELAYQ_NO_LANE: a stranger */
	bool orphan;   /* which nobody serves */
};

struct delayq_redis;

/* A connection; old ones stay until what was asked there has ended. */
struct delayq_conn {
	struct list node; /* of old */
	struct delayq_redis *q;
	struct redis *redis;
	struct timer over;
};

struct delayq_redis {
	struct delayq q; /* first */
	struct delayq_conn *conn;
	struct list old;
	struct redis_script scripts[DELAYQ_SCRIPTS];
	char prefix[DELAYQ_PREFIX_MAX]; /* of all names */
	char me[DELAYQ_ME + 1];
	clock_ms visibility;
	clock_ms grace; /* after which a lane is nobody's */
	enum err connected, refused;
	bool refused_anew; /* since it was last tried whether it still is */
	struct timer again;

	struct list puts; /* delayq_redis_put.c */

	/* delayq_redis_take.c */
	clock_ms *nexts; /* for each lane, when it is worth asking */
	struct delayq_asked *asked;
	size_t n_asked; /* 0: by an earlier configuration */
	unsigned first; /* asked first; each has its turn */
	clock_ms poll_at;
	struct timer poll;
	struct task poll_now;
	struct redis_script_call *taking, *releasing;
	char token[DELAYQ_TOKEN_MAX];
	uint64_t n_takes;
	bool lost; /* what was taken with the token is not known */

	/* delayq_redis_settle.c */
	struct list in_hand, ended, settling;
	size_t n_in_hand;
	struct task settle_now;
	struct timer renew;
	struct redis_script_call *settle;

	/* delayq_redis_serve.c */
	struct timer serve;
	clock_ms serve_every;
	struct redis_script_call *serving;
	struct list strangers;
	struct delayq_gauges known; /* as last told */
};

static inline struct delayq_redis *
delayq_redis_of(struct delayq *q)
{
	return (struct delayq_redis *)(void *)q;
}

/* --- delayq_redis --- */

/* What a reply says, if there is one: err tells.  A refusal is a state. */
enum err delayq_redis_judge(struct delayq_redis *q, enum err err, const redisReply *reply);
/* Redis has written something. */
void delayq_redis_writes(struct delayq_redis *q);
void delayq_redis_words(const struct delayq_redis *q, struct redis_words *w);
struct redis_script_call *delayq_redis_run(struct delayq_redis *q, enum delayq_script which,
    struct redis_words *w, redis_fn *fn) MUST_CHECK; /* fn's arg is q; ends the words */
bool delayq_redis_is(const redisReply *reply, size_t at, int type); /* element `at` of an array */

/* --- delayq_redis_put --- */

struct delayq_call *delayq_redis_put(
    struct delayq *q, const struct push *pushes, size_t n, delayq_put_fn *fn, void *arg) MUST_CHECK;
void delayq_redis_put_cancel(struct delayq_call *c);
void delayq_redis_puts_drop(struct delayq_redis *q);

/* --- delayq_redis_take --- */

void delayq_redis_take_init(struct delayq_redis *q);
bool delayq_redis_take_room(struct delayq_redis *q, size_t lanes) MUST_CHECK;
void delayq_redis_take_stop(struct delayq_redis *q);
void delayq_redis_due(struct delayq_redis *q, unsigned lane, clock_ms after); /* something is */
void delayq_redis_poll(struct delayq_redis *q);                               /* now */
void delayq_redis_kick(struct delayq *q, unsigned lane);

/* --- delayq_redis_settle --- */

void delayq_redis_settle_init(struct delayq_redis *q);
void delayq_redis_settle_stop(struct delayq_redis *q);
void delayq_redis_settle_fini(struct delayq_redis *q);  /* gives back what is in hand */
void delayq_redis_settle_again(struct delayq_redis *q); /* there is a connection */
void delayq_redis_renew(void *of_q);                    /* what is in hand and is due for it */
void delayq_redis_hold(struct delayq_redis *q, struct delayq_taken *t);
void delayq_redis_end(struct delayq_redis *q, struct delayq_taken *t, enum delayq_end how);
size_t delayq_redis_finish(struct delayq *q, struct delayq_job *job, bool rejected);
void delayq_redis_later(struct delayq *q, struct delayq_job *job, clock_ms after);

/* --- delayq_redis_serve --- */

void delayq_redis_serve_init(struct delayq_redis *q);
void delayq_redis_serve_stop(struct delayq_redis *q);
void delayq_redis_serve_fini(struct delayq_redis *q);
void delayq_redis_serve(void *of_q); /* says what is served here */
/* Lanes of `old` are strangers now, strangers of `now` are not. */
void delayq_redis_serve_adopt(
    struct delayq_redis *q, const struct delayq_config *old, const struct delayq_config *now);
bool delayq_redis_is_orphan(const struct delayq_redis *q, const struct delayq_stranger *s);

#endif
