/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regurl - values in URLs and forms for the registration service.
 */
#ifndef SCHLEUSE_PROXY_REGURL_H
#define SCHLEUSE_PROXY_REGURL_H

#include "lib/base/buf.h"

#define REGURL_MAX 10240 /* a whole URL */

/* Appends s with everything but unreserved characters (RFC 3986 2.3) escaped; false: no room. */
bool regurl_put(struct buf *b, struct str s) __attribute__((warn_unused_result));

#endif
