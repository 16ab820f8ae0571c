/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api - what proxies and auditors may ask (I_internVerification; doc/regsvc-openapi.yaml).
 *
 * Each request is authenticated, its path's subscription and the scope are compared with the
 * client's, and then one row of a table answers it (FDS-2.6.5.1-10, CP-2.2-1).  Answers come from
 * memory; only the check whether the list is current and where-is wait for the VZD.
 *
 * Runs on the service's loop.  Lives as long as the process: requests that wait go on across a
 * reload.
 */
#ifndef SCHLEUSE_REGSVC_API_H
#define SCHLEUSE_REGSVC_API_H

#include "lib/http/exchange.h"
#include "regsvc/parts.h"

struct api;

/* *parts is the set in force, whose content changes on reload, but for what lasts as long as the
 * process: auth, access, vzd, lists, certs.  NULL: out of memory. */
struct api *api_new(struct loop *loop, const struct parts *parts) MUST_CHECK;
void api_free(struct api *a); /* after the last connection; NULL is allowed */

/* Answers one request, or refuses it for `bad`. */
void api_request(struct api *a, struct exchange *ex, enum err bad);

/* Who waits for changes is answered now: after a reload, so that the new limits count. */
void api_adopt(struct api *a);
/* The same, and nobody waits any more: the service ends. */
void api_drain(struct api *a);

#endif
