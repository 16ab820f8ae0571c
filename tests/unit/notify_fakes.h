/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify_fakes - everything around the intake of notifications: exchange, queue, providers, the
 * clients' proof, the look-up of apps.
 *
 * They do nothing but note what they were asked, in `seen`; the test plays the answers.
 */
#ifndef SCHLEUSE_TESTS_NOTIFY_FAKES_H
#define SCHLEUSE_TESTS_NOTIFY_FAKES_H

#include "lib/http/exchange.h"
#include "pushgw/config.h"
#include "pushgw/queue/delayq.h"

#define SEEN_PUSHES 8

struct seen {
	/* exchange */
	int status; /* 0: no head was written */
	char fields[1024], body[65536];
	size_t body_n;
	size_t room; /* bytes of the answer that are taken at once */
	bool lose;   /* the connection is lost by the next write */
	unsigned ended, aborted;
	struct str upload[4]; /* what is there of the body, piece by piece */
	size_t n_upload;
	enum exchange_body upload_then;
	enum err upload_err;
	uint64_t limit;
	/* clients */
	enum err client;
	/* queue */
	size_t n_pushes;
	struct push pushes[SEEN_PUSHES];
	delayq_put_fn *put; /* NULL: nobody waits */
	void *put_arg;
	bool put_fails;
	unsigned puts;
	/* providers: what admit() says by the first letter of the pushkey (R, D, C: nothing for
	 * counts alone); what it keeps */
	const char *kept;
};

extern struct seen seen;

void fakes_reset(void);
void fakes_again(struct exchange *ex); /* another request to the same api */
void fakes_exchange(struct exchange *ex, enum h1_method method, const char *target);
void fakes_exchange_fini(struct exchange *ex);
void fakes_put_is(enum err err, const enum delayq_outcome *of, size_t n); /* the queue's answer */

/* Apps: "app.<x>" is entry 0, "strict.<x>" needs consent, "wake" takes counts, "both" two. */
extern struct pushgw_conf fakes_conf;

#endif
