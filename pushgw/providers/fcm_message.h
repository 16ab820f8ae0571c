/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fcm_message - the body of a request to FCM: one message to one registration token.
 *
 * A data message, never a `notification`: the app decides what is shown, and FCM learns no text.
 * `data` is what the allow-list let through of the pusher's default_payload, the IDs, and what the
 * homeserver encrypted (MSC3013), as strings; see payload.h.  The class of urgency is Android's
 * `priority` alone.  Where `data` is longer than Google allows, default_payload goes; what is ours
 * never does.  Pure.
 */
#ifndef SCHLEUSE_PUSHGW_FCM_MESSAGE_H
#define SCHLEUSE_PUSHGW_FCM_MESSAGE_H

#include "lib/base/buf.h"
#include "pushgw/config.h"
#include "pushgw/push.h"

#define FCM_DATA_MAX 4096          /* bytes */
#define FCM_TTL_MAX_S (28 * 86400) /* longer is refused */
#define FCM_TOKEN_MAX 1024         /* bytes; they have about 150 to 250 */

/* Printable ASCII without blanks, of bounded length. */
bool fcm_is_token(struct str pushkey);

/* Initialises and fills `out`, padded.  ttl: how long FCM may keep it.  ERR_TOO_LARGE: even the
 * push alone is; ERR_MEMORY. */
enum err fcm_message(struct buf *out, const struct push *push, clock_ms ttl) MUST_CHECK;

#endif
