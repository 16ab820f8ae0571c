/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intake - what becomes of each device of a notification: a push for the queue, a rejected pushkey,
 * or nothing.
 *
 * A device is rejected when no push to it can ever be sent: its app is not configured (FD-5.2.3-2),
 * or its provider says so of its pushkey or data.  Nothing is sent, and nobody told, without the
 * consent that the app's operator asks for (ML-123618-1), and for counts alone.  Else its push has
 * of the notification the event and room ID, or what the homeserver encrypted where the pusher
 * asked for that (MSC3013), and nothing more (ML-123618-6, ML-123618-7).
 *
 * No I/O.  All of it lives in the arena and points into the notification.
 */
#ifndef SCHLEUSE_PUSHGW_INTAKE_H
#define SCHLEUSE_PUSHGW_INTAKE_H

#include "pushgw/notify/notification.h"
#include "pushgw/queue/delayq.h"
#include "pushgw/series.h"

#define INTAKE_KEPT_MAX 8192 /* bytes that a provider may keep of one device's data */

struct intake_device {
	const struct device *device;
	enum series outcome; /* what is counted; S_DEVICE_QUEUED: it has a push */
	bool rejected;       /* its pushkey is */
	bool listed;         /* and named in the answer on behalf of all that have it */
};

struct intake {
	struct intake_device *devices; /* as the notification has them */
	struct intake_device **sorted; /* the same by pushkey, app_id, position */
	size_t n;
	struct push *pushes; /* in the order of their devices */
	size_t n_pushes;
};

/* now: wall-clock millisecond.  ERR_MEMORY. */
enum err intake_sort(struct arena *a, const struct pushgw_conf *conf, const struct notification *n,
    int64_t now, struct intake *out) MUST_CHECK;

/* Takes over what the queue said of the pushes, counts all devices, and appends the answer:
 * {"rejected":[...]}, each pushkey once.  false: `out` is full. */
bool intake_finish(struct intake *in, const enum delayq_outcome *of, struct buf *out) MUST_CHECK;

#endif
