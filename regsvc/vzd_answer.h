/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vzd_answer - the steps of talking to the VZD, and what an HTTP answer to one of them means.
 */
#ifndef SCHLEUSE_REGSVC_VZD_ANSWER_H
#define SCHLEUSE_REGSVC_VZD_ANSWER_H

#include "lib/http/fetch.h"

enum vzd_step {
	VZD_TOKEN,    /* our credentials at the authorization server */
	VZD_EXCHANGE, /* its token at the directory */
	VZD_LIST,
	VZD_CERTIFICATES,
	VZD_LOCALIZATION,
	VZD_STEPS
};

enum vzd_outcome {
	VZD_GOOD,     /* what was asked for */
	VZD_REFUSED,  /* the VZD understood and said no: 4xx */
	VZD_FAILED,   /* no whole answer within the limit, or 5xx: counts against its health */
	VZD_UNUSABLE, /* an answer of another form, or a larger one than allowed */
	VZD_OUTCOMES
};

struct vzd_verdict {
	enum err err; /* OK with VZD_GOOD */
	enum vzd_outcome outcome;
	enum vzd_step step;
	int status; /* 0: no answer */
};

/* 200 and 204 are good.  ERR_VZD_LOGIN: 401 (and 400 of the authorization server);
 * ERR_VZD_FORBIDDEN: 403; ERR_NOT_FOUND: 404; ERR_HTTP_ANSWER: another status; ERR_VZD_ANSWER: a
 * web page instead of an answer; or why there is none. */
struct vzd_verdict vzd_judge(enum vzd_step step, const struct fetch_result *r) MUST_CHECK;
/* An answer whose content is of no use after all. */
struct vzd_verdict vzd_unusable(enum vzd_step step, int status) MUST_CHECK;

/* Counts it; what is not good becomes a line in the log saying what to do. */
void vzd_note(const struct vzd_verdict *v);
void vzd_count(const struct vzd_verdict *v); /* silently: it is tried another way */

#endif
