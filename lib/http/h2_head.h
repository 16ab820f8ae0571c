/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2_head - heads between HTTP/2 (RFC 9113 8) and struct h1_head.  No I/O.
 *
 * A request arrives field by field and becomes what h1_parse_request() would have made of the same
 * request in HTTP/1.1, with the same limits and reasons: rules and forward see no difference.  What
 * could not be written as HTTP/1.1 without a change is refused.  Everything lives in the arena.
 */
#ifndef SCHLEUSE_HTTP_H2_HEAD_H
#define SCHLEUSE_HTTP_H2_HEAD_H

#include <nghttp2/nghttp2.h>

#include "lib/http/h1.h"

/* A head beyond its limit is read to its end, for the decoder's sake, and answered with 431; one
 * that exceeds the limit so many times is not read any further. */
#define H2_HEAD_EXCESS 4

/* All zero before the first field; the caller's until h2_head_end(). */
struct h2_head {
	struct arena *arena;
	const struct h1_limits *limits;
	struct h1_head *out;
	size_t size; /* bytes the head would have in HTTP/1.1 */
	size_t room; /* fields that fit into out->fields */
	size_t cookies;
	struct str scheme, authority;
	bool tls;
	bool fields_begun;
	bool expect_bad, length_bad;
	unsigned pseudo, hosts, lengths;
	enum err err; /* the first reason to refuse it */
};

/* `tls`: which scheme is right.  `lim` must live until the end of the head. */
void h2_head_begin(
    struct h2_head *h, struct arena *a, const struct h1_limits *lim, bool tls, struct h1_head *out);
/* Name and value are copied.  false: far beyond the limit, no use in reading on. */
bool h2_head_add(struct h2_head *h, struct str name, struct str value) MUST_CHECK;
/* The head is complete; `body`: one follows.  OK, or why the request must be refused; then out
 * holds what could be understood, and no body. */
enum err h2_head_end(struct h2_head *h, bool body) MUST_CHECK;

/* Whether a trailer field is one that HTTP/1.1 would let pass (and drop). */
bool h2_head_trailer(struct str name, struct str value);

#define H2_HEAD_NVS (H1_FIELDS_CEILING + 2) /* :status, and what exchange_head() adds */

/* A response's fields without what belongs to HTTP/1.1's framing.  They point into resp and digits
 * and are to be copied (which also lowers the names).  Returns their number. */
size_t h2_head_response(const struct h1_head *resp, char digits[3], nghttp2_nv nv[H2_HEAD_NVS]);

#endif
