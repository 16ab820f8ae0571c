/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apns_payload - the body of a request to APNs.
 *
 * What the allow-list let through of the pusher's default_payload, the IDs, and what the homeserver
 * encrypted (MSC3013); see payload.h.  The dictionary `aps` fits the push type: that of
 * `background` is always {"content-available":1}; an `alert` without a text of its own gets
 * {"loc-args":[],"loc-key":"SINGLE_UNREAD"}, which names one in the app, and where the pusher
 * brings no `aps` also "mutable-content":1, so that its notification service extension may say
 * more.
 *
 * Where all of it is longer than Apple allows, default_payload goes: first all but `aps`, then
 * `aps` too.  What is ours never does.  Pure.
 */
#ifndef SCHLEUSE_PUSHGW_APNS_PAYLOAD_H
#define SCHLEUSE_PUSHGW_APNS_PAYLOAD_H

#include "lib/base/buf.h"
#include "pushgw/config.h"
#include "pushgw/push.h"

#define APNS_PAYLOAD_MAX 4096
#define APNS_PAYLOAD_VOIP_MAX 5120

/* Initialises and fills `out`, padded.  ERR_TOO_LARGE: even the push alone is; ERR_MEMORY. */
enum err apns_payload(
    struct buf *out, enum apns_push_type type, const struct push *push) MUST_CHECK;

#endif
