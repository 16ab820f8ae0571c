/* SPDX-License-Identifier: Apache-2.0 */
/*
 * percent - values for URLs and forms (RFC 3986, 2.1 and 2.3).
 */
#ifndef SCHLEUSE_BASE_PERCENT_H
#define SCHLEUSE_BASE_PERCENT_H

#include "lib/base/buf.h"

bool percent_is_plain(char c); /* unreserved: it needs no escape anywhere */

/* Appends s with everything but unreserved characters as %XX; false: no room. */
bool percent_put(struct buf *b, struct str s) __attribute__((warn_unused_result));

#endif
