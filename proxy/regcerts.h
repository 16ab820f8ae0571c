/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regcerts - whose PASSporTs count: the certificates that the registration service gives, besides
 * those of files (FD-5.2.1.2-16, FD-5.2.2-20/-22, B-5.4.1).
 *
 * Control thread.  The service is a directory, no trust anchor: each certificate is verified here,
 * on a thread of its own, and one that does not chain to passport.anchors is left out; with
 * passport.trust its revocation is watched.  What was
 * adopted is kept in the state directory and verified again at the next start or reload.  A set
 * that was not confirmed for the time to live counts no more.
 */
#ifndef SCHLEUSE_PROXY_REGCERTS_H
#define SCHLEUSE_PROXY_REGCERTS_H

#include "proxy/passport.h"
#include "proxy/regclient.h"

#define REGCERTS_RETRY_MS 300000 /* after a failed question */

struct regcerts;

struct regcerts_config {
	struct regclient *client; /* not owned */
	const char *name;         /* of the federation; this and the next four outlive it */
	const char *state_dir;    /* NULL: keep nothing */
	X509_STORE *anchors;
	struct trust *trust;                /* who judges revocation; NULL: nobody.  Not owned */
	const struct passport_trust *files; /* what configured files give, or NULL */
	clock_ms interval, ttl;
	size_t max; /* certificates */
	/* What counts now has changed; it is held by regcerts. */
	void (*on_change)(void *arg, struct passport_trust *trust);
	/* OK: what the service knows under this x5u is here now. */
	void (*on_asked)(void *arg, struct str x5u, enum err err);
	void *arg;
};

/* Reads what is kept, at once; asks from the loop.  NULL: out of memory. */
struct regcerts *regcerts_new(struct loop *loop, const struct regcerts_config *cfg) MUST_CHECK;
void regcerts_free(struct regcerts *c);
void regcerts_pause(struct regcerts *c);
void regcerts_resume(struct regcerts *c);

struct passport_trust *regcerts_trust(const struct regcerts *c); /* held by c; NULL: none yet */
size_t regcerts_count(const struct regcerts *c);                 /* from the service */

/* The service announces this ETag. */
void regcerts_announced(struct regcerts *c, const char *etag);
/* Asks about a URL; on_asked follows, later.  false: not now, or no URL to ask about. */
bool regcerts_ask(struct regcerts *c, struct str x5u) MUST_CHECK;

#endif
