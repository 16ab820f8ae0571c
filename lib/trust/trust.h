/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust - whose signatures we believe: chains to pinned or linked roots, and OCSP for every
 * certificate below them (B-5.4.3, A_25632, A_25635).
 *
 * A question gets what it lacks (roots.json, sub-CAs, OCSP answers), then is answered.  How much a
 * missing word of OCSP weighs is the policy's: required, or soft; revoked always refuses.  What is
 * in use is watched: judged again whenever its last answer has grown old, and given a grace if
 * there is none.  All is kept in state_dir as trust-<name>-*, so a restart needs no network.
 *
 * Belongs to one loop.  Errors: those of x5c_judge(), ERR_ISSUER, ERR_OCSP_REVOKED,
 * ERR_OCSP_UNKNOWN, ERR_REVOCATION, ERR_MEMORY.
 */
#ifndef SCHLEUSE_TRUST_TRUST_H
#define SCHLEUSE_TRUST_TRUST_H

#include <openssl/x509.h>

#include "lib/base/snapshot.h"
#include "lib/trust/ask.h"

enum trust_revocation { TRUST_REQUIRED, TRUST_SOFT, TRUST_OFF };

struct trust_config {
	const char *name;                   /* for the log and the files' names */
	const char *client_id;              /* of TI-User-Agent, or NULL */
	const char *state_dir;              /* NULL: keep nothing */
	const struct trust *from;           /* what it knows about revocation goes on; or NULL */
	X509_STORE *anchors;                /* pinned; only read */
	struct fetcher *fetcher;            /* not owned */
	const char *base_url;               /* of roots and sub-CAs; NULL: no downloads */
	const char *ocsp_url, *ca_ocsp_url; /* NULL: those in the certificates */
	enum trust_revocation revocation;
	clock_ms ocsp_max_age, grace, roots_interval;
	clock_ms timeout;                                 /* of one request */
	clock_ms retry_min, retry_max;                    /* what failed is left alone */
	size_t max_issuers, max_certificates;             /* remembered */
	void (*count)(void *arg, enum trust_event event); /* may be NULL */
	void *arg;
};

struct trust;

/* Copies the strings; what is kept is loaded at once.  NULL: out of memory. */
struct trust *trust_new(struct loop *loop, const struct trust_config *cfg) MUST_CHECK;
void trust_free(struct trust *t); /* questions and watches end without a call; NULL is allowed */

/* Another process works with the state directory from now on: what is known about revocation is
 * written once more, and not again until it is resumed. */
void trust_pause(struct trust *t);
void trust_resume(struct trust *t);

struct trust_demands {
	const char *role;        /* as in struct x5c_demands; */
	const char *common_name; /* copied */
};

/* Immutable; to be held by snapshot_hold(&v->snap) past the call. */
struct trust_verdict {
	struct snapshot snap;
	X509_STORE *store; /* the issuers of all certificates judged, to verify them with */
	int64_t until;     /* wall-clock second to which it holds */
};

/* err == OK: v is the verdict, valid during the call; else NULL. */
typedef void trust_fn(void *arg, enum err err, struct trust_verdict *v);

/* Judges every certificate of the stack, signer first, and the demands on the signer.  fn is called
 * later exactly once unless cancelled; the handle is invalid from the call on.  Nothing of trust is
 * touched after the call.  NULL: out of memory, nobody is called. */
struct trust_question *trust_judge(struct trust *t, STACK_OF(X509) *certs,
    const struct trust_demands *d, trust_fn *fn, void *arg) MUST_CHECK;
void trust_cancel(struct trust_question *q); /* NULL is allowed */

/* The same at once from what is known, without asking anybody, with the grace of what is in use:
 * ERR_REVOCATION then means that it must be asked first. */
enum err trust_known(struct trust *t, STACK_OF(X509) *certs, const struct trust_demands *d,
    struct trust_verdict **v) MUST_CHECK; /* a reference; may be NULL */

/* Judges again and again what is in use; fn is called after each time. */
struct trust_watch *trust_watch(struct trust *t, STACK_OF(X509) *certs,
    const struct trust_demands *d, trust_fn *fn, void *arg) MUST_CHECK;
void trust_unwatch(struct trust_watch *w); /* NULL is allowed */

/* Nothing is wrong with the certificate, but no word on it was to be had: worth trying again soon.
 */
static inline bool
trust_lacks_word(enum err err)
{
	return err == ERR_REVOCATION || err == ERR_ISSUER;
}

/* All issuers and roots at hand, to verify what was judged in an earlier life.  A reference; NULL:
 * out of memory. */
X509_STORE *trust_store(struct trust *t) MUST_CHECK;

#endif
