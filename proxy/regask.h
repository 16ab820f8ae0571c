/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regask - one small question: does the registration service know a certificate under this URL?
 *
 * Control thread.  The URL is one that a PASSporT names; it is only a word in the question, nothing
 * is ever fetched from it (O-5).
 */
#ifndef SCHLEUSE_PROXY_REGASK_H
#define SCHLEUSE_PROXY_REGASK_H

#include "proxy/regclient.h"

#define REGASK_URL_MAX 2048

struct regask;

/* fn is called later exactly once unless cancelled.  NULL: no https URL of at most that length, or
 * out of memory; nobody is called. */
struct regask *regask_start(struct regclient *c, struct str x5u,
    void (*fn)(void *arg, enum err err, bool known), void *arg) MUST_CHECK;
void regask_cancel(struct regask *a); /* NULL is allowed */

#endif
