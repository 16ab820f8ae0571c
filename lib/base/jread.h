/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jread - reads a JSON text from front to end, member by member, without building anything.
 *
 * For texts too large for a tree, or for a pass of canonical_form() first: a list of all members of
 * the federation is read once and only its entries are kept.  Strict (RFC 8259, UTF-8, paired
 * surrogates, bounded depth); what is skipped is checked as well.  Repeated member names are the
 * caller's to notice.  Once a function failed the text is bad and every later call fails too. Pure;
 * one thread.
 */
#ifndef SCHLEUSE_BASE_JREAD_H
#define SCHLEUSE_BASE_JREAD_H

#include "lib/base/str.h"

#define JREAD_MAX_DEPTH 32

struct jread {
	const char *p, *end;
	unsigned depth;
	bool bad;
	bool fresh; /* a container was entered and nothing of it was read */
};

void jread_init(struct jread *r, struct str text);

/* The first byte of the next value ('{', '[', '"', 't', 'f', 'n', '-', digits), '\0' at the end. */
char jread_peek(struct jread *r);

/* Enters the object ('{') or array ('[') that comes next.  false: something else comes. */
bool jread_enter(struct jread *r, char open) __attribute__((warn_unused_result));
/* Whether another element of the container comes; false and past its end if not, or if bad.
 * Members of an object: then jread_string() for the name and jread_colon(). */
bool jread_more(struct jread *r, char close) __attribute__((warn_unused_result));
bool jread_colon(struct jread *r) __attribute__((warn_unused_result));

/* A string.  Without escapes *out points into the text, else to buf (cap bytes).  A string with
 * escapes whose text does not fit is checked and given as *fits = false. */
bool jread_string(struct jread *r, char *buf, size_t cap, struct str *out, bool *fits)
    __attribute__((warn_unused_result));
bool jread_number(struct jread *r, struct str *text) __attribute__((warn_unused_result));
bool jread_bool(struct jread *r, bool *out) __attribute__((warn_unused_result));
bool jread_null(struct jread *r) __attribute__((warn_unused_result));
bool jread_skip(struct jread *r) __attribute__((warn_unused_result)); /* any value */
bool jread_end(struct jread *r) __attribute__((warn_unused_result));  /* nothing but blanks comes */

#endif
