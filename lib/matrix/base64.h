/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base64 - Matrix keys and signatures: the standard alphabet, padded or not (Matrix specification,
 * Appendices, "Unpadded Base64").
 */
#ifndef SCHLEUSE_MATRIX_BASE64_H
#define SCHLEUSE_MATRIX_BASE64_H

#include "lib/base/str.h"

/* Decodes s if it stands for exactly n bytes.  Surplus bits of the last digit may be set, as in the
 * specification's own test key; whoever compares must compare bytes. */
bool base64_exact(struct str s, unsigned char *out, size_t n) __attribute__((warn_unused_result));

#endif
