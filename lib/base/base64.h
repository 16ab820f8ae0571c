/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base64 - RFC 4648, strictly: nothing is skipped, and padding is complete or absent.
 *
 * No blanks or line feeds inside.  Except where said, the unused bits of the last character are
 * zero, so there is one text (and its padded form) for each sequence of bytes.  Pure; needs no
 * memory of its own.  What fails may have written part of the output.
 */
#ifndef SCHLEUSE_BASE_BASE64_H
#define SCHLEUSE_BASE_BASE64_H

#include "lib/base/str.h"

#define BASE64_DECODED_MAX(n) ((n) / 4 * 3 + 2) /* bytes that n characters can stand for */

/* Each decodes to out (cap bytes) and sets *n.  false: malformed, or does not fit. */
bool base64_decode(struct str in, void *out, size_t cap, size_t *n)
    __attribute__((warn_unused_result)); /* "+/", padded or not */
bool base64url_decode(struct str in, void *out, size_t cap, size_t *n)
    __attribute__((warn_unused_result)); /* "-_", never padded */

/* Decodes "+/" if it stands for exactly n bytes: Matrix keys and signatures (Appendices, "Unpadded
 * Base64").  Unused bits of the last character may be set, as in that specification's own test key;
 * whoever compares must compare bytes. */
bool base64_exact(struct str in, void *out, size_t n) __attribute__((warn_unused_result));

#endif
