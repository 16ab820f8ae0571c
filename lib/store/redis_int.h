/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_int - what the files of redis share; nobody else includes it.
 */
#ifndef SCHLEUSE_STORE_REDIS_INT_H
#define SCHLEUSE_STORE_REDIS_INT_H

#include "lib/base/buf.h"
#include "lib/fact/backoff.h"
#include "lib/net/stream.h"
#include "lib/store/redis.h"

enum redis_stage { IDLE, ASK, RESOLVE, CONNECT, LOGIN, UP };

enum redis_login {
	LOGIN_NONE,
	LOGIN_AUTH,
	LOGIN_SELECT, /* also tells that this is Redis, and ready */
	LOGIN_HELLO,  /* tells the role */
	LOGIN_PING    /* the same of a sentinel */
};

struct redis_sentinel;

struct redis_call {
	struct list node;
	struct redis *redis;
	char *text; /* as it is sent; NULL afterwards */
	size_t len, at;
	bool begun;       /* to be sent */
	unsigned replies; /* still to come */
	clock_ms since;
	struct timer deadline;
	enum redis_login login;
	redis_fn *fn; /* NULL: nobody is told */
	void *arg;
	bool over;
	enum err err;
	redisReply *reply; /* of a transaction: an error, if there was one already */
};

struct redis {
	struct loop *loop;
	struct redis_config cfg;
	struct redis_node *sentinels;                           /* with their names */
	size_t at_sentinel;                                     /* asked first */
	char *host, *unix_path, *user, *password, *master_name; /* password: secret */
	SSL_CTX *tls;
	struct backoff *backoff;
	enum redis_stage stage;
	struct redis_sentinel *asking;
	char peer[RESOLVER_NAME_MAX]; /* whom we connect to */
	struct resolver_req req;
	struct address addrs[RESOLVER_MAX_ANSWERS];
	size_t n_addrs, at_addr;
	struct stream *stream;
	redisReader *reader;
	size_t fed;     /* bytes of the reply being read */
	clock_ms moved; /* when bytes last did */
	struct buf out;
	struct timer again, connecting, ping;
	struct list waiting, sent, done;
	struct redis_call *writing; /* the last one of sent, of which only a part was written */
	size_t n_calls, n_login;
	struct task tell;
	enum err known, now; /* state as last told, and as it is */
	enum err attempt;    /* why the address tried last did not do */
};

/* --- redis_conn --- */

void redis_connect(void *of_redis);  /* begins an attempt */
void redis_too_slow(void *of_redis); /* ends one */
void redis_disconnect(struct redis *r);

/* --- redis_login --- */

void redis_login(struct redis *r); /* connected */
void redis_judge_login(struct redis *r, struct redis_call *c, redisReply *reply);

/* --- redis_send --- */

void redis_pump(struct redis *r); /* there is room to write */
/* Takes over text, of so many commands. */
struct redis_call *redis_queue(
    struct redis *r, char *text, size_t len, unsigned replies, redis_fn *fn, void *arg);
/* Commands one after the other, as Redis reads them; `atomic`: between MULTI and EXEC.  NULL: out
 * of memory. */
char *redis_format(const struct redis_command *commands, size_t n, bool atomic, size_t *len);
void redis_forget_text(struct redis_call *c);

/* --- redis --- */

void redis_take(struct redis *r, const char *p, size_t n);
/* The call is over; whoever waits is told by the task. */
void redis_finish(struct redis_call *c, enum err err, redisReply *reply);
/* The connection is over; commands under way end and another attempt is due. */
void redis_lost(struct redis *r, enum err why);
void redis_up(struct redis *r); /* logged in */

#endif
