/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pushlab - gateways that share a queue in a real redis-server: each puts and takes what the test
 * tells it to, all on one loop unless the test gives one its own.
 */
#ifndef SCHLEUSE_TESTS_PUSHLAB_H
#define SCHLEUSE_TESTS_PUSHLAB_H

#include "lib/daemon/redis_section.h"
#include "lib/net/resolver.h"
#include "pushgw/config.h"
#include "pushgw/queue/delayq_redis.h"
#include "tests/unit/lab.h"
#include "tests/unit/redisd.h"

#define PUSHLAB_JOBS 512
#define PUSHLAB_LANES 4
#define PUSHLAB_NAMES "t:pushgw:" /* what all names begin with */
#define PUSHLAB_HOUR 3600000

struct gateway {
	struct delayq *q;
	const char *lanes[PUSHLAB_LANES]; /* app IDs */
	const char *others;               /* lanes[0] has all apps that begin so; NULL: none */
	size_t n_lanes;
	size_t room;                           /* of each lane */
	bool done_at_once;                     /* each job is finished in due() */
	struct delayq_job *jobs[PUSHLAB_JOBS]; /* handed out; NULL: finished or put off */
	size_t n_jobs;
	char order[PUSHLAB_JOBS * 8]; /* event IDs as handed out, each with a blank behind it */
	enum err state;
	/* of the last put */
	unsigned answers;
	enum err err;
	char of[64]; /* a letter each: Queued, Duplicate, Rejected */
};

struct pushlab {
	struct loop *loop;
	struct resolver *resolver;
	struct redisd server;
	/* what gateways are opened with */
	struct redis_conf redis;
	struct queue_conf queue;
	struct delayq_limits limits;
};

void pushlab_init(struct pushlab *l, const char *const *args); /* starts Redis */
/* With etc/redis-acl.conf and its names; gateways are this user. */
void pushlab_init_acl(struct pushlab *l, const char *user);
void pushlab_fini(struct pushlab *l);

/* With the lane "app", room for everything, connected. */
void gateway_open(struct pushlab *l, struct gateway *g);
void gateway_open_on(struct pushlab *l, struct gateway *g, struct loop *loop);
void gateway_adopt(struct pushlab *l, struct gateway *g); /* its lanes, and the limits of l */
void gateway_close(struct gateway *g);

/* Events of one pushkey of "app", separated by blanks; the answer awaited. */
enum err gateway_put(struct pushlab *l, struct gateway *g, const char *pushkey, const char *events);
enum err gateway_puts(struct pushlab *l, struct gateway *g, const struct push *pushes, size_t n);
void gateway_ask(struct gateway *g, const struct push *pushes, size_t n); /* not awaited */
struct push pushlab_push(const char *app, const char *pushkey, const char *event);

void gateway_finish(struct gateway *g, size_t job, bool rejected);
void gateway_later(struct gateway *g, size_t job, clock_ms after);
void gateway_finish_all(struct gateway *g);

/* A command in Redis; "@" stands for what names begin with. */
const char *pushlab_ask(struct pushlab *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
long long pushlab_number(struct pushlab *l, const char *command);

#endif
