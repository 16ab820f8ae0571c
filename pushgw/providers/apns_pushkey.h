/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apns_pushkey - a pushkey as the device token in the path of a request to APNs: hexadecimal.
 *
 * Apps register the token as base64 (what Sygnal's convert_device_token_to_hex expects) or as hex.
 * APNS_TOKEN_AUTO takes what has nothing but hexadecimal digits for hex, which base64 of random
 * bytes never is.  Only digits reach the path.  Pure.
 */
#ifndef SCHLEUSE_PUSHGW_APNS_PUSHKEY_H
#define SCHLEUSE_PUSHGW_APNS_PUSHKEY_H

#include "pushgw/config.h"

#define APNS_DEVICE_TOKEN_MAX 100 /* bytes (Apple's UIApplicationDelegate; today they have 32) */
#define APNS_PATH_TOKEN_MAX (2 * APNS_DEVICE_TOKEN_MAX)

/* false: no device token in that form. */
bool apns_pushkey_hex(
    struct str pushkey, enum apns_token form, char out[APNS_PATH_TOKEN_MAX + 1]) MUST_CHECK;

#endif
