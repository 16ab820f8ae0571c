/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/providers/apns_answer.h"

#include "lib/jose/claims.h"

#define TOKEN_UPDATES_MS 60000 /* Apple does not say how long */

struct row {
	int status; /* 0: whatever is left of a class */
	const char *reason;
	enum verdict verdict;
	enum apns_care care;
	clock_ms retry_after;
	bool whole_app;
};

static const struct row rows[] = {
	{ 200, "", VERDICT_DELIVERED, APNS_NOTHING, 0, false },
	/* the device: of these two see judge_gone() */
	{ 410, "Unregistered", VERDICT_DEAD, APNS_NOTHING, 0, false },
	{ 410, "ExpiredToken", VERDICT_DEAD, APNS_NOTHING, 0, false },
	/* the device, or our environment and topic */
	{ 400, "BadDeviceToken", VERDICT_SUSPECT, APNS_NOTHING, 0, false },
	{ 400, "DeviceTokenNotForTopic", VERDICT_SUSPECT, APNS_NOTHING, 0, false },
	/* this request */
	{ 400, "BadCollapseId", VERDICT_DROP, APNS_NOTHING, 0, false },
	{ 400, "BadExpirationDate", VERDICT_DROP, APNS_NOTHING, 0, false },
	{ 400, "BadMessageId", VERDICT_DROP, APNS_NOTHING, 0, false },
	{ 400, "BadPriority", VERDICT_DROP, APNS_NOTHING, 0, false },
	{ 400, "DuplicateHeaders", VERDICT_DROP, APNS_NOTHING, 0, false },
	{ 400, "MissingDeviceToken", VERDICT_DROP, APNS_NOTHING, 0, false },
	{ 400, "PayloadEmpty", VERDICT_DROP, APNS_NOTHING, 0, false },
	{ 404, "BadPath", VERDICT_DROP, APNS_NOTHING, 0, false },
	{ 405, "MethodNotAllowed", VERDICT_DROP, APNS_NOTHING, 0, false },
	{ 413, "PayloadTooLarge", VERDICT_DROP, APNS_NOTHING, 0, false },
	/* the connection */
	{ 400, "IdleTimeout", VERDICT_FAILED, APNS_NEW_CONNECTION, 0, false },
	{ 503, "Shutdown", VERDICT_FAILED, APNS_NEW_CONNECTION, 0, false },
	/* our settings and credentials */
	{ 400, "BadTopic", VERDICT_FAULT, APNS_NOTHING, 0, false },
	{ 400, "TopicDisallowed", VERDICT_FAULT, APNS_NOTHING, 0, false },
	{ 400, "InvalidPushType", VERDICT_FAULT, APNS_NOTHING, 0, false },
	{ 400, "MissingTopic", VERDICT_FAULT, APNS_NOTHING, 0, false },
	{ 403, "ExpiredProviderToken", VERDICT_FAILED, APNS_NEW_TOKEN, 0, false },
	{ 403, "BadCertificate", VERDICT_FAULT, APNS_NOTHING, 0, false },
	{ 403, "BadCertificateEnvironment", VERDICT_FAULT, APNS_NOTHING, 0, false },
	{ 403, "Forbidden", VERDICT_FAULT, APNS_NOTHING, 0, false },
	{ 403, "InvalidProviderToken", VERDICT_FAULT, APNS_NOTHING, 0, false },
	{ 403, "MissingProviderToken", VERDICT_FAULT, APNS_NOTHING, 0, false },
	{ 403, "UnrelatedKeyIdInToken", VERDICT_FAULT, APNS_NOTHING, 0, false },
	{ 403, "BadEnvironmentKeyIdInToken", VERDICT_FAULT, APNS_NOTHING, 0, false },
	/* too much */
	{ 429, "TooManyRequests", VERDICT_BUSY, APNS_NOTHING, 0, false },
	{ 429, "TooManyProviderTokenUpdates", VERDICT_BUSY, APNS_NOTHING, TOKEN_UPDATES_MS, true },
	/* theirs */
	{ 500, "InternalServerError", VERDICT_FAILED, APNS_NOTHING, 0, false },
	{ 503, "ServiceUnavailable", VERDICT_FAILED, APNS_NOTHING, 0, false },
};

/* Without a reason that is known. */
static const struct row classes[] = {
	{ 401, "", VERDICT_FAULT, APNS_NOTHING, 0, false },
	{ 403, "", VERDICT_FAULT, APNS_NOTHING, 0, false },
	{ 404, "", VERDICT_FAULT, APNS_NOTHING, 0, false }, /* not APNs: see `url` */
	{ 410, "", VERDICT_SUSPECT, APNS_NOTHING, 0, false },
	{ 429, "", VERDICT_BUSY, APNS_NOTHING, 0, true },
};

static const struct row other_4xx = { 0, "", VERDICT_DROP, APNS_NOTHING, 0, false };
static const struct row other = { 0, "", VERDICT_FAILED, APNS_NOTHING, 0, false };

static const struct row *
row_of(int status, struct str reason)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].status == status && str_eq(str_z(rows[i].reason), reason))
			return &rows[i];
	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
		if (classes[i].status == status)
			return &classes[i];
	return status >= 400 && status < 500 ? &other_4xx : &other;
}

/* The device was gone at `timestamp` (ms); since then the app may have registered again with the
 * same token.  Without a time nothing is proven. */
static enum verdict
judge_gone(const struct claims *answer, int64_t pushkey_ts)
{
	double gone;

	if (!claims_number(claims_get(answer, "timestamp"), &gone))
		return VERDICT_SUSPECT;
	return gone > (double)pushkey_ts * 1000 ? VERDICT_DEAD : VERDICT_DROP;
}

enum apns_care
apns_judge(struct str body, int64_t pushkey_ts, struct attempt_result *r)
{
	struct claims *answer = r->status == 200 ? NULL : claims_read_object(body);
	struct str reason = STR_NONE;
	const struct row *row;

	if (answer != NULL && !claims_text(claims_get(answer, "reason"), &reason))
		reason = STR_NONE;
	row = row_of(r->status, reason);
	r->verdict = row->verdict == VERDICT_DEAD ? judge_gone(answer, pushkey_ts) : row->verdict;
	r->reason = row->reason;
	r->retry_after = row->retry_after;
	r->whole_app = row->whole_app;
	claims_free(answer);
	return row->care;
}
