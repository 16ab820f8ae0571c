/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certs - the directory of PASSporT certificates (FD-5.2.2-20 to -22, B-5.4.1 to B-5.4.6).
 *
 * Two sources: what the VZD gives as the certificates of its PASSporT service, and what operators
 * register for PASSporT services of their own.  Each certificate is judged before it is served and
 * watched from then on (chain to passport.anchors, P-256 key, keyUsage, dates, revocation); what is
 * refused is kept for the operator to see, but never served.  All is kept in the store, shared by
 * the instances of the service and served while the VZD is away.
 *
 * Runs on the service's loop and lives as long as the process; a reload brings it new settings.
 */
#ifndef SCHLEUSE_REGSVC_CERTS_H
#define SCHLEUSE_REGSVC_CERTS_H

#include "lib/store/store.h"
#include "lib/trust/trust.h"
#include "regsvc/certs_conf.h"
#include "regsvc/certs_set.h"
#include "regsvc/vzd.h"

struct certs;

/* What a configuration brings; all of it must outlive the next certs_adopt(). */
struct certs_config {
	const struct passport_conf *conf;
	struct trust *trust; /* NULL: no anchors are configured, nothing is served */
	struct store *store;
};

/* Nothing is served before certs_adopt().  vzd must outlive it.  NULL: out of memory. */
struct certs *certs_new(struct loop *loop, struct vzd *vzd) MUST_CHECK;
void certs_free(struct certs *c); /* calls and watches must have ended; NULL is allowed */

/* Puts settings in force, at the start and on each reload: all certificates are judged again.  What
 * operators asked for and is not done yet ends with ERR_CANCELLED. */
void certs_adopt(struct certs *c, const struct certs_config *cfg);

/* --- what there is --- */

/* Never NULL; valid until the loop turns, longer with snapshot_hold(&set->snap). */
const struct certs_set *certs_current(const struct certs *c);

struct certs_state {
	int64_t asked;   /* wall-clock second at which the VZD was asked last by us, 0: never */
	int64_t fetched; /* at which it gave its certificates last */
	enum err error;  /* of the last question; OK also if there was none */
	bool asks;       /* we are the instance that asks */
	bool loaded;     /* what the store holds has been read */
};
struct certs_state certs_state(const struct certs *c);

/* fn is called later, after each change of the set's ETag; several changes may be one call. */
struct certs_watch *certs_watch(struct certs *c, void (*fn)(void *arg), void *arg) MUST_CHECK;
void certs_unwatch(struct certs_watch *w); /* NULL is allowed */

/* For the admin listener: gauges. */
void certs_measure(const struct certs *c);

/* --- what operators change (B-5.4.6) --- */

/* err == OK: done and kept; the fingerprint is valid during the call.  Else nothing was changed. */
typedef void certs_done_fn(void *arg, enum err err, const char *fingerprint);
struct certs_call;

/* Judges the first certificate of the PEM text, the others being its issuers, and serves it from
 * then on; one that is registered already gets the new x5u and label.  x5u: the https URL that
 * tokens name it by, or NULL; label: who it belongs to, a line of printable ASCII.  fn is called
 * later exactly once unless cancelled: ERR_CERTS_OFF: no anchors are configured; ERR_X5C_SYNTAX:
 * not PEM; ERR_X5C_CURVE: not a P-256 key; ERR_CERTS_X5U; ERR_CERTS_LABEL; ERR_CERTS_FULL; those of
 * trust_judge() and of store_apply().  NULL: out of memory, nobody is called. */
struct certs_call *certs_register(struct certs *c, struct str pem, const char *x5u,
    const char *label, certs_done_fn *fn, void *arg) MUST_CHECK;
/* ERR_NOT_FOUND: not registered here; those of store_apply(). */
struct certs_call *certs_remove(
    struct certs *c, struct str fingerprint, certs_done_fn *fn, void *arg) MUST_CHECK;
void certs_cancel(struct certs_call *call); /* what was begun may still be done; NULL is allowed */

#endif
