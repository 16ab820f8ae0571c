/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health - asks the addresses of upstreams how they are, and tells when that changes.
 *
 * For the control thread.  Made anew with each configuration, which must outlive it; what is known
 * of an address moves on.  An address counts as up until `fall` checks in a row were bad.
 */
#ifndef SCHLEUSE_PROXY_HEALTH_H
#define SCHLEUSE_PROXY_HEALTH_H

#include "lib/base/buf.h"
#include "lib/http/fetch.h"
#include "proxy/config.h"

struct health;

/* `number`: that of the address in the configuration. */
typedef void health_fn(void *arg, size_t number, bool up);

/* NULL: out of memory. */
struct health *health_new(struct loop *loop, struct fetcher *fetcher, const struct proxy_conf *conf,
    health_fn *fn, void *arg) MUST_CHECK;
void health_free(struct health *h);

/* Takes over what `old` knows of the same addresses; nothing is told. */
void health_carry(struct health *h, const struct health *old);
void health_tell(const struct health *h); /* calls fn for each that is down */

/* Its metrics: one sample for each address that is checked. */
bool health_print(const struct health *h, struct buf *out) MUST_CHECK;

#endif
