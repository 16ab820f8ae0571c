/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway - the parts of the push gateway put together: what homeservers say goes into the queue,
 * what is due goes to the push providers.
 */
#ifndef SCHLEUSE_PUSHGW_GATEWAY_H
#define SCHLEUSE_PUSHGW_GATEWAY_H

#include "pushgw/config.h"

/* Takes over the configuration and runs until the end.  The exit status. */
int gateway_run(struct pushgw_conf *conf) MUST_CHECK;

#endif
