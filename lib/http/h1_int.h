/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_int - what the files of the HTTP/1.1 parser share, h2_head among them for what is the same in
 * HTTP/2; nobody else includes it.
 *
 * Scanning relies on a sentinel: a head ends with an empty line, and CR is in no class of
 * characters, so a scan over one class always stops inside the head and the byte behind a CR can be
 * read.
 */
#ifndef SCHLEUSE_HTTP_H1_INT_H
#define SCHLEUSE_HTTP_H1_INT_H

#include "lib/http/h1.h"

enum h1_class {
	H1_C_TOKEN = 1,  /* tchar of RFC 9110 5.6.2 */
	H1_C_VALUE = 2,  /* field value: visible, blanks, obs-text */
	H1_C_TARGET = 4, /* request target: visible ASCII except '#' */
	H1_C_HOST = 8,   /* registered name, without percent-encoding and sub-delims */
};

extern const uint8_t h1_classes[256];

static inline bool
h1_is(char c, enum h1_class class)
{
	return (h1_classes[(unsigned char)c] & class) != 0;
}

static inline bool
h1_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
h1_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

#define H1_METHOD_MAX 32 /* bytes */

enum h1_method h1_method_of(struct str m);

struct h1_name {
	const char *lower;
	enum h1_field_id id;
	bool hop; /* hop-by-hop whatever Connection says */
};

/* The row of a name the code knows, or NULL.  `name` consists of token characters. */
const struct h1_name *h1_name_find(struct str name);

/* What a field section says about the message; the two kinds of messages judge it differently. */
struct h1_seen {
	unsigned hosts, lengths, codings;
	bool length_bad;
	bool coding_bad; /* anything but "chunked" */
	bool expect, expect_bad;
	bool close, keep;
};

/* Parses the fields from p to the end of the head into out->fields, out->host and out->length.
 * ERR_HTTP_FIELD, ERR_HTTP_HEAD_SIZE, ERR_HTTP_CONNECTION, ERR_MEMORY. */
enum err h1_fields_parse(struct arena *a, const char *p, const char *end,
    const struct h1_limits *lim, struct h1_head *out, struct h1_seen *seen) MUST_CHECK;

/* host [":" port], neither of them empty. */
bool h1_is_authority(struct str s, bool port_needed);

/* What form the request target has (RFC 9112 3.2); the parts go to out->scheme, out->authority and
 * out->target.  `proxy` as in struct h1_limits.  ERR_HTTP_TARGET, ERR_HTTP_HOST, ERR_MEMORY. */
enum err h1_target_parse(struct arena *a, bool proxy, struct h1_head *out) MUST_CHECK;

#endif
