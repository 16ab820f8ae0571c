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
 * never sent again by itself.  Subscriptions are not for this client: a reply belongs to a command.
 */
#ifndef SCHLEUSE_STORE_REDIS_H
#define SCHLEUSE_STORE_REDIS_H

#include <hiredis/hiredis.h>
#include <openssl/x509.h>

#include "lib/net/loop.h"
#include "lib/net/resolver.h"

struct redis;
struct redis_call;

struct redis_config {     /* copied */
	const char *host; /* name or IP literal; or */
	uint16_t port;
	const char *unix_path;
	struct resolver *resolver; /* not owned; for names */
	X509_STORE *anchors;       /* TLS, the server verified by these; NULL: plain */
	const char *user;          /* NULL: the password alone */
	struct str password;       /* n == 0: no AUTH */
	unsigned db;
	clock_ms timeout;            /* of one command, waiting included, and of connecting */
	clock_ms wait_min, wait_max; /* before connecting again */
	size_t queue_max;            /* commands waiting or under way */
	/* The connection is there and logged in (OK), or it is not and why: ERR_DNS, ERR_CONNECT,
	 * ERR_TLS, ERR_TIMEOUT, ERR_REDIS_ANSWER (login refused, or no Redis), ERR_TOO_LARGE,
	 * ERR_MEMORY.  Called when that changes; may be NULL. */
	void (*state)(void *arg, enum err why);
	void *arg;
};

/* NULL: out of memory.  Connecting begins with the next turn of the loop. */
struct redis *redis_new(struct loop *loop, const struct redis_config *cfg) MUST_CHECK;
void redis_free(struct redis *r); /* NULL is allowed; waiting callers are not called */

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

#endif
