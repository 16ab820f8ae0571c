/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outside - what asks others for us: names, keys, accounts, federation lists, Redis,
 * health of upstreams.
 *
 * Made anew with each configuration, which must outlive it.  The struct may be moved.  For the
 * control thread.
 */
#ifndef SCHLEUSE_PROXY_OUTSIDE_H
#define SCHLEUSE_PROXY_OUTSIDE_H

#include "lib/matrix/keyring.h"
#include "lib/store/redis.h"
#include "proxy/fedsource.h"
#include "proxy/health.h"
#include "proxy/homeserver.h"

/* A list has changed; NULL: there is none. */
typedef void outside_fn(void *arg, size_t federation, const struct fedlist *list, int64_t as_of);

struct outside_list { /* has the index of its federation in the configuration */
	size_t federation;
	outside_fn *fn;
	void *arg;
	struct fedstore *store;
	struct trust *trust; /* NULL: the anchors alone decide */
	struct fedsource *source;
};

struct outside {
	struct resolver *resolver;
	struct fetcher *fetcher;
	struct discovery *discovery;
	struct keyring *keyring;
	struct homeserver *homeserver;
	struct redis *redis; /* NULL: none is configured */
	struct health *health;
	struct outside_list *lists;
	size_t n_lists;
};

/* `old`: what is in force until now, or a zeroed one; lists that still count under the new
 * configuration are held on to.  false: everything is closed again and the reason logged. */
bool outside_open(struct outside *o, const struct outside *old, struct loop *loop,
    struct proxy_conf *conf, outside_fn *fn, health_fn *health, void *arg) MUST_CHECK;
void outside_close(struct outside *o);            /* a zeroed one is allowed */
void outside_tell_lists(const struct outside *o); /* calls fn for each as it is now */
/* Looks for no new lists: those held stay as they are, in memory and on disk. */
void outside_pause_lists(const struct outside *o);
void outside_resume_lists(const struct outside *o);

#endif
