/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crowd - how many requests are under way to each of the hosts that devices name.
 *
 * Anybody may name a host that never answers; so that requests to it do not take the place of all
 * others, each host gets a share.  Holds a host as long as something is under way to it.  One
 * thread.
 */
#ifndef SCHLEUSE_PUSHGW_CROWD_H
#define SCHLEUSE_PUSHGW_CROWD_H

#include "lib/base/hash.h"

struct crowd {
	struct hash hosts;
};

struct crowd_host;

void crowd_init(struct crowd *c);
void crowd_fini(struct crowd *c); /* everybody has left */

uint64_t crowd_size(const struct crowd *c, const char *host);
/* NULL: out of memory. */
struct crowd_host *crowd_enter(struct crowd *c, const char *host)
    __attribute__((warn_unused_result));
void crowd_leave(struct crowd *c, struct crowd_host *h); /* NULL is allowed */

#endif
