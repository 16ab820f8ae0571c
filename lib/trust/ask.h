/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask - one request to the services trust rests on: roots, issuers, OCSP.
 *
 * Every one carries TI-User-Agent if there is a client id (A_27783-1) and may go over plain http:
 * what comes back is signed, and judged by its signatures.  Embedded in what asks; for one loop.
 */
#ifndef SCHLEUSE_TRUST_ASK_H
#define SCHLEUSE_TRUST_ASK_H

#include "lib/http/fetch.h"
#include "lib/trust/agent.h"

/* What is worth counting. */
enum trust_event {
	TRUST_OCSP_ASKED,
	TRUST_OCSP_FAILED, /* no answer, or none that could be used */
	TRUST_OCSP_CACHED, /* an answer at hand served once more */
	TRUST_REVOKED,     /* answers that said so */
	TRUST_DOWNLOADED,  /* roots.json or an issuer, asked for */
	TRUST_DOWNLOAD_FAILED,
	TRUST_EVENTS
};

struct trust_ask {
	struct loop *loop;
	struct fetcher *fetcher; /* not owned */
	const char *name;        /* for the log; not owned */
	char field[AGENT_FIELD_MAX];
	clock_ms timeout;
	clock_ms retry_min, retry_max;                    /* how long what failed is left alone */
	void (*count)(void *arg, enum trust_event event); /* may be NULL */
	void *arg;
};

/* GET, or POST of an OCSP request if post.p != NULL.  Like fetch_start(). */
struct fetch *ask_start(const struct trust_ask *a, const char *url, struct str post,
    size_t max_bytes, void (*fn)(void *arg, const struct fetch_result *r), void *arg) MUST_CHECK;

/* What an answer means: OK is a 200 with a body. */
enum err ask_judge(const struct fetch_result *r) MUST_CHECK;

void ask_count(const struct trust_ask *a, enum trust_event event);

#endif
