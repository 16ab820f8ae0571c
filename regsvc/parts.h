/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parts - everything of the service that follows the configuration, opened together.
 *
 * On reload a second set is opened beside the first one and takes over what it can go on with; only
 * when all of it is there does it replace the old set, which is closed.  Each part knows only those
 * opened before it.
 */
#ifndef SCHLEUSE_REGSVC_PARTS_H
#define SCHLEUSE_REGSVC_PARTS_H

#include "lib/http/fetch.h"
#include "lib/net/resolver.h"
#include "lib/store/store.h"
#include "regsvc/auth.h"
#include "regsvc/certs.h"
#include "regsvc/config.h"
#include "regsvc/lists.h"
#include "regsvc/manage.h"

struct parts {
	struct regsvc_conf *conf; /* not owned: the service holds it for as long */
	struct resolver *resolver;
	struct fetcher *fetcher;
	struct store *store;
	struct trust *passport_trust; /* NULL: no anchors of PASSporT certificates */
	/* these last as long as the process and get new settings by parts_adopt() */
	struct vzd *vzd;
	struct lists *lists;
	struct accesslog *access;
	struct auth *auth;
	struct manage *manage;
	struct certs *certs;
};

/* old: the set in force, an empty one at the start.  false: logged; nothing is left open. */
bool parts_open(
    struct parts *p, struct parts *old, struct loop *loop, struct regsvc_conf *conf) MUST_CHECK;
/* Puts the set in force: what lasts moves over from the old one, which may then be closed. */
void parts_adopt(struct parts *p, struct parts *old);
void parts_close(struct parts *p); /* an empty set is allowed */

/* For the admin listener: lines of what is missing; gauges. */
void parts_missing(const struct parts *p, struct buf *out);
void parts_refresh(const struct parts *p);

#endif
