/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply - the Matrix error object for a reason (Matrix client-server API, "Standard error
 * response").
 */
#ifndef SCHLEUSE_MATRIX_REPLY_H
#define SCHLEUSE_MATRIX_REPLY_H

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

/* Seconds a peer should wait before it tries again, 0 where trying again does not help: 1 for load
 * and restarts of ours, 5 where a homeserver or a look-up has to recover, 300 where only a new
 * federation list helps. */
unsigned reply_retry_after(enum err why);

/* Appends {"errcode":"…","error":"…"}, with "retry_after_ms" unless that is 0; false when out is
 * full.  `about`: the server name that the text of ERR_DESTINATION_UNLISTED and ERR_DOMAIN_UNLISTED
 * begins with (A_25534); n == 0: without. */
bool reply_body(struct buf *out, enum err why, struct str about, clock_ms retry_after) MUST_CHECK;

#endif
