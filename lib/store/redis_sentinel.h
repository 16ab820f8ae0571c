/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_sentinel - where the master is, asked of one sentinel after the other.
 *
 * https://redis.io/docs/latest/develop/reference/sentinel-clients/: the first that knows counts;
 * whether it is the master is asked of itself.
 */
#ifndef SCHLEUSE_STORE_REDIS_SENTINEL_H
#define SCHLEUSE_STORE_REDIS_SENTINEL_H

#include "lib/store/redis.h"

struct redis_sentinel;

/* OK: valid during the call; `which` knew.  ERR_NOT_FOUND: none knows it; else why the last one
 * could not be asked.  May cancel. */
typedef void redis_sentinel_fn(
    void *arg, enum err err, struct str host, uint16_t port, size_t which);

/* Asks those of cfg, beginning with `first`; login and TLS as for Redis.  cfg and what it points to
 * must stay.  NULL: out of memory. */
struct redis_sentinel *redis_sentinel_ask(struct loop *loop, const struct redis_config *cfg,
    size_t first, redis_sentinel_fn *fn, void *arg) MUST_CHECK;
/* Also after the call of fn, to free it; NULL is allowed. */
void redis_sentinel_cancel(struct redis_sentinel *q);

#endif
