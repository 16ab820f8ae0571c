/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis - commands to one Redis server and their replies, without blocking.
 *
 * Runs on one loop (the control thread's).  One connection over TCP, TLS or a unix socket is kept
 * open; when it is lost, it is opened again after a growing wait.  Commands are pipelined: replies
 * come in the order of redis_send().  A command given while there is no connection waits for one
 * until its deadline.  hiredis appears only here and where a reply is read.
 *
 * A command that was sent before the connection broke may or may not have been carried out; it is
 * never sent again by itself.  With sentinels, they are asked where the master is before each
 * connection; what is no master is left, also when it tells so later (READONLY).
 */
#ifndef SCHLEUSE_STORE_REDIS_H
#define SCHLEUSE_STORE_REDIS_H

#include <hiredis/hiredis.h>
#include <openssl/x509.h>

#include "lib/net/loop.h"
#include "lib/net/resolver.h"

struct redis;
struct redis_call;

struct redis_node {
	const char *host; /* name or IP literal */
	uint16_t port;
};

struct redis_config {     /* copied */
	const char *host; /* name or IP literal; or */
	uint16_t port;
	const char *unix_path; /* or */
	const struct redis_node *sentinels;
	size_t n_sentinels;
	const char *master_name;   /* by which they know it */
	struct resolver *resolver; /* not owned; for names */
	X509_STORE
	*anchors; /* TLS, the servers verified by these; NULL: plain; a reference is taken */
	const char *user;    /* NULL: the password alone */
	struct str password; /* n == 0: no AUTH; sentinels that demand none are told it in vain */
	unsigned db;
	clock_ms timeout; /* of one command, waiting included, and of connecting */
	/* The same while bytes still move on the connection, for values that take longer; 0: as
	 * timeout. */
	clock_ms longest;
	clock_ms ping;               /* asks so often whether a quiet server is there; 0: never */
	clock_ms wait_min, wait_max; /* before connecting again */
	size_t queue_max;            /* commands waiting or under way */
	size_t reply_max;            /* bytes of one reply; 0: 16 MiB */
	/* The connection is there and logged in (OK), or it is not and why: ERR_DNS, ERR_CONNECT,
	 * ERR_TLS, ERR_TIMEOUT, ERR_REDIS_ANSWER (login refused, or no Redis), ERR_NOT_FOUND (no
	 * sentinel knows a master), ERR_STORE_READONLY (no master), ERR_TOO_LARGE, ERR_MEMORY.
	 * Called when that changes; may be NULL. */
	void (*state)(void *arg, enum err why);
	/* What was published in a channel subscribed to; may be NULL.  Calls nothing of this
	 * module.
	 */
	void (*message)(void *arg, struct str channel);
	void *arg;
	/* This is a sentinel, which has no databases and often no users; set by redis_sentinel. */
	bool is_sentinel;
};

/* NULL: out of memory.  Connecting begins with the next turn of the loop. */
struct redis *redis_new(struct loop *loop, const struct redis_config *cfg) MUST_CHECK;
void redis_free(struct redis *r); /* NULL is allowed; waiting callers are not called */

/* For the end of a process, before redis_free(): waits until Redis has carried out what it was sent
 * and closes, at most so long; nothing else happens meanwhile. */
void redis_linger(struct redis *r, clock_ms patience);

/* OK: the reply is here, valid during the call; an error reply of Redis counts as one. ERR_CONNECT:
 * the connection broke off after the command was sent; ERR_TIMEOUT: no reply in time, whether sent
 * or not. */
typedef void redis_fn(void *arg, enum err err, const redisReply *reply);

/* Sends the words of one command.  fn is called later exactly once unless cancelled, from the loop;
 * it may do anything, redis_free() too.  The handle is invalid from the call on.  NULL: the queue
 * is full or out of memory; nobody is called. */
struct redis_call *redis_send(
    struct redis *r, const struct str *words, size_t n, redis_fn *fn, void *arg) MUST_CHECK;
void redis_cancel(struct redis_call *c); /* a command that was sent is still carried out */

struct redis_command {
	const struct str *words;
	size_t n;
};

/* The same for several commands between MULTI and EXEC: all are carried out or none, also when the
 * connection breaks.  The reply is that to EXEC, or the first error there was. */
struct redis_call *redis_transact(struct redis *r, const struct redis_command *commands, size_t n,
    redis_fn *fn, void *arg) MUST_CHECK;

/* What r was made of, to make another one: the pointers are into r. */
const struct redis_config *redis_config_of(const struct redis *r);

/* What a reply says: OK, or an error by its first word: ERR_STORE_FULL (OOM), ERR_STORE_READONLY,
 * else ERR_REDIS_ANSWER. */
enum err redis_reason(const redisReply *reply);

#endif
