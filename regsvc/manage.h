/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manage - what schleusectl asks: clients and PASSporT certificates added, changed and listed, the
 * state of the service.
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
#include "regsvc/certs.h"
#include "regsvc/lists.h"

#define MANAGE_SOCKET "control.sock"

struct manage;

/* NULL: logged. */
struct manage *manage_new(
    struct loop *loop, struct auth *auth, struct certs *certs, const char *state_dir) MUST_CHECK;
/* What the state is told from besides; valid until the next call.  Before the first request. */
struct manage_sources {
	const struct lists *lists;
	const struct store *store;
	bool redis; /* the store is shared */
};
void manage_adopt(struct manage *m, const struct manage_sources *of);
void manage_free(struct manage *m); /* before auth and certs; NULL is allowed */

#endif
