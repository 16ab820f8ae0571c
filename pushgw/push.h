/* SPDX-License-Identifier: Apache-2.0 */
/*
 * push - one push on its way to one device: all that is kept of a notification, and nothing else.
 *
 * Between the moment a homeserver's notification is accepted and the answer of the push provider
 * this is what queue, journal and Redis hold: never a sender, a name, content, counts or tweaks
 * (ML-123618-6, ML-123618-7).  The slices belong to whoever hands the struct out.
 */
#ifndef SCHLEUSE_PUSHGW_PUSH_H
#define SCHLEUSE_PUSHGW_PUSH_H

#include <stdint.h>

#include "lib/base/str.h"

#define PUSH_APP_ID_MAX 255   /* bytes; Synapse allows 64 */
#define PUSH_PUSHKEY_MAX 2048 /* UnifiedPush: a URL; Synapse allows 512 */
#define PUSH_ID_MAX 255       /* event and room IDs (Matrix spec, identifier grammar) */

enum push_prio { PUSH_HIGH, PUSH_LOW };

struct push {
	unsigned lane;     /* the entry of `apps` it belongs to; not kept by journal and Redis */
	struct str app_id; /* as the homeserver wrote it */
	struct str pushkey;
	int64_t pushkey_ts;  /* wall-clock second at which the pushkey was last set; 0: unknown */
	struct str event_id; /* n == 0: none */
	struct str room_id;  /* n == 0: none */
	enum push_prio prio;
	/* Encrypted by the homeserver for the device (MSC3013), opaque; n == 0: none */
	struct str ephemeral, ciphertext, mac;
	/* What the provider needs to know of the pusher's `data`: JSON made by its admit(); n == 0:
	 * nothing */
	struct str data;
	int64_t accepted; /* wall-clock millisecond at which it was accepted */
};

#endif
