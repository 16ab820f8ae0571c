/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manage - what schleusectl asks: clients added, changed and listed, the state of the service.
 *
 * HTTP on the unix socket state_dir/control.sock (0600), answered to root and to the service's own
 * user only, whatever the file's permissions.  Bodies are JSON.  A secret is in the answer that
 * made it and nowhere else (FDS-2.6.5.1-6).
 *
 * Runs on the service's loop.  Lives as long as the process.
 */
#ifndef SCHLEUSE_REGSVC_MANAGE_H
#define SCHLEUSE_REGSVC_MANAGE_H

#include "regsvc/auth.h"

#define MANAGE_SOCKET "control.sock"

struct manage;

/* NULL: logged. */
struct manage *manage_new(struct loop *loop, struct auth *auth, const char *state_dir) MUST_CHECK;
void manage_free(struct manage *m); /* before auth; NULL is allowed */

#endif
