/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fedsource_regsvc - the registration service is asked at every interval, whenever it announces
 * another list, and when a name is missing (facts of UC_Update_Federationlist; FD-5.2.2-16).
 *
 * A list is as old as the service says (Age): one that has lost its directory keeps no list young.
 * When its list is outdated, the federation is closed at once, and the service is not asked for it
 * for outdated_wait unless it announces something.  A mere 503 can come from anything in between,
 * so the list's status is asked before that is believed.
 */
#include <stdio.h>

#include "lib/base/log.h"
#include "lib/jose/claims.h"
#include "proxy/fedsource_int.h"
#include "proxy/regclient.h"

#define STATUS_MAX (16 << 10)

/* --- a list that is outdated there --- */

static void
set_outdated(struct fedsource *s, bool outdated)
{
	if (outdated && !s->outdated)
		log_error("federation %s: the registration service says that its list is outdated; "
			  "the federation is closed; check why it does not reach the directory",
		    s->name);
	else if (!outdated && s->outdated)
		log_info(
		    "federation %s: the registration service has a current list again", s->name);
	s->outdated = outdated;
}

/* `before`: as it was; that stands where there is no word. */
static bool
is_outdated(const struct fetch_result *r, bool before)
{
	struct claims *answer;
	struct str status;
	bool outdated = before;

	if (r->err != OK || r->status != 200)
		return before;
	answer = claims_read_object(r->body);
	if (claims_text(claims_get(answer, "status"), &status))
		outdated = str_eq(status, STR("veraltet"));
	claims_free(answer);
	return outdated;
}

static void
on_status(void *arg, const struct fetch_result *r)
{
	struct fedsource *s = arg;

	s->call = NULL;
	set_outdated(s, is_outdated(r, s->outdated));
	fedsource_settle(s, ERR_HTTP_ANSWER, 0, 503);
}

static void
ask_status(struct fedsource *s)
{
	const struct regcall_request req = { .path = "federation-list/status",
		.max_bytes = STATUS_MAX };

	s->call = regclient_get(s->cfg.client, &req, on_status, s);
	if (s->call == NULL)
		fedsource_settle(s, ERR_MEMORY, 0, 503);
}

/* --- the list --- */

static void
take_list(struct fedsource *s, const struct fetch_result *r, int64_t as_of)
{
	struct buf body;

	fetch_take_body(r, &body);
	fedsource_offer(s, &body, as_of, r->status, r->etag);
}

static void
judged(struct fedsource *s, enum err err)
{
	if (err == OK)
		set_outdated(s, false);
}

static void
on_answer(void *arg, const struct fetch_result *r)
{
	struct fedsource *s = arg;
	int64_t age = regclient_age(r), as_of = clock_wall_s() - age;
	bool held = fedstore_list(s->cfg.store) != NULL;

	s->call = NULL;
	if (r->err != OK) {
		fedsource_settle(s, r->err, 0, r->status);
	} else if (r->status == 503) {
		ask_status(s);
	} else if (age >= 0 && r->status == 200 && r->body.n > 0) {
		take_list(s, r, as_of);
	} else if (age >= 0 && (r->status == 204 || r->status == 304) && held) {
		set_outdated(s, false);
		fedsource_settle(s, OK, as_of, r->status);
	} else {
		fedsource_settle(s, ERR_HTTP_ANSWER, 0, r->status);
	}
}

static void
look(struct fedsource *s)
{
	const struct fedlist *held = fedstore_list(s->cfg.store);
	char path[64] = "federation-list.jws";
	struct regcall_request req = { .path = path, .max_bytes = s->cfg.max_bytes };

	if (fedsource_busy(s))
		return;
	s->announced = -1;
	if (held != NULL) {
		snprintf(path, sizeof(path), "federation-list.jws?version=%lld",
		    (long long)fedlist_version(held));
		req.if_none_match = s->etag[0] != '\0' ? s->etag : NULL;
	}
	s->call = regclient_get(s->cfg.client, &req, on_answer, s);
	if (s->call == NULL)
		fedsource_settle(s, ERR_MEMORY, 0, 0);
}

void
fedsource_announced(struct fedsource *s, int64_t version)
{
	if (s->kind != &fedsource_by_regsvc)
		return;
	if (fedsource_busy(s))
		s->announced = version;
	else
		timer_set(s->loop, &s->timer, 0);
}

static void
cancel(struct fedsource *s)
{
	regcall_cancel(s->call);
	s->call = NULL;
}

const struct fedsource_kind fedsource_by_regsvc = {
	.look = look,
	.judged = judged,
	.cancel = cancel,
	.retry = FEDSOURCE_RETRY_MS,
};
