/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accesslog - every access to the service, refused ones included, kept for at least three months
 * (B-5.4.2, T-5, CP-1.2.3-B3, CP-2.2-2a, A_26182-01).
 *
 * One JSON object per line in state_dir/access/YYYY-MM-DD.log: time, client and subscription (or
 * none), operation, status, reason, the product of TI-User-Agent.  Names of components only: never
 * an address, a user, a target or anything else of the request.  Lines are collected and written
 * once a second and at the end; files past their retention are removed.  A file that cannot be
 * written stops nobody: it is logged and counted, and the lines are lost.
 *
 * Runs on the service's loop.  Lives as long as the process.
 */
#ifndef SCHLEUSE_REGSVC_ACCESSLOG_H
#define SCHLEUSE_REGSVC_ACCESSLOG_H

#include "lib/http/exchange.h"
#include "lib/net/loop.h"
#include "regsvc/gate_conf.h"
#include "regsvc/principal.h"

struct accesslog;

/* The folder is made if need be.  NULL: logged. */
struct accesslog *accesslog_new(
    struct loop *loop, const char *state_dir, const struct access_log_conf *conf) MUST_CHECK;
void accesslog_adopt(struct accesslog *l, const struct access_log_conf *conf); /* copied */
void accesslog_free(struct accesslog *l); /* writes what is collected; NULL is allowed */

/* One access.  operation: a name of ours, never of the request; who: NULL if nobody proved to be
 * anybody; why: OK or the reason it was refused for.  Call it before the exchange ends. */
void access_note(struct accesslog *l, const struct exchange *ex, const char *operation,
    const struct principal *who, int status, enum err why);

#endif
