/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fingerprint - certificates named by their SHA-256, in lower-case hexadecimal digits.
 */
#ifndef SCHLEUSE_JOSE_FINGERPRINT_H
#define SCHLEUSE_JOSE_FINGERPRINT_H

#include <openssl/x509.h>

#include "lib/base/err.h"
#include "lib/base/str.h"

#define FINGERPRINT 64

/* Digits of either case, with or without colons between them.  false: not that. */
bool fingerprint_parse(struct str text, char out[FINGERPRINT + 1]) MUST_CHECK;
bool fingerprint_of(const X509 *certificate, char out[FINGERPRINT + 1]) MUST_CHECK;

#endif
