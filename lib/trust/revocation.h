/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revocation - what OCSP says about certificates, remembered for an hour at most (B-5.8.8).
 *
 * Good, revoked, unknown to the responder, and no usable answer are kept apart.  A good answer
 * counts for max_age, less if its nextUpdate is earlier, never longer.  Revoked stays revoked until
 * an answer with a later thisUpdate says good: one from before, told again, is none.  One question
 * about a certificate at a time; a responder that fails is left alone for a growing while.  All of
 * it is kept in the state directory, so that a restart forgets neither a revocation nor since when
 * there is no good answer.  For one loop.
 */
#ifndef SCHLEUSE_TRUST_REVOCATION_H
#define SCHLEUSE_TRUST_REVOCATION_H

#include <openssl/x509.h>

#include "lib/trust/ask.h"

#define REVOCATION_MAX_BYTES (64 << 10) /* of an answer */

struct revocation;

struct revocation_config {
	const char *ocsp_url; /* for signers; NULL: the one in the certificate */
	const char
	    *ca_ocsp_url;      /* for authorities; NULL: the one in the certificate, or ocsp_url */
	const char *state_dir; /* NULL: keep nothing */
	const struct revocation *from; /* what it knows is taken over at once; or NULL */
	clock_ms max_age;
	size_t max;                 /* certificates remembered */
	void (*changed)(void *arg); /* later: a question is over, whatever came of it */
	void *arg;
};

/* `ask` must outlive it.  Loads what is kept.  NULL: out of memory. */
struct revocation *revocation_new(
    const struct trust_ask *ask, const struct revocation_config *cfg) MUST_CHECK;
void revocation_free(struct revocation *r);

/* Writes what is not yet written, then nothing more until it is resumed. */
void revocation_pause(struct revocation *r);
void revocation_resume(struct revocation *r);

enum revocation_state {
	REVOCATION_NONE, /* never asked */
	REVOCATION_GOOD,
	REVOCATION_REVOKED,
	REVOCATION_UNKNOWN,
	REVOCATION_UNREACHABLE, /* no answer, or none that can be used */
};

struct revocation_word {
	enum revocation_state state; /* by the last answer, or failure to get one */
	bool coming;                 /* a question is under way */
	int64_t good_at;             /* wall-clock milliseconds of the last good answer, 0: none */
	int64_t until; /* to when that counts; past: it no longer does.  Revoked: its thisUpdate */
};

/* What is known about a certificate; asks if that is not current and `ask` is set. */
struct revocation_word revocation_of(struct revocation *r, X509 *cert, X509 *issuer, bool ask);

#endif
