/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ratelimit - limits.rates: how often an address, an access token or a server may ask.
 *
 * What is counted: a client's address for login, registration and passwords and for federation
 * requests that are not yet verified; its access token for every client request that has one; the
 * origin for federation requests whose signature was right.  All workers share the buckets: a
 * client's connections are spread over them.  A limit that is off costs a comparison.
 */
#ifndef SCHLEUSE_PROXY_RATELIMIT_H
#define SCHLEUSE_PROXY_RATELIMIT_H

#include "lib/base/rates.h"
#include "proxy/rules/rules.h"

/* Each returns 0, or after how many milliseconds the request could be let through. */

/* By the head alone, the route is known.  `peer`: text of the client's address. */
clock_ms ratelimit_head(struct rates *r, const struct proxy_conf *conf, const struct judged *j,
    const char *peer, clock_ms now) MUST_CHECK;

/* The origin's signature was verified. */
clock_ms ratelimit_origin(struct rates *r, const struct proxy_conf *conf, const struct judged *j,
    clock_ms now) MUST_CHECK;

#endif
