/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delayq_redis - the queue in Redis, which any number of gateways share.
 *
 * Each gateway puts what it was told, and takes what is due and it has room for, whoever put it.
 * What one has taken and neither finished nor put off for queue.visibility (it renews what it has
 * in hand four times in that time) is handed out by another: at least once.  Seen pushes and
 * rejected pushkeys are known to all.  Names, each beginning with <redis.key_prefix>pushgw: :
 *
 *   chain:<key>   list    the pushes of one pushkey of one app: when due, a blank, push_record
 *   due:<lane>    sorted  the chains of an app entry, by when their first push is due; of one that
 *                         is in hand: by when another gateway may take it
 *   claims        hash    of chains whose first push was handed out: "<claim> <put off> <lane>"
 *   seen:<push>   text    a push that was put; expires
 *   rejected      sorted  chains of rejected pushkeys, by when that was
 *   lanes         sorted  app entries, by when a gateway last said that it serves them
 *   total         hash    count, bytes, clock and by how much it is ahead
 *
 * <key> and <push> are hashes of app_id and pushkey, and event_id.  A push is put, taken, finished
 * or put off in one script (delayq_redis_scripts.c), by the clock of the machine of Redis: when
 * that is set back, what waits is not held longer (up to a second), when it is set forward, delays
 * under way are shortened.  Only the first push of a chain is handed out, so order is kept; who
 * finishes or puts off what another gateway has taken meanwhile changes nothing.
 *
 * A push of an app entry that no gateway has served for a minute is assigned anew by its app_id, or
 * handed out with DELAYQ_NO_LANE.
 *
 * What was put is as safe as Redis keeps it: with appendfsync always it survives the death of its
 * machine too, with everysec but for the last second or two.  Redis away: puts wait for it, for
 * redis.timeout; nothing is handed out; what is finished is told when it is back.  After an answer
 * that never came, a claim is given back by its token.
 *
 * Of the events of one device which have no event_id none is a duplicate of another.
 */
#ifndef SCHLEUSE_PUSHGW_DELAYQ_REDIS_H
#define SCHLEUSE_PUSHGW_DELAYQ_REDIS_H

#include "pushgw/queue/delayq.h"

struct queue_conf;
struct redis_conf;
struct resolver;

/* Connects by itself, now and again.  Of `queue` only the visibility is used.  NULL: out of memory,
 * or a CA file cannot be read, which is logged. */
struct delayq *delayq_redis_open(struct loop *loop, struct resolver *resolver,
    const struct redis_conf *redis, const struct queue_conf *queue,
    const struct delayq_config *cfg) MUST_CHECK;

/* By the settings of a new configuration: a new connection takes the place of the old one, on which
 * puts under way end.  What was put in another Redis stays there.  false: as above, everything
 * stays. */
bool delayq_redis_reopen(
    struct delayq *q, struct resolver *resolver, const struct redis_conf *redis) MUST_CHECK;

/* The visibility of a new configuration. */
void delayq_redis_set_visibility(struct delayq *q, const struct queue_conf *queue);

#endif
