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

enum redis_stage { IDLE, RESOLVE, CONNECT, LOGIN, UP };

struct redis_call {
	struct list node;
	struct redis *redis;
	char *text; /* as it is sent; NULL afterwards */
	size_t len;
	struct timer deadline;
	bool login;
	redis_fn *fn; /* NULL: nobody is told */
	void *arg;
	enum err err;
	redisReply *reply;
};

struct redis {
	struct loop *loop;
	struct redis_config cfg;
	char *host, *unix_path, *user, *password; /* the last one secret */
	SSL_CTX *tls;
	struct backoff *backoff;
	enum redis_stage stage;
	struct resolver_req req;
	struct address addrs[RESOLVER_MAX_ANSWERS];
	size_t n_addrs, at_addr;
	struct stream *stream;
	redisReader *reader;
	size_t fed; /* bytes of the reply being read */
	struct buf out;
	struct timer again, connecting;
	struct list waiting, sent, done;
	size_t n_calls, n_login;
	struct task tell;
	enum err known, now; /* state as last told, and as it is */
	enum err attempt;    /* why the address tried last did not do */
};

/* --- redis_conn --- */

void redis_connect(void *of_redis);  /* begins an attempt */
void redis_too_slow(void *of_redis); /* ends one */
void redis_disconnect(struct redis *r);

/* --- redis --- */

void redis_login(struct redis *r); /* connected */
void redis_pump(struct redis *r);  /* there is room to write */
void redis_take(struct redis *r, const char *p, size_t n);
/* The connection is over; commands under way end and another attempt is due. */
void redis_lost(struct redis *r, enum err why);

#endif
