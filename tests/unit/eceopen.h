/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eceopen - the device's side of Web Push: a subscription's keys, and what they decrypt (RFC 8291).
 */
#ifndef SCHLEUSE_TESTS_ECEOPEN_H
#define SCHLEUSE_TESTS_ECEOPEN_H

#include <openssl/evp.h>

#include "pushgw/providers/ece.h"

struct ece_device {
	EVP_PKEY *key;
	struct ece_keys keys;
	char p256dh[90], auth[24]; /* base64url */
};

void ece_device_make(struct ece_device *d); /* ends the test when it fails */
void ece_device_end(struct ece_device *d);

/* Writes the text without its padding, NUL-terminated, to out; false: not for this device, or
 * changed on the way. */
bool ece_open(const struct ece_device *d, struct str body, char out[ECE_TEXT_MAX + 1]);

#endif
