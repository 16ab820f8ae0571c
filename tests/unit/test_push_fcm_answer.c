/* SPDX-License-Identifier: Apache-2.0 */
/* Each status and code of Google's table, and what is none. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "pushgw/providers/fcm_answer.h"

#define DETAIL(code) \
	"{\"@type\":\"type.googleapis.com/google.firebase.fcm.v1.FcmError\",\"errorCode\":\"" code \
	"\"}"
#define ERROR(status, details) \
	"{\"error\":{\"code\":1,\"status\":\"" status "\",\"message\":\"m\",\"details\":[" details \
	"]}}"
#define VIOLATION(field) \
	"{\"@type\":\"type.googleapis.com/" \
	"google.rpc.BadRequest\",\"fieldViolations\":[{\"field\":" \
	"\"x\"},{\"field\":\"" field "\",\"description\":\"d\"}]}"

struct row {
	int status;
	const char *body;
	enum verdict verdict;
	const char *reason;
	bool new_token, whole_app;
	clock_ms retry_after;
};

static const struct row rows[] = {
	{ 200, "{\"name\":\"projects/p/messages/0:1\"}", VERDICT_DELIVERED, "", false, false, 0 },
	{ 200, "", VERDICT_DELIVERED, "", false, false, 0 },
	{ 404, ERROR("NOT_FOUND", DETAIL("UNREGISTERED")), VERDICT_DEAD, "UNREGISTERED", false,
	    false, 0 },
	/* a wrong project or URL */
	{ 404, ERROR("NOT_FOUND", ""), VERDICT_FAULT, "NOT_FOUND", false, false, 0 },
	{ 404, ERROR("UNREGISTERED_X", ""), VERDICT_FAULT, "", false, false, 0 },
	{ 404, "<html>404</html>", VERDICT_FAULT, "", false, false, 0 },
	/* the token's fault, or that of the rest */
	{ 400, ERROR("INVALID_ARGUMENT", DETAIL("INVALID_ARGUMENT")), VERDICT_DROP,
	    "INVALID_ARGUMENT", false, false, 0 },
	{ 400, ERROR("INVALID_ARGUMENT", VIOLATION("message.token")), VERDICT_SUSPECT,
	    "INVALID_ARGUMENT", false, false, 0 },
	{ 400, ERROR("INVALID_ARGUMENT", DETAIL("INVALID_ARGUMENT") "," VIOLATION("message.token")),
	    VERDICT_SUSPECT, "INVALID_ARGUMENT", false, false, 0 },
	{ 400, ERROR("INVALID_ARGUMENT", VIOLATION("message.data[0].value")), VERDICT_DROP,
	    "INVALID_ARGUMENT", false, false, 0 },
	{ 400,
	    "{\"error\":{\"status\":\"INVALID_ARGUMENT\",\"message\":\"The registration token is "
	    "not a valid FCM registration token\"}}",
	    VERDICT_SUSPECT, "INVALID_ARGUMENT", false, false, 0 },
	{ 400, "", VERDICT_DROP, "", false, false, 0 },
	{ 413, "", VERDICT_DROP, "", false, false, 0 },
	{ 403, ERROR("PERMISSION_DENIED", DETAIL("SENDER_ID_MISMATCH")), VERDICT_SUSPECT,
	    "SENDER_ID_MISMATCH", false, false, 0 },
	{ 403, ERROR("PERMISSION_DENIED", ""), VERDICT_FAULT, "PERMISSION_DENIED", false, false,
	    0 },
	{ 403, "", VERDICT_FAULT, "", false, false, 0 },
	{ 401, ERROR("UNAUTHENTICATED", ""), VERDICT_FAULT, "UNAUTHENTICATED", true, false, 0 },
	{ 401, "", VERDICT_FAULT, "", true, false, 0 },
	{ 401, ERROR("UNAUTHENTICATED", DETAIL("THIRD_PARTY_AUTH_ERROR")), VERDICT_FAULT,
	    "THIRD_PARTY_AUTH_ERROR", false, false, 0 },
	{ 429, ERROR("RESOURCE_EXHAUSTED", DETAIL("QUOTA_EXCEEDED")), VERDICT_BUSY,
	    "QUOTA_EXCEEDED", false, true, 60000 },
	{ 429, ERROR("RESOURCE_EXHAUSTED", ""), VERDICT_BUSY, "RESOURCE_EXHAUSTED", false, true,
	    60000 },
	{ 429, "", VERDICT_BUSY, "", false, true, 60000 },
	{ 500, ERROR("INTERNAL", DETAIL("INTERNAL")), VERDICT_FAILED, "INTERNAL", false, false,
	    10000 },
	{ 503, ERROR("UNAVAILABLE", DETAIL("UNAVAILABLE")), VERDICT_FAILED, "UNAVAILABLE", false,
	    false, 10000 },
	{ 502, "<!DOCTYPE html>", VERDICT_FAILED, "", false, false, 10000 },
	{ 405, "", VERDICT_FAULT, "", false, false, 0 },
	{ 302, "", VERDICT_FAILED, "", false, false, 0 },
	{ 204, "", VERDICT_FAILED, "", false, false, 0 },
	/* a code belongs to its status, and to its type of detail */
	{ 400, ERROR("INVALID_ARGUMENT", DETAIL("UNREGISTERED")), VERDICT_DROP, "", false, false,
	    0 },
	{ 404, ERROR("NOT_FOUND", "{\"@type\":\"x\",\"errorCode\":\"UNREGISTERED\"}"),
	    VERDICT_FAULT, "NOT_FOUND", false, false, 0 },
	{ 404, "{\"error\":{\"details\":\"UNREGISTERED\",\"status\":5}}", VERDICT_FAULT, "", false,
	    false, 0 },
	{ 404, "{\"error\":[]}", VERDICT_FAULT, "", false, false, 0 },
};

Test(push_fcm_answer, the_table)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		struct attempt_result r = { .status = row->status };

		cr_assert_eq(fcm_judge(str_z(row->body), &r), row->new_token, "%s", row->body);
		cr_assert_eq(
		    r.verdict, row->verdict, "%d %s: %d", row->status, row->body, r.verdict);
		cr_assert_str_eq(r.reason, row->reason, "%s", row->body);
		cr_assert_eq(r.whole_app, row->whole_app, "%s", row->body);
		cr_assert_eq(r.retry_after, row->retry_after, "%s", row->body);
	}
}

Test(push_fcm_answer, many_details)
{
	static char body[65536];
	struct attempt_result r = { .status = 404 };
	int n = snprintf(body, sizeof(body), "{\"error\":{\"status\":\"NOT_FOUND\",\"details\":[");

	for (int i = 0; i < 1000; i++)
		n += snprintf(body + n, sizeof(body) - (size_t)n, "{},");
	snprintf(body + n, sizeof(body) - (size_t)n, "%s]}}", DETAIL("UNREGISTERED"));
	cr_assert_not(fcm_judge(str_z(body), &r));
	cr_assert_eq(r.verdict, VERDICT_FAULT);
}
