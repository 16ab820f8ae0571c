/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_redis_int - what the files of store_redis share; nobody else includes it.
 */
#ifndef SCHLEUSE_STORE_STORE_REDIS_INT_H
#define SCHLEUSE_STORE_STORE_REDIS_INT_H

#include "lib/store/redis_sub.h"
#include "lib/store/store_int.h"
#include "lib/store/store_redis.h"

#define STORE_PREFIX_MAX 200
#define STORE_NAME_ROOM (STORE_PREFIX_MAX + 16 + STORE_KEY_MAX)

struct store_redis {
	struct store store; /* first */
	struct redis *redis;
	struct redis_sub *sub; /* NULL: nobody watches */
	enum err connected, subscribed, refused;
	struct list calls;
	struct timer again;
	struct redis_call *trying;
	struct str prefix;
	char prefix_text[STORE_PREFIX_MAX + 1];
};

static inline struct store_redis *
store_redis_of(struct store *s)
{
	return (struct store_redis *)(void *)s;
}

/* --- store_redis --- */

/* prefix, kind and key one after the other; a kind begins with a slash, which keys have not. */
struct str store_redis_name(
    const struct store_redis *s, struct str kind, struct str key, char room[STORE_NAME_ROOM]);
/* What the reply says, if there is one: err tells.  A refusal is a state. */
enum err store_redis_judge(struct store_redis *s, enum err err, const redisReply *reply);

/* --- store_redis_calls --- */

struct store_call *store_redis_get(struct store *s, struct str key);
struct store_call *store_redis_apply(
    struct store *s, const struct store_op *ops, size_t n, struct str channel);
struct store_call *store_redis_list(struct store *s, struct str prefix);
struct store_call *store_redis_claim(
    struct store *s, struct str name, struct str token, clock_ms ttl);
void store_redis_cancel(struct store_call *c);
void store_redis_drop_calls(struct store_redis *s);

#endif
