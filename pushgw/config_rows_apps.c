/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_rows_apps - the settings of one entry of `apps`.
 */
#include "pushgw/config_check.h"

#define SECOND UINT64_C(1000)
#define DAY (24 * 3600 * SECOND)

#define APNS(m) CONF_FIELD(struct apns_conf, m)
#define FCM(m) CONF_FIELD(struct fcm_conf, m)
#define WEBPUSH(m) CONF_FIELD(struct webpush_conf, m)
#define UNIFIEDPUSH(m) CONF_FIELD(struct unifiedpush_conf, m)
#define APP(m) CONF_FIELD(struct app_conf, m)

/* clang-format off */
static const struct conf_word providers[] = {
	{ "apns", APP_APNS }, { "fcm", APP_FCM }, { "webpush", APP_WEBPUSH }, { "unifiedpush", APP_UNIFIEDPUSH },
	{ NULL, 0 } };
static const struct conf_word opt_ins[] = {
	{ "pusher", OPT_IN_PUSHER }, { "required", OPT_IN_REQUIRED }, { NULL, 0 } };
static const struct conf_word counts[] = {
	{ "drop", COUNTS_DROP }, { "wake", COUNTS_WAKE }, { NULL, 0 } };
static const struct conf_word environments[] = {
	{ "production", false }, { "sandbox", true }, { NULL, 0 } };
static const struct conf_word push_types[] = {
	{ "alert", APNS_ALERT }, { "background", APNS_BACKGROUND }, { "voip", APNS_VOIP }, { NULL, 0 } };
static const struct conf_word tokens[] = {
	{ "auto", APNS_TOKEN_AUTO }, { "hex", APNS_TOKEN_HEX }, { "base64", APNS_TOKEN_BASE64 }, { NULL, 0 } };

/* What the device needs to show something without knowing what: texts are names of texts that lie
 * in the app, never texts (ML-123618-6, ML-123618-7). */
#define APNS_PAYLOAD \
	"aps.mutable-content, aps.content-available, aps.alert.loc-key, aps.alert.title-loc-key, " \
	"aps.alert.subtitle-loc-key, aps.sound, aps.category, aps.interruption-level"

const struct conf_option config_apns_rows[] = {
	{ "environment", CONF_ENUM, APNS(sandbox), "production", 0, 0, CONF_RELOAD,
	  "which of Apple's servers the app's builds are registered with", .words = environments },
	{ "url", CONF_STRING, APNS(url), "", 0, 300, CONF_RELOAD,
	  "https URL of another server, without path; empty: that of the environment" },
	{ "topic", CONF_STRING, APNS(topic), "", 0, 255, CONF_RELOAD,
	  "bundle ID of the app; empty: that in the certificate" },
	{ "push_type", CONF_ENUM, APNS(push_type), "alert", 0, 0, CONF_RELOAD, "apns-push-type", .words = push_types },
	{ "token", CONF_ENUM, APNS(token), "auto", 0, 0, CONF_RELOAD,
	  "how pushkeys spell the device token", .words = tokens },
	{ "key_file", CONF_PATH, APNS(key_file), "", 0, 4096, CONF_RELOAD,
	  "file of the private key for tokens (AuthKey_*.p8)" },
	{ "key_id", CONF_STRING, APNS(key_id), "", 0, 10, CONF_RELOAD, "its ID of ten characters" },
	{ "team_id", CONF_STRING, APNS(team_id), "", 0, 10, CONF_RELOAD, "ID of the team, of ten characters" },
	{ "certificate", CONF_PATH, APNS(certificate), "", 0, 4096, CONF_RELOAD,
	  "or PEM file of the client certificate, with its chain" },
	{ "certificate_key", CONF_PATH, APNS(certificate_key), "", 0, 4096, CONF_RELOAD,
	  "PEM file of its private key; empty: it is in the certificate's file" },
	{ "payload", CONF_STRINGS, APNS(payload), APNS_PAYLOAD, 0, 100, CONF_RELOAD,
	  "paths of the pusher's default_payload that are let through" },
	CONF_END
};

const struct conf_option config_fcm_rows[] = {
	{ "service_account_file", CONF_PATH, FCM(service_account_file), "", 0, 4096, CONF_RELOAD,
	  "JSON file of the service account's key" },
	{ "project_id", CONF_STRING, FCM(project_id), "", 0, 100, CONF_RELOAD,
	  "project; empty: that of the service account" },
	{ "url", CONF_STRING, FCM(url), "https://fcm.googleapis.com", 1, 300, CONF_RELOAD,
	  "https URL of the server, without path" },
	{ "token_url", CONF_STRING, FCM(token_url), "", 0, 2048, CONF_RELOAD,
	  "https URL where access tokens are asked for; empty: that of the service account" },
	{ "ttl", CONF_DURATION, FCM(ttl), "28d", 0, 28 * DAY, CONF_RELOAD,
	  "how long FCM keeps a push for a device that is off" },
	{ "payload", CONF_STRINGS, FCM(payload), "", 0, 100, CONF_RELOAD,
	  "members of the pusher's default_payload that are let through" },
	CONF_END
};

const struct conf_option config_webpush_rows[] = {
	{ "vapid_key_file", CONF_PATH, WEBPUSH(vapid_key_file), "", 0, 4096, CONF_RELOAD,
	  "file of the private key of VAPID, PEM or base64url" },
	{ "contact", CONF_STRING, WEBPUSH(contact), "", 0, 255, CONF_RELOAD,
	  "mailto: or https: URL where push services reach the operator" },
	{ "endpoints", CONF_STRINGS, WEBPUSH(endpoints), "", 0, 1000, CONF_RELOAD,
	  "hosts, or globs of them, to which pushes may go; none: any with a public address" },
	{ "ttl", CONF_DURATION, WEBPUSH(ttl), "1d", 0, 28 * DAY, CONF_RELOAD,
	  "how long the push service keeps a push for a browser that is closed" },
	{ "events_only", CONF_BOOL, WEBPUSH(events_only), "true", 0, 0, CONF_RELOAD,
	  "whether notifications without an event are dropped, unless the pusher says so itself" },
	CONF_END
};

const struct conf_option config_unifiedpush_rows[] = {
	{ "endpoints", CONF_STRINGS, UNIFIEDPUSH(endpoints), "", 0, 1000, CONF_RELOAD,
	  "hosts, or globs of them, to which pushes may go; none: any with a public address" },
	CONF_END
};

const struct conf_option config_app_rows[] = {
	{ "id", CONF_STRING, APP(id), NULL, 1, PUSH_APP_ID_MAX, CONF_RELOAD,
	  "app_id of its pushers, or a glob with * and ?" },
	{ "provider", CONF_ENUM, APP(provider), NULL, 0, 0, CONF_RELOAD, "way to its devices", .words = providers },
	{ "opt_in", CONF_ENUM, APP(opt_in), "pusher", 0, 0, CONF_RELOAD,
	  "what shows the user's consent: that there is a pusher, or a flag of it", .words = opt_ins },
	{ "opt_in_flag", CONF_STRING, APP(opt_in_flag), "", 0, 255, CONF_RELOAD,
	  "with opt_in: required, the member of the pusher's data that must be true" },
	{ "counts_only", CONF_ENUM, APP(counts_only), "drop", 0, 0, CONF_RELOAD,
	  "what becomes of a notification of counts alone: nothing, or a push without IDs", .words = counts },
	{ "concurrency", CONF_COUNT, APP(concurrency), "100", 1, 100000, CONF_RELOAD,
	  "requests at the same time" },
	{ "host_concurrency", CONF_COUNT, APP(host_concurrency), "25", 1, 100000, CONF_RELOAD,
	  "of them, to one host that devices name (Web Push, UnifiedPush)" },
	{ "rate", CONF_COUNT, APP(rate), "0", 0, 10000000, CONF_RELOAD, "pushes a minute; 0: any number" },
	{ "apns", CONF_SECTION, APP(apns), NULL, 0, 0, CONF_RELOAD, "Apple Push Notification service",
	  .rows = config_apns_rows },
	{ "fcm", CONF_SECTION, APP(fcm), NULL, 0, 0, CONF_RELOAD, "Firebase Cloud Messaging", .rows = config_fcm_rows },
	{ "webpush", CONF_SECTION, APP(webpush), NULL, 0, 0, CONF_RELOAD, "Web Push", .rows = config_webpush_rows },
	{ "unifiedpush", CONF_SECTION, APP(unifiedpush), NULL, 0, 0, CONF_RELOAD, "UnifiedPush",
	  .rows = config_unifiedpush_rows },
	CONF_END
};
/* clang-format on */
