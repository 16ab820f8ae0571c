/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keep - the store of the service: Redis where one is configured, else a folder in state_dir.
 *
 * What changes in its state is logged and counted (schleuse_store_up).
 */
#ifndef SCHLEUSE_REGSVC_KEEP_H
#define SCHLEUSE_REGSVC_KEEP_H

#include "lib/net/resolver.h"
#include "lib/store/store.h"
#include "regsvc/config.h"

/* `old`: the store in force of old_conf, or NULL.  A folder can be open once: it is held on to.  A
 * store in Redis needs the resolver for as long.  NULL: logged.  Freed with store_free(). */
struct store *keep_open(struct loop *loop, struct resolver *resolver,
    const struct regsvc_conf *conf, struct store *old,
    const struct regsvc_conf *old_conf) MUST_CHECK;

#endif
