/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/providers/fcm_answer.h"

#include "lib/jose/claims.h"

#define FCM_ERROR STR("type.googleapis.com/google.firebase.fcm.v1.FcmError")
#define BAD_REQUEST STR("type.googleapis.com/google.rpc.BadRequest")
#define DETAILS_MAX 16
#define QUOTA_MS 60000  /* Google: at least a minute, where it names no time */
#define OUTAGE_MS 10000 /* ... and here ten seconds */

struct row {
	int status;
	const char *code;
	enum verdict verdict;
	bool new_token;
	clock_ms retry_after; /* unless the answer says */
	bool whole_app;
};

static const struct row rows[] = {
	{ 200, "", VERDICT_DELIVERED, false, 0, false },
	/* the device */
	{ 404, "UNREGISTERED", VERDICT_DEAD, false, 0, false },
	/* the device, or our project: SUSPECT if it is about the token, see is_about_token() */
	{ 400, "INVALID_ARGUMENT", VERDICT_DROP, false, 0, false },
	{ 403, "SENDER_ID_MISMATCH", VERDICT_SUSPECT, false, 0, false },
	/* our credentials and settings */
	{ 401, "UNAUTHENTICATED", VERDICT_FAULT, true, 0, false },
	{ 401, "THIRD_PARTY_AUTH_ERROR", VERDICT_FAULT, false, 0, false },
	{ 403, "PERMISSION_DENIED", VERDICT_FAULT, false, 0, false },
	{ 404, "NOT_FOUND", VERDICT_FAULT, false, 0, false },
	/* too much */
	{ 429, "QUOTA_EXCEEDED", VERDICT_BUSY, false, QUOTA_MS, true },
	{ 429, "RESOURCE_EXHAUSTED", VERDICT_BUSY, false, QUOTA_MS, true },
	/* theirs */
	{ 500, "INTERNAL", VERDICT_FAILED, false, OUTAGE_MS, false },
	{ 503, "UNAVAILABLE", VERDICT_FAILED, false, OUTAGE_MS, false },
};

/* Without a code that is known. */
static const struct row classes[] = {
	{ 400, "", VERDICT_DROP, false, 0, false },
	{ 401, "", VERDICT_FAULT, true, 0, false },
	{ 413, "", VERDICT_DROP, false, 0, false },
	{ 429, "", VERDICT_BUSY, false, QUOTA_MS, true },
};

static const struct row other_4xx = { 0, "", VERDICT_FAULT, false, 0, false };
static const struct row other_5xx = { 0, "", VERDICT_FAILED, false, OUTAGE_MS, false };
static const struct row other = { 0, "", VERDICT_FAILED, false, 0, false };

static const struct row *
row_of(int status, struct str code)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].status == status && str_eq(str_z(rows[i].code), code))
			return &rows[i];
	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
		if (classes[i].status == status)
			return &classes[i];
	if (status >= 500)
		return &other_5xx;
	return status >= 400 ? &other_4xx : &other;
}

static bool
is_text(const struct claims *o, const char *name, struct str text)
{
	struct str s;

	return claims_text(claims_get(o, name), &s) && str_eq(s, text);
}

/* The element of error.details that has this type; NULL: none. */
static const struct claims *
detail(const struct claims *error, struct str type)
{
	const struct claims *details = claims_get(error, "details");
	size_t n = claims_elements(details);

	for (size_t i = 0; i < n && i < DETAILS_MAX; i++)
		if (is_text(claims_at(details, i), "@type", type))
			return claims_at(details, i);
	return NULL;
}

/* FCM's own code, else the one that all of Google's interfaces have. */
static struct str
code_of(const struct claims *error)
{
	struct str code;

	if (claims_text(claims_get(detail(error, FCM_ERROR), "errorCode"), &code) ||
	    claims_text(claims_get(error, "status"), &code))
		return code;
	return STR_NONE;
}

/* Whether the argument that is invalid is the pushkey and not what we made. */
static bool
is_about_token(const struct claims *error)
{
	const struct claims *violations = claims_get(detail(error, BAD_REQUEST), "fieldViolations");
	size_t n = claims_elements(violations);

	for (size_t i = 0; i < n && i < DETAILS_MAX; i++)
		if (is_text(claims_at(violations, i), "field", STR("message.token")))
			return true;
	return is_text(
	    error, "message", STR("The registration token is not a valid FCM registration token"));
}

bool
fcm_judge(struct str body, struct attempt_result *r)
{
	struct claims *answer = r->status == 200 ? NULL : claims_read_object(body);
	const struct claims *error = claims_get(answer, "error");
	const struct row *row = row_of(r->status, code_of(error));

	r->verdict = row->verdict;
	if (r->status == 400 && row->code[0] != '\0' && is_about_token(error))
		r->verdict = VERDICT_SUSPECT;
	r->reason = row->code;
	r->retry_after = row->retry_after;
	r->whole_app = row->whole_app;
	claims_free(answer);
	return row->new_token;
}
