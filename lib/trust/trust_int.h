/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust_int - what the files of trust share.
 */
#ifndef SCHLEUSE_TRUST_TRUST_INT_H
#define SCHLEUSE_TRUST_TRUST_INT_H

#include "lib/trust/issuers.h"
#include "lib/trust/revocation.h"
#include "lib/trust/rootstore.h"
#include "lib/trust/trust.h"

struct trust {
	struct loop *loop;
	struct trust_config cfg;
	char *name, *client_id, *state_dir, *base_url, *ocsp_url,
	    *ca_ocsp_url; /* what cfg points to */
	struct trust_ask ask;
	struct rootstore *roots;
	struct issuers *issuers;
	struct revocation *revocation;
	struct list asking, waiting; /* questions; those that wait for their turn */
	size_t n_asking;
	struct list watches;
	struct task task; /* goes on with questions */
};

/* One judgement of some certificates. */
struct judgement {
	STACK_OF(X509) *certs;
	char *role, *common_name; /* or NULL */
	bool in_use;              /* there is a grace */
	bool asks;                /* what is lacking is got */
	bool looked;              /* at the roots again */
	bool coming;              /* what is lacking is on its way; the result is none yet */
	int64_t until;            /* wall-clock second */
	X509_STORE *store;        /* filled meanwhile */
};

bool judgement_init(
    struct judgement *j, STACK_OF(X509) *certs, const struct trust_demands *d) MUST_CHECK;
void judgement_fini(struct judgement *j);
enum err judgement_run(struct trust *t, struct judgement *j) MUST_CHECK;
/* Takes the store.  NULL: out of memory. */
struct trust_verdict *judgement_verdict(struct judgement *j) MUST_CHECK;

#endif
