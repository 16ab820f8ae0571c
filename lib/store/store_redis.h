/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_redis - a store in Redis, shared by several instances.
 *
 * Keys, channels and claims (under "claim:") have names that begin with the prefix; only they are
 * touched.  What several changes need is one transaction (MULTI), their announcement is part of it.
 * Announcements come on a connection of their own, opened with the first watcher.  Commands used:
 * GETRANGE, SET, DEL, PUBLISH, MULTI, EXEC, SCAN, EVAL (with GET, SET, PEXPIRE, DEL), SUBSCRIBE,
 * UNSUBSCRIBE, PING, AUTH, SELECT, HELLO; etc/redis-acl.conf allows no more.
 */
#ifndef SCHLEUSE_STORE_STORE_REDIS_H
#define SCHLEUSE_STORE_STORE_REDIS_H

#include "lib/store/redis.h"
#include "lib/store/store.h"

/* `redis`: state, message, arg, reply_max, longest and ping are set here.  NULL: out of memory. */
struct store *store_redis_open(struct loop *loop, const struct store_config *cfg,
    const struct redis_config *redis, const char *prefix) MUST_CHECK;

#endif
