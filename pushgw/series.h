/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series - the metrics of schleuse-pushgw.  No label ever comes from a homeserver or a device; the
 * labels of apps are the entries of the configuration (delivery/lanes prints those).
 */
#ifndef SCHLEUSE_PUSHGW_SERIES_H
#define SCHLEUSE_PUSHGW_SERIES_H

#include "lib/base/err.h"
#include "lib/daemon/service_series.h"
#include "lib/ops/metrics.h"
#include "pushgw/providers/provider.h"

#define SERIES_BUCKETS 12 /* of each histogram, the unbounded one included */

enum series {
	SERVICE_SERIES,
	S_AUTH_FAILED,
	S_AUTH_SLOWED,
	/* what homeservers say */
	S_NOTIFICATIONS,
	S_DEVICES,
	S_NOTIFY_LIMITED, /* refused by notify.rate */
	S_NOTIFY_TIME,    /* a histogram */
	S_CLIENT_ID_VALID =
	    S_NOTIFY_TIME + SERIES_BUCKETS + 1, /* TI-User-Agent (A_26182 to A_26184) */
	S_CLIENT_ID_INVALID,
	S_CLIENT_ID_ABSENT,
	/* what became of each device */
	S_DEVICE_QUEUED,
	S_DEVICE_DUPLICATE,
	S_DEVICE_REJECTED,  /* its pushkey is known to be dead */
	S_DEVICE_UNKNOWN,   /* no entry for its app_id */
	S_DEVICE_AMBIGUOUS, /* several globs match its app_id */
	S_DEVICE_UNUSABLE,  /* pushkey or data can never work */
	S_DEVICE_OPTED_OUT, /* no consent (ML-123618-1) */
	S_DEVICE_COUNTS,    /* counts alone: nothing may be said */
	S_DEVICE_UNWANTED,  /* the pusher wants nothing for this */
	/* the queue */
	S_QUEUE_COUNT,
	S_QUEUE_BYTES,
	S_QUEUE_IN_HAND,
	S_QUEUE_OVERDUE,
	S_QUEUE_DISK,
	S_QUEUE_UP,
	S_QUEUE_SEEN,
	S_QUEUE_REJECTED,
	S_QUEUE_FULL,   /* requests refused */
	S_QUEUE_FAILED, /* requests refused because the queue does not work */
	/* delivery */
	S_VERDICTS,                                        /* [provider][verdict] */
	S_ANSWERS = S_VERDICTS + APP_PROVIDERS * VERDICTS, /* [provider][status class] */
	S_DELAY = S_ANSWERS + APP_PROVIDERS * 6,           /* a histogram */
	S_ATTEMPT_TIME = S_DELAY + SERIES_BUCKETS + 1,     /* [provider], histograms */
	S_CROWDED = S_ATTEMPT_TIME + APP_PROVIDERS * (SERIES_BUCKETS + 1),
	S_RETRIES,
	S_BREAKER_OPENED,
	S_SUSPECT_HELD, /* pushkeys said to be wrong, not believed */
	S_PUSHKEYS_DEAD,
	S_LOST_AGE,
	S_LOST_APP,
	S_LOST_REFUSED,
	S_DROPPED_DEAD, /* waited for a pushkey that died */
	S_COUNT
};

bool series_declare(void) MUST_CHECK; /* once, before any thread starts */
void series_response(int status);
void series_notify_time(int64_t ms); /* from a request to its answer */
void series_delay(int64_t ms);       /* from acceptance to the first attempt */
/* An attempt is over; status 0: without an answer. */
void series_attempt(enum app_provider provider, enum verdict v, int status, int64_t ms);

#endif
