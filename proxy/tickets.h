/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tickets - where the keys of session tickets come from, and when the next one is due.
 *
 * Without further settings a key of our own is made twice in a ticket's lifetime.  With
 * tls.ticket_file the keys are those of the file, which is looked at again and again, and whoever
 * writes it rotates.  With tls.ticket_redis they are shared by ticketshare.  A source that fails
 * leaves the last keys in force; there always are some.  For the control thread.
 */
#ifndef SCHLEUSE_PROXY_TICKETS_H
#define SCHLEUSE_PROXY_TICKETS_H

#include "lib/net/ticketkeys.h"
#include "lib/store/redis.h"
#include "proxy/config.h"

#define TICKETS_LOOK_MS 1000 /* between two looks at the file */

struct tickets;

/* `first`: those of a predecessor, or NULL.  NULL: out of memory.  `changed` is called later, for
 * each new set, which is valid until the next one. */
struct tickets *tickets_open(struct loop *loop, struct proxy_conf *conf, struct redis *redis,
    struct tls_tickets *first, void (*changed)(void *arg, struct tls_tickets *now),
    void *arg) MUST_CHECK;
void tickets_close(struct tickets *t); /* NULL is allowed */

/* After a reload: the source may be another one.  `redis` is used until the next reload or the end;
 * NULL if none is configured. */
void tickets_adopt(struct tickets *t, struct proxy_conf *conf, struct redis *redis);

struct tls_tickets *tickets_now(const struct tickets *t);

#endif
