/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api - what proxies and auditors may ask (I_internVerification; doc/regsvc-openapi.yaml).
 *
 * Lives as long as the process: requests that wait go on across a reload.
 */
#ifndef SCHLEUSE_REGSVC_API_H
#define SCHLEUSE_REGSVC_API_H

#include "lib/http/exchange.h"
#include "regsvc/parts.h"

struct api;

/* *parts is the set in force, whose content changes on reload.  NULL: out of memory. */
struct api *api_new(struct loop *loop, struct parts *parts) MUST_CHECK;
void api_free(struct api *a); /* after the last connection; NULL is allowed */

/* Answers one request, or refuses it for `bad`. */
void api_request(struct api *a, struct exchange *ex, enum err bad);

#endif
