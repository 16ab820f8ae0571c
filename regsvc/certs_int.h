/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certs_int - what the files of certs share.
 *
 *	certs.c           the set in force and who is told of it
 *	certs_judge.c     each certificate, judged and watched
 *	certs_merge.c     what the store holds and what the VZD gives becomes certificates
 *	certs_vzd.c       who asks the VZD, and when; what it gave is written to the store
 *	certs_register.c  what operators change
 */
#ifndef SCHLEUSE_REGSVC_CERTS_INT_H
#define SCHLEUSE_REGSVC_CERTS_INT_H

#include "regsvc/certs.h"
#include "regsvc/certs_keep.h"

struct cert {
	struct list node;
	struct certs *all;
	struct certs_cert c;
	char *x5u, *label; /* or NULL */
	bool registered;
	bool vzd;
	bool erase;    /* the store still has it as the VZD's, which it no longer is */
	bool found[2]; /* while merging: [registered] */
	int64_t gone;  /* since when the VZD does not give it, 0: it does */
	enum err why;  /* as in struct certs_entry */
	int64_t checked;
	struct trust_watch *watch;
};

struct certs {
	struct loop *loop;
	struct vzd *vzd;
	struct store *store;
	struct certs_config cfg;
	struct certs_keep *keep;
	struct certs_set *set; /* never NULL */
	struct list certs;     /* of struct cert */
	struct list watches, calls;
	struct task publish, tell;
	bool loaded;
	/* the VZD */
	struct store_claim *claim;
	struct timer ask, sweep;
	struct vzd_call *question;
	int64_t asked, fetched;
	unsigned failures; /* in a row */
	enum err error;
	/* what the store does not know yet */
	bool dirty;
	struct store_call *writing;
	struct timer write;
};

/* certs.c */
void certs_changed(struct certs *c); /* publishes at the end of this turn */
void certs_publish(struct certs *c); /* at once */

/* certs_judge.c */
void cert_begin(struct cert *x); /* judged by what is known, then watched */
void cert_end(struct cert *x);   /* no longer watched */

/* certs_merge.c */
struct cert *certs_find(struct certs *c, struct str fingerprint); /* NULL: none */
/* Takes over *from; NULL: out of memory. */
struct cert *certs_add(struct certs *c, struct certs_cert *from) MUST_CHECK;
void certs_drop(struct cert *x);
/* It is registered with these; *from, which may have more issuers along, is taken over. */
bool certs_enter(struct certs *c, struct certs_cert *from, const char *x5u,
    const char *label) MUST_CHECK; /* false: out of memory */
void certs_leave(struct cert *x);  /* it is no longer registered */
void certs_reap(struct certs *c);  /* drops what has no source any more */
void certs_merge(void *arg, struct certs_record *records, size_t n);
/* The VZD gives these PEM texts. */
void certs_given(struct certs *c, const struct str *pems, size_t n);
/* Ends the overlap of what is due; the milliseconds to the next one, 0: none. */
clock_ms certs_sweep(struct certs *c);

/* certs_vzd.c */
void certs_vzd_open(struct certs *c);
void certs_vzd_close(struct certs *c);
void certs_vzd_leave(struct certs *c); /* there will be another store */
void certs_vzd_adopt(struct certs *c); /* there are new settings */
void certs_vzd_keep(struct certs *c);  /* something to be written has changed */

/* certs_register.c */
void certs_calls_end(struct certs *c); /* there is another judge or store: what is under way ends */

#endif
