/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lists - the federation list of the VZD: when it is asked, and what is held (FD-5.2.2-10 to -15,
 * T-4, CP-3-6; UC_Update_Federationlist of 1.1.1).
 *
 * Asked at the start, every list.interval, after a failure again every list.retry_interval, at most
 * list.retries times, after which an incident is reported; and whenever a proxy asks us, one check
 * at a time for all who wait.  A list comes into force only through fedintake: whatever is wrong
 * with a new one, the one held stays.  It is kept in the state directory and, through the store,
 * shared with other instances, of which one asks on schedule; each verifies for itself what it
 * reads there.  A list that the VZD has not confirmed for list.ttl is outdated ("veraltet").
 *
 * Runs on the service's loop and lives as long as the process; a reload brings it new settings.
 */
#ifndef SCHLEUSE_REGSVC_LISTS_H
#define SCHLEUSE_REGSVC_LISTS_H

#include "lib/daemon/lookup_section.h"
#include "lib/federation/fedlist.h"
#include "lib/store/store.h"
#include "regsvc/listtext.h"
#include "regsvc/vzd.h"

struct lists;

/* What a configuration brings; all of it must outlive the next lists_adopt(). */
struct lists_config {
	const struct list_conf *conf;
	const struct lookup_conf *lookups;
	const char *state_dir;
	struct fetcher *fetcher; /* for what the signer's trust rests on */
	struct store *store;     /* shared with other instances; NULL: there are none */
};

/* vzd must outlive it.  NULL: out of memory. */
struct lists *lists_new(struct loop *loop, struct vzd *vzd) MUST_CHECK;
void lists_free(struct lists *l); /* calls and watches must have ended; NULL is allowed */

/* Puts settings in force: at the start, when it also takes what the state directory holds, and on
 * each reload. */
void lists_adopt(struct lists *l, const struct lists_config *cfg);

/* --- what there is --- */

enum lists_status { LISTS_MISSING, LISTS_CURRENT, LISTS_OUTDATED };
extern const char *const lists_status_names[]; /* "fehlt", "aktuell", "veraltet" */

struct lists_view { /* valid until the loop turns */
	enum lists_status status;
	struct lists_text *text;    /* NULL: LISTS_MISSING */
	const struct fedlist *list; /* likewise */
	int64_t version;            /* -1: none */
	size_t entries;
	int64_t as_of; /* wall-clock second at which the VZD confirmed it, 0: unknown */
	int64_t age;   /* seconds since; INT64_MAX: unknown */
	bool healthy;  /* HealthState_VZD */
};

struct lists_view lists_current(const struct lists *l);

/* A proxy asks (FD-5.2.2-15): fn is called later, exactly once unless cancelled, when the VZD has
 * been asked, or at the latest after list.check_timeout; then lists_current() is what to answer
 * with.  NULL: out of memory, nobody is called. */
struct lists_call;
struct lists_call *lists_check(struct lists *l, void (*fn)(void *arg), void *arg) MUST_CHECK;
void lists_cancel(struct lists_call *c); /* NULL is allowed */

/* fn is called later, after another list is in force, or its status or the VZD's health changed.
 * Several changes may be one call.  NULL: out of memory. */
struct lists_watch;
struct lists_watch *lists_watch(struct lists *l, void (*fn)(void *arg), void *arg) MUST_CHECK;
void lists_unwatch(struct lists_watch *w); /* NULL is allowed */

/* For the admin listener: what is missing, gauges. */
void lists_missing(const struct lists *l, struct buf *out);
void lists_measure(const struct lists *l);

#endif
