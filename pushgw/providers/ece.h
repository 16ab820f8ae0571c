/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ece - encrypts a push for one device (RFC 8291, Message Encryption for Web Push) as one record of
 * the content encoding aes128gcm (RFC 8188).
 *
 * Each message has a sender's key and a salt of its own; what was derived is wiped.  Zero bytes
 * behind the text make it as long as others, so that the push service does not learn its length.
 * Pure but for the random numbers.
 */
#ifndef SCHLEUSE_PUSHGW_ECE_H
#define SCHLEUSE_PUSHGW_ECE_H

#include <openssl/evp.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

#define ECE_POINT 65 /* an uncompressed one of P-256 */
#define ECE_AUTH 16
#define ECE_SALT 16
#define ECE_BODY_MAX 4096 /* what every push service takes (RFC 8030 7.2) */
#define ECE_TEXT_MAX 3993 /* fits into such a body */

struct ece_keys { /* of the device */
	uint8_t p256dh[ECE_POINT];
	uint8_t auth[ECE_AUTH];
};

/* Either alphabet of base64, padded or not.  false: no point on the curve, or not so many bytes. */
bool ece_keys_read(struct ece_keys *k, struct str p256dh, struct str auth) MUST_CHECK;

/* Appends the body, the text padded to `padded` bytes (text.n <= padded <= ECE_TEXT_MAX).  false:
 * out of memory, or `out` is full. */
bool ece_seal(
    const struct ece_keys *to, struct str text, size_t padded, struct buf *out) MUST_CHECK;

/* --- its steps, with nothing drawn --- */

bool ece_seal_with(const struct ece_keys *to, EVP_PKEY *sender, const uint8_t salt[ECE_SALT],
    struct str text, size_t padded, struct buf *out) MUST_CHECK;

/* The header with this key ID, and one record. */
bool ece_record(struct str key, const uint8_t salt[ECE_SALT], struct str id, struct str text,
    size_t padded, struct buf *out) MUST_CHECK;

#endif
