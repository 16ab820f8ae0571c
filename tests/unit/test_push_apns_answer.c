/* SPDX-License-Identifier: Apache-2.0 */
/* Each status and reason of Apple's table, and what is none. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "pushgw/providers/apns_answer.h"

static struct attempt_result
judge(int status, const char *body, int64_t pushkey_ts, enum apns_care *care)
{
	struct attempt_result r = { .status = status };

	*care = apns_judge(str_z(body), pushkey_ts, &r);
	return r;
}

struct row {
	int status;
	const char *reason;
	enum verdict verdict;
	enum apns_care care;
	bool whole_app;
};

static const struct row rows[] = {
	{ 400, "BadDeviceToken", VERDICT_SUSPECT, APNS_NOTHING, false },
	{ 400, "DeviceTokenNotForTopic", VERDICT_SUSPECT, APNS_NOTHING, false },
	{ 400, "BadCollapseId", VERDICT_DROP, APNS_NOTHING, false },
	{ 400, "BadExpirationDate", VERDICT_DROP, APNS_NOTHING, false },
	{ 400, "BadMessageId", VERDICT_DROP, APNS_NOTHING, false },
	{ 400, "BadPriority", VERDICT_DROP, APNS_NOTHING, false },
	{ 400, "BadTopic", VERDICT_FAULT, APNS_NOTHING, false },
	{ 400, "TopicDisallowed", VERDICT_FAULT, APNS_NOTHING, false },
	{ 400, "DuplicateHeaders", VERDICT_DROP, APNS_NOTHING, false },
	{ 400, "InvalidPushType", VERDICT_FAULT, APNS_NOTHING, false },
	{ 400, "MissingDeviceToken", VERDICT_DROP, APNS_NOTHING, false },
	{ 400, "MissingTopic", VERDICT_FAULT, APNS_NOTHING, false },
	{ 400, "PayloadEmpty", VERDICT_DROP, APNS_NOTHING, false },
	{ 400, "IdleTimeout", VERDICT_FAILED, APNS_NEW_CONNECTION, false },
	{ 403, "ExpiredProviderToken", VERDICT_FAILED, APNS_NEW_TOKEN, false },
	{ 403, "BadCertificate", VERDICT_FAULT, APNS_NOTHING, false },
	{ 403, "BadCertificateEnvironment", VERDICT_FAULT, APNS_NOTHING, false },
	{ 403, "Forbidden", VERDICT_FAULT, APNS_NOTHING, false },
	{ 403, "InvalidProviderToken", VERDICT_FAULT, APNS_NOTHING, false },
	{ 403, "MissingProviderToken", VERDICT_FAULT, APNS_NOTHING, false },
	{ 403, "UnrelatedKeyIdInToken", VERDICT_FAULT, APNS_NOTHING, false },
	{ 403, "BadEnvironmentKeyIdInToken", VERDICT_FAULT, APNS_NOTHING, false },
	{ 404, "BadPath", VERDICT_DROP, APNS_NOTHING, false },
	{ 405, "MethodNotAllowed", VERDICT_DROP, APNS_NOTHING, false },
	{ 413, "PayloadTooLarge", VERDICT_DROP, APNS_NOTHING, false },
	{ 429, "TooManyRequests", VERDICT_BUSY, APNS_NOTHING, false },
	{ 429, "TooManyProviderTokenUpdates", VERDICT_BUSY, APNS_NOTHING, true },
	{ 500, "InternalServerError", VERDICT_FAILED, APNS_NOTHING, false },
	{ 503, "ServiceUnavailable", VERDICT_FAILED, APNS_NOTHING, false },
	{ 503, "Shutdown", VERDICT_FAILED, APNS_NEW_CONNECTION, false },
};

Test(push_apns_answer, the_table)
{
	char body[128];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		enum apns_care care;
		struct attempt_result r;

		snprintf(body, sizeof(body), "{\"reason\":\"%s\"}", row->reason);
		r = judge(row->status, body, 0, &care);
		cr_assert_eq(r.verdict, row->verdict, "%s: %d", row->reason, r.verdict);
		cr_assert_eq(care, row->care, "%s", row->reason);
		cr_assert_eq(r.whole_app, row->whole_app, "%s", row->reason);
		cr_assert_str_eq(r.reason, row->reason);
	}
}

Test(push_apns_answer, delivered)
{
	enum apns_care care;
	struct attempt_result r = judge(200, "", 0, &care);

	cr_assert_eq(r.verdict, VERDICT_DELIVERED);
	cr_assert_eq(care, APNS_NOTHING);
	cr_assert_str_eq(r.reason, "");
}

/* pushkey_ts has seconds, timestamp milliseconds. */
Test(push_apns_answer, a_device_is_gone_only_since_its_pushkey_was_set)
{
	static const struct {
		const char *body;
		int64_t pushkey_ts;
		enum verdict verdict;
	} cases[] = {
		{ "{\"reason\":\"Unregistered\",\"timestamp\":1700000000001}", 1700000000,
		    VERDICT_DEAD },
		{ "{\"reason\":\"ExpiredToken\",\"timestamp\":1700000000001}", 1700000000,
		    VERDICT_DEAD },
		{ "{\"timestamp\":1700000000001,\"reason\":\"Unregistered\"}", 0, VERDICT_DEAD },
		{ "{\"reason\":\"Unregistered\",\"timestamp\":1700000000000}", 1700000000,
		    VERDICT_DROP },
		{ "{\"reason\":\"Unregistered\",\"timestamp\":1699999999999}", 1700000000,
		    VERDICT_DROP },
		{ "{\"reason\":\"ExpiredToken\",\"timestamp\":5}", 1700000000, VERDICT_DROP },
		/* in seconds it would be long ago */
		{ "{\"reason\":\"Unregistered\",\"timestamp\":1800000000}", 1700000000,
		    VERDICT_DROP },
		{ "{\"reason\":\"Unregistered\"}", 0, VERDICT_SUSPECT },
		{ "{\"reason\":\"Unregistered\",\"timestamp\":\"1800000000000\"}", 1700000000,
		    VERDICT_SUSPECT },
	};
	enum apns_care care;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		cr_assert_eq(judge(410, cases[i].body, cases[i].pushkey_ts, &care).verdict,
		    cases[i].verdict, "%s", cases[i].body);
}

/* What is not in the table is judged by its status, and nothing of it is repeated. */
Test(push_apns_answer, others)
{
	static const struct {
		int status;
		const char *body;
		enum verdict verdict;
	} cases[] = {
		{ 400, "{\"reason\":\"BrandNew\"}", VERDICT_DROP },
		{ 400, "{\"reason\":\"Unregistered\",\"timestamp\":9999999999999}", VERDICT_DROP },
		{ 401, "", VERDICT_FAULT },
		{ 403, "{\"reason\":\"BrandNew\"}", VERDICT_FAULT },
		{ 403, "<html>", VERDICT_FAULT },
		{ 404, "Not found", VERDICT_FAULT },
		{ 410, "", VERDICT_SUSPECT },
		{ 410, "{\"reason\":\"BrandNew\",\"timestamp\":9999999999999}", VERDICT_SUSPECT },
		{ 413, "", VERDICT_DROP },
		{ 429, "{\"reason\":7}", VERDICT_BUSY },
		{ 500, "{\"reason\":\"BadDeviceToken\"}", VERDICT_FAILED },
		{ 502, "", VERDICT_FAILED },
		{ 599, "", VERDICT_FAILED },
		{ 302, "", VERDICT_FAILED },
		{ 204, "", VERDICT_FAILED },
		{ 400, "{\"reason\":\"BadDeviceToken\",\"reason\":\"BadDeviceToken\"}",
		    VERDICT_DROP },
		{ 400, "{\"reason\":\"BadDeviceToken\\u0000\"}", VERDICT_DROP },
	};
	enum apns_care care;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct attempt_result r = judge(cases[i].status, cases[i].body, 0, &care);

		cr_assert_eq(r.verdict, cases[i].verdict, "%d %s", cases[i].status, cases[i].body);
		cr_assert_str_eq(r.reason, "", "%d %s", cases[i].status, cases[i].body);
		cr_assert_eq(care, APNS_NOTHING);
	}
}
