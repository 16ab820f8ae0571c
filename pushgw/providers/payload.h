/* SPDX-License-Identifier: Apache-2.0 */
/*
 * payload - the JSON that goes to a push provider: what may be in it, and how long it is.
 *
 * A pusher's `data.default_payload` is text that the user's app wrote once, so most of it is
 * harmless; but what leaves is decided here and not there.  Only members named in the app's
 * allow-list pass, as plain values of bounded length, so neither a content nor a name can ride
 * along (ML-123618-6, ML-123618-7).  Beside them stand the event and room ID and what the
 * homeserver encrypted (MSC3013), nothing else.
 *
 * An allow-list is a list of paths: names with "." between them, such as aps.alert.loc-key.  Pure.
 */
#ifndef SCHLEUSE_PUSHGW_PAYLOAD_H
#define SCHLEUSE_PUSHGW_PAYLOAD_H

#include "pushgw/providers/provider.h"

#define PAYLOAD_PATH_MAX 255  /* bytes of a path */
#define PAYLOAD_VALUE_MAX 256 /* bytes of a value as JSON; a longer one is left out */
#define PAYLOAD_KEPT_MAX 2048 /* bytes of all that passes; what does not fit is left out */
#define PAYLOAD_PAD 1024

enum payload_form {
	PAYLOAD_NESTED, /* as it was */
	PAYLOAD_STRINGS /* members of the first level alone, their values made strings (FCM) */
};

/* NULL, or why a path is refused in an allow-list, as the rest of a sentence about it.  Never let
 * through, listed or not: event_id, room_id, ephemeral, ciphertext and mac on the first level,
 * which are ours; loc-args, title-loc-args and subtitle-loc-args anywhere, which take the place of
 * names and content; for PAYLOAD_STRINGS what FCM keeps to itself (from, message_type, google...,
 * gcm...). */
const char *payload_path_fault(struct str path, enum payload_form form);

/* Appends what passes of data.default_payload as a compact object, nothing if nothing passes:
 * strings, numbers and booleans at the listed paths; never null, an array or an object of which no
 * member passes.  Members keep the order they have in `data`, which is canonical JSON
 * (notification_read), so equal payloads are equal bytes.  ADMIT_REJECT: default_payload is there
 * and is no object; ADMIT_OK otherwise.  `out` must have room for PAYLOAD_KEPT_MAX bytes: beyond
 * that, or out of memory, nothing passes. */
enum admission payload_filter(
    struct str data, const struct conf_list *paths, enum payload_form form, struct buf *out);

/* Appends one object: the members of `kept` (made by payload_filter(), n == 0: none), then of
 * event_id, room_id, ephemeral, ciphertext and mac those that the push has.  false: `out` is
 * full. */
bool payload_put(struct buf *out, struct str kept, const struct push *push) MUST_CHECK;

/* Appends blanks, which mean nothing behind JSON, until `body` is as long as the next multiple of
 * PAYLOAD_PAD or, if that is less, as `limit`, so that from outside of the encrypted connection its
 * length tells neither the homeserver (room IDs hold its name) nor the kind of push.  What is
 * longer than the limit already stays as it is.  false: `body` is full. */
bool payload_pad(struct buf *body, size_t limit) MUST_CHECK;

#endif
