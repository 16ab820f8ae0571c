/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b64 - strict base64 (RFC 4648): one text for each sequence of bytes, nothing is skipped.
 *
 * No blanks or line feeds inside, unused bits of the last character are zero, and padding is either
 * complete or absent (and always absent in base64url).  Pure; needs no memory of its own.
 */
#ifndef SCHLEUSE_JOSE_B64_H
#define SCHLEUSE_JOSE_B64_H

#include "lib/base/str.h"

#define B64_DECODED_MAX(n) ((n) / 4 * 3 + 2) /* bytes that n characters can stand for */

/* Each decodes to out (cap bytes) and sets *n.  false: malformed, or does not fit. */
bool b64_decode(struct str in, void *out, size_t cap, size_t *n)
    __attribute__((warn_unused_result)); /* "+/", padded or not */
bool b64url_decode(struct str in, void *out, size_t cap, size_t *n)
    __attribute__((warn_unused_result)); /* "-_", never padded */

#endif
