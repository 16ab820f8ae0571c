/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf8 - strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
 *
 * Pure.  Needs only str.
 */
#ifndef SCHLEUSE_BASE_UTF8_H
#define SCHLEUSE_BASE_UTF8_H

#include "lib/base/str.h"

/* Length of the character at p < end, 0 if malformed. */
size_t utf8_char(const char *p, const char *end);
bool utf8_valid(struct str s);
/* code_point: a Unicode scalar value; returns the length. */
size_t utf8_encode(uint32_t code_point, char out[4]);

#endif
