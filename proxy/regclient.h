/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regclient - authenticated questions to the registration service (I_internVerification;
 * FD-5.2.2-17/-22, CP-1.2.2): HTTP Basic, OAuth2 bearer token, or client certificate.
 *
 * Control thread.  HTTPS only.  A token that was refused is renewed once and the question asked
 * again.  What an answer means is for the caller.
 */
#ifndef SCHLEUSE_PROXY_REGCLIENT_H
#define SCHLEUSE_PROXY_REGCLIENT_H

#include "proxy/config.h"

#define REGURL_MAX 10240 /* a whole URL of it */

struct regclient;
struct regcall;

/* `conf` must outlive it; its url is set.  NULL: out of memory, or the CA file cannot be read
 * (logged). */
struct regclient *regclient_new(
    struct loop *loop, struct fetcher *fetcher, const struct regsvc_conf *conf) MUST_CHECK;
void regclient_free(struct regclient *c); /* after its calls have ended or were cancelled */

const struct regsvc_conf *regclient_conf(const struct regclient *c);

struct regcall_request {           /* copied */
	const char *path;          /* behind /v1/{subscription}/, with its query */
	const char *if_none_match; /* ETag, or NULL */
	size_t max_bytes;
	clock_ms timeout; /* of the answer; 0: that of the configuration */
};

/* fn is called later exactly once unless cancelled, as that of fetch_start(); where no token could
 * be had, the result is that of the question for it.  NULL: out of memory, nobody is called. */
struct regcall *regclient_get(struct regclient *c, const struct regcall_request *req,
    void (*fn)(void *arg, const struct fetch_result *r), void *arg) MUST_CHECK;
void regcall_cancel(struct regcall *call); /* NULL is allowed */

/* What is wrong and what an operator should do, for the log. */
const char *regclient_advice(enum err err, int status);

/* Seconds of an Age field; -1: there is none, or none that makes sense. */
int64_t regclient_age(const struct fetch_result *r);

#endif
