/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vapid - tells push services who we are (RFC 8292): a token signed with ES256 for each origin,
 * used again while it lasts.
 *
 * Origins come from devices, so only VAPID_ORIGINS tokens are kept, those used last.  One thread.
 */
#ifndef SCHLEUSE_PUSHGW_VAPID_H
#define SCHLEUSE_PUSHGW_VAPID_H

#include <openssl/evp.h>

#include "lib/base/err.h"
#include "lib/base/str.h"

#define VAPID_ORIGINS 256
#define VAPID_LIFE_S (12 * 3600) /* 24 h are allowed; clocks differ */

struct vapid;

/* key: private, on P-256; a reference is taken.  contact: a mailto: or https: URL (copied).  NULL:
 * out of memory, or another kind of key. */
struct vapid *vapid_new(EVP_PKEY *key, const char *contact) MUST_CHECK;
void vapid_free(struct vapid *v); /* NULL is allowed */

/* The field "Authorization: …" for an origin ("https://host", with the port if it is not 443);
 * valid until the next call.  NULL: out of memory. */
const char *vapid_field(struct vapid *v, struct str origin, int64_t now_s) MUST_CHECK;

#endif
