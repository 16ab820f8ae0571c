/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_sub - what is published in channels, on a connection of its own.
 *
 * Lives on the same loop as the client (redis.h), with whose means it connects and comes back by
 * itself.  What is published while it is away is lost in Redis: after each time it has subscribed,
 * the channel is told as if something had been published.
 */
#ifndef SCHLEUSE_STORE_REDIS_SUB_H
#define SCHLEUSE_STORE_REDIS_SUB_H

#include "lib/store/redis.h"

struct redis_sub;

/* Something was, or may have been, published in the channel.  Must free nothing of this module. */
typedef void redis_sub_fn(void *arg, struct str channel);

/* As for redis_new(), but cfg->message is not looked at; cfg->state also tells ERR_REDIS_ANSWER
 * when a subscription is refused (ACL); it is tried again.  cfg->arg is for both, and neither frees
 * anything of this module. */
struct redis_sub *redis_sub_new(
    struct loop *loop, const struct redis_config *cfg, redis_sub_fn *fn) MUST_CHECK;
void redis_sub_free(struct redis_sub *s); /* NULL is allowed */

/* The name is copied; each once.  false: out of memory. */
bool redis_sub_add(struct redis_sub *s, struct str channel) MUST_CHECK;
void redis_sub_remove(struct redis_sub *s, struct str channel);

#endif
