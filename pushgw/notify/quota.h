/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota - how many devices one address may notify in a minute (notify.rate), so that one homeserver
 * that runs wild does not fill the queue of all.
 *
 * By the address of the connection; of IPv6 the first 64 bits.  Keeps nothing but `r`.
 */
#ifndef SCHLEUSE_PUSHGW_QUOTA_H
#define SCHLEUSE_PUSHGW_QUOTA_H

#include "lib/base/rates.h"
#include "pushgw/config.h"

#define QUOTA_PLACES 4096 /* addresses that `r` should remember */

/* 0: n devices more may be notified, and are counted; else after how long one may be. */
clock_ms quota_take(struct rates *r, const struct notify_conf *conf, const char *peer, size_t n,
    clock_ms now) MUST_CHECK;

#endif
