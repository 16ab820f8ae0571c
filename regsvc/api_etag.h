/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_etag - conditional requests (RFC 9110 8.8.3, 13.1.2).  Pure.
 */
#ifndef SCHLEUSE_REGSVC_API_ETAG_H
#define SCHLEUSE_REGSVC_API_ETAG_H

#include "lib/http/h1.h"

/* Whether If-None-Match, in one field or several, names the entity tag (given with its quotes), by
 * weak comparison, or is "*".  What is malformed matches nothing: the client gets the whole answer.
 */
bool etag_matches(const struct h1_head *req, struct str etag);

/* An entity tag without "W/" and quotes; other text as it is. */
struct str etag_opaque(struct str tag);

#endif
