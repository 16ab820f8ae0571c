/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry - when a push that could not be delivered is tried again.
 */
#ifndef SCHLEUSE_PUSHGW_RETRY_H
#define SCHLEUSE_PUSHGW_RETRY_H

#include "pushgw/config.h"

/* Twice the wait before, from retry_min up to retry_max, of which up to a half is taken off at
 * random, so that what failed together is not repeated together; never before `not_before`
 * (Retry-After).  attempts: how often it was put off already. */
clock_ms retry_wait(const struct delivery_conf *conf, unsigned attempts, clock_ms not_before);

#endif
