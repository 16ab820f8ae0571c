/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather - the facts one request needs before it can be judged: keys, account, known invites.
 *
 * Embedded in the passage, on its worker's thread.  Each question is answered at once from the
 * worker's caches, or later by a call to fn; one is open at a time.  What was found is in the
 * struct judged and stays valid until gather_fini().
 */
#ifndef SCHLEUSE_PROXY_GATHER_H
#define SCHLEUSE_PROXY_GATHER_H

#include "lib/fact/fact.h"
#include "proxy/lookups.h"
#include "proxy/miss.h"
#include "proxy/rules/rules.h"

struct worker;

enum gathered {
	GATHER_HERE,  /* go on */
	GATHER_LATER, /* fn follows */
	GATHER_FAILED /* out of memory */
};

struct gather {
	struct worker *w;
	struct judged *j;
	clock_ms timeout;                    /* how long one look-up may take */
	void (*fn)(void *arg, enum err err); /* OK, or ERR_LOOKUP: not answered in time */
	void *arg;
	struct timer timer;
	struct fact_wait wait;
	struct invite_question *question;
	const struct fact *keys; /* one reference each, or NULL */
	const struct fact *account;
	struct rule_account rule_account;
	const struct fact **slot; /* where the answer goes */
	bool *known;
	bool keys_renewed;
	bool missed[MISS_KINDS]; /* asked about */
};

/* `g` is zeroed. */
void gather_init(struct gather *g, struct worker *w, struct judged *j, clock_ms timeout,
    void (*fn)(void *arg, enum err err), void *arg);
void gather_fini(struct gather *g); /* any time; cancels what is under way */

/* The signing keys of the origin; asked again once if they do not know the key that was used. */
enum gathered gather_keys(struct gather *g) MUST_CHECK;
enum err gather_keys_err(const struct gather *g); /* why those that are here will not do, or OK */

/* Who is behind the access token. */
enum gathered gather_account(struct gather *g) MUST_CHECK;
enum err gather_account_err(const struct gather *g); /* why that is not known, or OK */

/* A fact of any other kind, into *slot, which holds a reference to it then.  Nothing is asked if
 * there is one in it already. */
enum gathered gather_fact(struct gather *g, struct fact_cache *cache, struct str key,
    const struct fact **slot) MUST_CHECK;

/* Puts the list that the worker holds now into the struct judged. */
void gather_list(struct gather *g);
/* judge_membership() by it. */
enum err gather_membership(struct gather *g) MUST_CHECK;
/* Asks the registration service once whether this name is a member now. */
enum gathered gather_domain(struct gather *g, struct str name) MUST_CHECK;
/* The same once more; a member that is missing may be on a newer list, so before it is refused the
 * registration service, if there is one, is asked once (AF_10064, A_25537).  *err is for
 * GATHER_HERE. */
enum gathered gather_member(struct gather *g, enum err *err) MUST_CHECK;

/* Judges invites by the PASSporTs that count now; a certificate that is missing is asked about in
 * the same way (FD-5.2.1.2-16). */
enum gathered gather_passports(struct gather *g, enum err *err) MUST_CHECK;

/* Which of the invites in a transaction were accepted before. */
enum gathered gather_invites(struct gather *g) MUST_CHECK;

#endif
