/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/series.h"

#define CLIENT_ID_HELP "Requests by the form of their TI-User-Agent"
#define OUTCOMES_HELP "Devices of notifications, by what became of them"
#define QUEUE_REFUSED_HELP "Requests for which the queue had no answer but 503, by cause"
#define VERDICTS_HELP "Attempts at delivery, by push provider and its verdict"
#define LOST_HELP "Pushes accepted but given up undelivered, by cause"

#define CLIENT_ID_ROW(id, name) \
	[id] = { "schleuse_push_client_ids_total", "form=\"" name "\"", METRIC_COUNTER, \
		CLIENT_ID_HELP }
#define OUTCOME_ROW(id, name) \
	[id] = { "schleuse_push_devices_total", "outcome=\"" name "\"", METRIC_COUNTER, \
		OUTCOMES_HELP }
#define LOST_ROW(id, name) \
	[id] = { "schleuse_push_lost_total", "cause=\"" name "\"", METRIC_COUNTER, LOST_HELP }
#define VERDICT_ROW(provider, name, verdict, word) \
	[S_VERDICTS + (provider)*VERDICTS + (verdict)] = { "schleuse_push_attempts_total", \
		"provider=\"" name "\",verdict=\"" word "\"", METRIC_COUNTER, VERDICTS_HELP }
#define VERDICT_ROWS(provider, name) \
	VERDICT_ROW(provider, name, VERDICT_DELIVERED, "delivered"), \
	    VERDICT_ROW(provider, name, VERDICT_DEAD, "dead"), \
	    VERDICT_ROW(provider, name, VERDICT_SUSPECT, "suspect"), \
	    VERDICT_ROW(provider, name, VERDICT_DROP, "drop"), \
	    VERDICT_ROW(provider, name, VERDICT_BUSY, "busy"), \
	    VERDICT_ROW(provider, name, VERDICT_FAILED, "failed"), \
	    VERDICT_ROW(provider, name, VERDICT_FAULT, "fault")

#define ANSWERS_HELP "Answers of push providers, by status class; none: there was no answer"
#define ANSWER_ROW(provider, name, i, class) \
	[S_ANSWERS + (provider)*6 + (i)] = { "schleuse_push_answers_total", \
		"provider=\"" name "\",status=\"" class "\"", METRIC_COUNTER, ANSWERS_HELP }
#define ANSWER_ROWS(provider, name) \
	ANSWER_ROW(provider, name, 0, "none"), ANSWER_ROW(provider, name, 1, "1xx"), \
	    ANSWER_ROW(provider, name, 2, "2xx"), ANSWER_ROW(provider, name, 3, "3xx"), \
	    ANSWER_ROW(provider, name, 4, "4xx"), ANSWER_ROW(provider, name, 5, "5xx")

#define BUCKET(first, i, name, label, help, ms) \
	[(first) + (i)] = { name, label, METRIC_BUCKET, help, ms }
#define HISTOGRAM(first, name, label, help, a, b, c, d, e, f, g, h, i, j, k) \
	BUCKET(first, 0, name, label, help, a), BUCKET(first, 1, name, label, help, b), \
	    BUCKET(first, 2, name, label, help, c), BUCKET(first, 3, name, label, help, d), \
	    BUCKET(first, 4, name, label, help, e), BUCKET(first, 5, name, label, help, f), \
	    BUCKET(first, 6, name, label, help, g), BUCKET(first, 7, name, label, help, h), \
	    BUCKET(first, 8, name, label, help, i), BUCKET(first, 9, name, label, help, j), \
	    BUCKET(first, 10, name, label, help, k), \
	    BUCKET(first, 11, name, label, help, METRIC_UNBOUNDED), \
	    [(first) + SERIES_BUCKETS] = { name, label, METRIC_SUM, help, 0 }
#define ATTEMPT_HELP "How long push providers took to answer"
#define ATTEMPT_TIME(provider, name) \
	HISTOGRAM(S_ATTEMPT_TIME + (provider) * (SERIES_BUCKETS + 1), \
	    "schleuse_push_attempt_seconds", "provider=\"" name "\"", ATTEMPT_HELP, 10, 25, 50, \
	    100, 250, 500, 1000, 2500, 5000, 10000, 30000)

static const struct metric_row rows[S_COUNT] = {
	SERVICE_SERIES_ROWS,
	[S_AUTH_FAILED] = { "schleuse_auth_failed_total", "", METRIC_COUNTER,
	    "Passwords that were wrong" },
	[S_AUTH_SLOWED] = { "schleuse_auth_slowed_total", "", METRIC_COUNTER,
	    "Passwords not looked at because their address had failed too often" },
	[S_NOTIFICATIONS] = { "schleuse_push_notifications_received_total", "", METRIC_COUNTER,
	    "Notifications received that could be read" },
	[S_DEVICES] = { "schleuse_push_devices_received_total", "", METRIC_COUNTER,
	    "Devices they named" },
	[S_NOTIFY_LIMITED] = { "schleuse_push_notifications_limited_total", "", METRIC_COUNTER,
	    "Notifications refused with 429 by notify.rate" },
	HISTOGRAM(S_NOTIFY_TIME, "schleuse_push_notify_seconds", "",
	    "How long homeservers waited for their answer", 1, 2, 5, 10, 25, 50, 100, 250, 500,
	    1000, 10000),
	CLIENT_ID_ROW(S_CLIENT_ID_VALID, "valid"),
	CLIENT_ID_ROW(S_CLIENT_ID_INVALID, "invalid"),
	CLIENT_ID_ROW(S_CLIENT_ID_ABSENT, "absent"),
	OUTCOME_ROW(S_DEVICE_QUEUED, "queued"),
	OUTCOME_ROW(S_DEVICE_DUPLICATE, "duplicate"),
	OUTCOME_ROW(S_DEVICE_REJECTED, "rejected"),
	OUTCOME_ROW(S_DEVICE_UNKNOWN, "app_unknown"),
	OUTCOME_ROW(S_DEVICE_AMBIGUOUS, "app_ambiguous"),
	OUTCOME_ROW(S_DEVICE_UNUSABLE, "unusable"),
	OUTCOME_ROW(S_DEVICE_OPTED_OUT, "opted_out"),
	OUTCOME_ROW(S_DEVICE_COUNTS, "counts_only"),
	OUTCOME_ROW(S_DEVICE_UNWANTED, "unwanted"),
	[S_QUEUE_COUNT] = { "schleuse_push_queue", "", METRIC_GAUGE,
	    "Pushes held, from their acceptance to their delivery" },
	[S_QUEUE_BYTES] = { "schleuse_push_queue_bytes", "", METRIC_GAUGE, "Bytes of them" },
	[S_QUEUE_IN_HAND] = { "schleuse_push_queue_in_hand", "", METRIC_GAUGE,
	    "Pushes of the queue that this process is delivering" },
	[S_QUEUE_OVERDUE] = { "schleuse_push_queue_overdue_seconds", "", METRIC_GAUGE,
	    "For how long the push that has been due for longest has waited" },
	[S_QUEUE_DISK] = { "schleuse_push_queue_disk_bytes", "", METRIC_GAUGE,
	    "Bytes of the journal's files" },
	[S_QUEUE_UP] = { "schleuse_push_queue_up", "", METRIC_GAUGE,
	    "1 while the queue (journal or Redis) works, else 0" },
	[S_QUEUE_SEEN] = { "schleuse_push_queue_seen", "", METRIC_GAUGE,
	    "Pushes remembered to tell repeated ones" },
	[S_QUEUE_REJECTED] = { "schleuse_push_queue_rejected", "", METRIC_GAUGE,
	    "Rejected pushkeys remembered" },
	[S_QUEUE_FULL] = { "schleuse_push_queue_refused_total", "cause=\"full\"", METRIC_COUNTER,
	    QUEUE_REFUSED_HELP },
	[S_QUEUE_FAILED] = { "schleuse_push_queue_refused_total", "cause=\"down\"", METRIC_COUNTER,
	    QUEUE_REFUSED_HELP },
	VERDICT_ROWS(APP_APNS, "apns"),
	VERDICT_ROWS(APP_FCM, "fcm"),
	VERDICT_ROWS(APP_WEBPUSH, "webpush"),
	VERDICT_ROWS(APP_UNIFIEDPUSH, "unifiedpush"),
	ANSWER_ROWS(APP_APNS, "apns"),
	ANSWER_ROWS(APP_FCM, "fcm"),
	ANSWER_ROWS(APP_WEBPUSH, "webpush"),
	ANSWER_ROWS(APP_UNIFIEDPUSH, "unifiedpush"),
	HISTOGRAM(S_DELAY, "schleuse_push_delay_seconds", "",
	    "From the acceptance of a push to the first attempt to deliver it", 1000, 2000, 3000,
	    4000, 5000, 6000, 7000, 8000, 9000, 10000, 11000),
	ATTEMPT_TIME(APP_APNS, "apns"),
	ATTEMPT_TIME(APP_FCM, "fcm"),
	ATTEMPT_TIME(APP_WEBPUSH, "webpush"),
	ATTEMPT_TIME(APP_UNIFIEDPUSH, "unifiedpush"),
	[S_CROWDED] = { "schleuse_push_crowded_total", "", METRIC_COUNTER,
	    "Pushes put off because too many requests to their host were under way" },
	[S_RETRIES] = { "schleuse_push_retries_total", "", METRIC_COUNTER,
	    "Pushes put off to be tried again" },
	[S_BREAKER_OPENED] = { "schleuse_push_breaker_opened_total", "", METRIC_COUNTER,
	    "Times an app was stopped because its settings seem to be wrong" },
	[S_SUSPECT_HELD] = { "schleuse_push_suspects_held_total", "", METRIC_COUNTER,
	    "Pushkeys said to be wrong that were not rejected, because our settings may be" },
	[S_PUSHKEYS_DEAD] = { "schleuse_push_pushkeys_rejected_total", "", METRIC_COUNTER,
	    "Pushkeys found to be dead" },
	LOST_ROW(S_LOST_AGE, "age"),
	LOST_ROW(S_LOST_APP, "app_removed"),
	LOST_ROW(S_LOST_REFUSED, "refused"),
	[S_DROPPED_DEAD] = { "schleuse_push_dropped_dead_total", "", METRIC_COUNTER,
	    "Pushes that waited for a pushkey found to be dead" },
};

bool
series_declare(void)
{
	metrics_declare(rows, S_COUNT);
	return metrics_thread();
}

void
series_response(int status)
{
	metrics_inc(S_RESPONSES + (unsigned)(status / 100 % 6));
}

void
series_notify_time(int64_t ms)
{
	metrics_observe(S_NOTIFY_TIME, ms);
}

void
series_delay(int64_t ms)
{
	metrics_observe(S_DELAY, ms);
}

void
series_attempt(enum app_provider provider, enum verdict v, int status, int64_t ms)
{
	metrics_inc(S_VERDICTS + (unsigned)provider * VERDICTS + (unsigned)v);
	metrics_inc(S_ANSWERS + (unsigned)provider * 6 + (unsigned)(status / 100 % 6));
	metrics_observe(S_ATTEMPT_TIME + (unsigned)provider * (SERIES_BUCKETS + 1), ms);
}
