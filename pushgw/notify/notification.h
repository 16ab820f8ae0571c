/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notification - reads the body of POST /_matrix/push/v1/notify (Matrix Push Gateway API).
 *
 * Strict about JSON and the types of what we use, but what homeservers really send is accepted:
 * null where a member is absent, unknown members, notifications of counts alone, and those the
 * homeserver encrypted (MSC3013), which have no event_id.  What must not leave us is checked for
 * its type at most and never kept.  Texts we use have no control characters, and what is said to be
 * encrypted is Base64.  Pure.
 */
#ifndef SCHLEUSE_PUSHGW_NOTIFICATION_H
#define SCHLEUSE_PUSHGW_NOTIFICATION_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "pushgw/providers/provider.h"

#define NOTIFICATION_KEY_MAX 255 /* bytes of ephemeral and mac each */

struct notification {                 /* slices of the body or of the arena */
	struct str event_id, room_id; /* n == 0: none, empty or null */
	enum push_prio prio;
	struct str ephemeral, ciphertext, mac; /* n == 0: none */
	struct device *devices;
	size_t n_devices; /* may be 0 */
};

/* OK, ERR_MEMORY, ERR_JSON_SYNTAX, ERR_JSON_DUPLICATE, ERR_JSON_DEPTH; ERR_NOTIFY_SHAPE: not a
 * notification; ERR_NOTIFY_SIZE: more devices or longer fields than allowed.  A device whose
 * own fields are too long, or have control characters, is marked unusable instead. */
enum err notification_read(struct arena *a, const struct notify_conf *limits, struct str body,
    struct notification *out) MUST_CHECK;

#endif
