/* SPDX-License-Identifier: Apache-2.0 */
/* The Matrix Push Gateway API (FD-5.2.3-1, T-9, A_26184-02-3). */
#include <criterion/criterion.h>

#include "notify_fakes.h"
#include "pushgw/notify/api.h"
#include "pushgw/series.h"

#define PATH "/_matrix/push/v1/notify"
#define BODY \
	"{\"notification\":{\"devices\":[{\"app_id\":\"app.x\",\"pushkey\":\"K\"}]," \
	"\"event_id\":\"$e\",\"room_id\":\"!r\"}}"
#define NO_APP \
	"{\"notification\":{\"devices\":[{\"app_id\":\"x\",\"pushkey\":\"K\"}],\"event_id\":\"$" \
	"e\"}}"

static struct loop *loop;
static struct api *api;
static struct exchange ex;

static void
begin(void)
{
	fakes_reset();
	cr_assert(series_declare());
	loop = loop_new(NULL);
	cr_assert_not_null(loop);
	api = api_new(loop, NULL, &fakes_conf);
	cr_assert_not_null(api);
	fakes_exchange(&ex, H1_POST, PATH);
}

static void
end(void)
{
	cr_assert_null(seen.put, "somebody still waits for the queue");
	fakes_exchange_fini(&ex);
	api_free(api);
	loop_free(loop);
	cr_assert_eq(atomic_load(&fakes_conf.service.snap.refs), 1);
}

TestSuite(push_api, .init = begin, .fini = end);

static void
request(enum h1_method method, const char *target)
{
	ex.req.method = method;
	ex.req.target = str_z(target);
	api_request(api, &ex, OK);
}

static void
post(const char *body)
{
	seen.upload[0] = str_z(body);
	seen.n_upload = 1;
	request(H1_POST, PATH);
}

static void
answer_is(int status, const char *body)
{
	cr_assert_eq(seen.status, status, "%d %s", seen.status, seen.body);
	cr_assert_str_eq(seen.body, body);
	cr_assert_eq(seen.ended, 1);
	cr_assert_eq(seen.aborted, 0);
}

/* Notifications of which it is known how long they took. */
static int64_t
timed(void)
{
	int64_t n = 0;

	for (unsigned i = 0; i < SERIES_BUCKETS; i++)
		n += metrics_sum(S_NOTIFY_TIME + i);
	return n;
}

static void
refused(enum err why)
{
	char errcode[64];

	snprintf(errcode, sizeof(errcode), "{\"errcode\":\"%s\",", err_rows[why].errcode);
	cr_assert_eq(seen.status, err_rows[why].status, "%d %s", seen.status, seen.body);
	cr_assert_eq(strncmp(seen.body, errcode, strlen(errcode)), 0, "%s", seen.body);
	cr_assert_eq(seen.ended, 1);
}

/* --- routes --- */

Test(push_api, unifiedpush_finds_a_gateway)
{
	request(H1_GET, PATH);
	answer_is(200, "{\"unifiedpush\":{\"gateway\":\"matrix\"}}");
	cr_assert_not_null(strstr(seen.fields, "Content-Type: application/json\n"));
}

Test(push_api, head_is_get_without_a_body)
{
	request(H1_HEAD, PATH);
	answer_is(200, "");
	cr_assert_not_null(strstr(seen.fields, "Content-Length: 36\n"));
}

Test(push_api, options_names_the_methods)
{
	request(H1_OPTIONS, PATH);
	answer_is(204, "");
	cr_assert_not_null(strstr(seen.fields, "Allow: GET, HEAD, POST, OPTIONS\n"));
}

Test(push_api, other_methods_are_not_allowed)
{
	request(H1_PUT, PATH);
	refused(ERR_METHOD);
	cr_assert_not_null(strstr(seen.fields, "Allow: GET, HEAD, POST, OPTIONS\n"));
	cr_assert_not_null(strstr(seen.body, "M_UNRECOGNIZED"));
}

Test(push_api, other_paths_are_unknown)
{
	static const char *const paths[] = { "/", "*", PATH "/", PATH "x",
		"/_matrix/push/v1/Notify", "/_matrix/push/v1/notif%79", "/_matrix/push/r0/notify",
		"//_matrix/push/v1/notify", "/x?/_matrix/push/v1/notify" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		fakes_again(&ex);
		request(H1_POST, paths[i]);
		refused(ERR_UNRECOGNIZED);
	}
}

Test(push_api, a_query_means_nothing)
{
	seen.upload[0] = STR(NO_APP);
	seen.n_upload = 1;
	request(H1_POST, PATH "?x=y");
	answer_is(200, "{\"rejected\":[\"K\"]}");
}

Test(push_api, what_the_connection_refuses_is_answered)
{
	api_request(api, &ex, ERR_HTTP_FIELD);
	refused(ERR_HTTP_FIELD);
	cr_assert_eq(seen.puts, 0);
	cr_assert_eq(metrics_sum(S_CLIENT_ID_ABSENT), 0, "its head was not read");
}

/* --- notifications --- */

Test(push_api, is_answered_when_the_queue_has_it)
{
	const enum delayq_outcome of[] = { DELAYQ_QUEUED };

	post(BODY);
	cr_assert_eq(seen.status, 0);
	cr_assert_eq(seen.n_pushes, 1);
	cr_assert(str_eq(seen.pushes[0].event_id, STR("$e")));
	fakes_put_is(OK, of, 1);
	answer_is(200, "{\"rejected\":[]}");
	cr_assert_eq(metrics_sum(S_NOTIFICATIONS), 1);
	cr_assert_eq(metrics_sum(S_DEVICES), 1);
	cr_assert_eq(timed(), 1);
	cr_assert_eq(metrics_sum(S_RESPONSES + 2), 1);
}

Test(push_api, counts_all_devices_and_tells_of_each)
{
	const enum delayq_outcome of[] = { DELAYQ_QUEUED };

	post("{\"notification\":{\"devices\":[{\"app_id\":\"app.x\",\"pushkey\":\"K\"},"
	     "{\"app_id\":\"x\",\"pushkey\":\"L\"}],\"event_id\":\"$e\"}}");
	fakes_put_is(OK, of, 1);
	answer_is(200, "{\"rejected\":[\"L\"]}");
	cr_assert_eq(metrics_sum(S_DEVICES), 2);
}

Test(push_api, names_the_pushkeys_the_queue_knows_to_be_dead)
{
	const enum delayq_outcome of[] = { DELAYQ_REJECTED };

	post(BODY);
	fakes_put_is(OK, of, 1);
	answer_is(200, "{\"rejected\":[\"K\"]}");
}

Test(push_api, does_not_ask_the_queue_for_nothing)
{
	post(NO_APP);
	answer_is(200, "{\"rejected\":[\"K\"]}");
	cr_assert_eq(seen.puts, 0);
}

Test(push_api, the_body_may_come_in_pieces)
{
	seen.upload_then = EXCHANGE_AGAIN;
	request(H1_POST, PATH);
	cr_assert_eq(seen.limit, fakes_conf.service.limits.body_max);
	for (size_t i = 0; i < sizeof(BODY) - 1; i++) {
		seen.upload[0] = str_of(&BODY[i], 1);
		seen.n_upload = 1;
		cr_assert_eq(seen.puts, 0);
		ex.events->body(ex.arg);
	}
	seen.upload_then = EXCHANGE_END;
	ex.events->body(ex.arg);
	cr_assert_eq(seen.puts, 1);
	fakes_put_is(OK, (enum delayq_outcome[]){ DELAYQ_DUPLICATE }, 1);
	answer_is(200, "{\"rejected\":[]}");
}

Test(push_api, malformed_bodies_are_refused)
{
	static const struct {
		const char *body, *errcode;
		int status;
	} cases[] = {
		{ "", "M_NOT_JSON", 400 },
		{ "{", "M_NOT_JSON", 400 },
		{ "{}", "M_BAD_JSON", 400 },
		{ "{\"notification\":{\"devices\":[],\"devices\":[]}}", "M_BAD_JSON", 400 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fakes_again(&ex);
		post(cases[i].body);
		cr_assert_eq(seen.status, cases[i].status);
		cr_assert_not_null(strstr(seen.body, cases[i].errcode), "%s", seen.body);
		cr_assert_null(strstr(seen.fields, "Retry-After"));
		cr_assert_eq(seen.puts, 0);
	}
	cr_assert_eq(metrics_sum(S_NOTIFICATIONS), 0);
}

Test(push_api, too_long_a_body_is_refused)
{
	seen.upload_then = EXCHANGE_BAD;
	seen.upload_err = ERR_BODY_SIZE;
	request(H1_POST, PATH);
	refused(ERR_BODY_SIZE);
}

static const struct {
	enum err err, told;
	unsigned counted;
} put_errs[] = {
	{ ERR_QUEUE_FULL, ERR_QUEUE_FULL, S_QUEUE_FULL },
	{ ERR_TIMEOUT, ERR_QUEUE_DOWN, S_QUEUE_FAILED },
	{ ERR_STORE_FULL, ERR_QUEUE_DOWN, S_QUEUE_FAILED },
	{ ERR_CONNECT, ERR_QUEUE_DOWN, S_QUEUE_FAILED },
};

Test(push_api, what_the_queue_cannot_take_comes_again)
{
	for (size_t i = 0; i < sizeof(put_errs) / sizeof(*put_errs); i++) {
		int64_t before = metrics_sum(put_errs[i].counted);

		fakes_again(&ex);
		post(BODY);
		fakes_put_is(put_errs[i].err, NULL, 0);
		refused(put_errs[i].told);
		cr_assert_eq(seen.status, 503);
		cr_assert_not_null(strstr(seen.fields, "Retry-After: 5\n"));
		cr_assert_not_null(strstr(seen.body, "\"retry_after_ms\":5000"));
		cr_assert_eq(metrics_sum(put_errs[i].counted), before + 1);
	}
}

/* Or one homeserver could fill the queue for all. */
Test(push_api, an_address_has_its_rate)
{
	ex.peer = "192.0.2.7";
	fakes_conf.notify.rate = 10;
	for (int i = 0; i < 12; i++) {
		fakes_reset();
		ex.head_sent = false;
		ex.peer = i < 11 ? "192.0.2.7" : "192.0.2.8";
		atomic_store(&fakes_conf.service.snap.refs, 2);
		post(NO_APP);
		if (i == 10) {
			refused(ERR_RATE);
			cr_assert_not_null(
			    strstr(seen.fields, "Retry-After: 6\n"), "%s", seen.fields);
		} else {
			cr_assert_eq(seen.status, 200, "%d: %d", i, seen.status);
		}
	}
	cr_assert_eq(metrics_sum(S_NOTIFY_LIMITED), 1);
	fakes_conf.notify.rate = 0;
}

Test(push_api, memory_that_runs_out_is_no_fault_of_the_queue)
{
	seen.put_fails = true;
	post(BODY);
	refused(ERR_MEMORY);
	fakes_again(&ex);
	post(BODY);
	fakes_put_is(ERR_MEMORY, NULL, 0);
	refused(ERR_MEMORY);
	cr_assert_eq(metrics_sum(S_QUEUE_FAILED), 0);
}

Test(push_api, who_goes_away_does_not_wait_any_more)
{
	post(BODY);
	cr_assert_not_null(seen.put);
	ex.events->gone(ex.arg, ERR_CLIENT_GONE);
	cr_assert_null(seen.put);
	cr_assert_eq(seen.status, 0);
	cr_assert_eq(metrics_sum(S_RESPONSES), 1);
	cr_assert_eq(timed(), 1);
}

Test(push_api, who_may_not_notify_is_refused_before_the_body)
{
	static const enum err reasons[] = { ERR_NOTIFY_CLIENT, ERR_NOTIFY_NETWORK,
		ERR_AUTH_REFUSED };

	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
		fakes_again(&ex);
		seen.client = reasons[i];
		post(BODY);
		refused(reasons[i]);
		cr_assert_not_null(strstr(seen.fields, "WWW-Authenticate: Basic\n"));
		cr_assert_eq(seen.n_upload, 1);
		cr_assert_eq(seen.puts, 0);
	}
	fakes_again(&ex); /* what UnifiedPush asks is no secret */
	seen.client = ERR_NOTIFY_CLIENT;
	request(H1_GET, PATH);
	cr_assert_eq(seen.status, 200);
}

/* --- long answers --- */

static const char *
many(char *body, size_t cap)
{
	size_t n = (size_t)snprintf(body, cap, "{\"notification\":{\"devices\":[");

	for (int i = 0; i < 8; i++)
		n += (size_t)snprintf(body + n, cap - n,
		    "%s{\"app_id\":\"x\",\"pushkey\":\"%02000d\"}", i > 0 ? "," : "", i);
	snprintf(body + n, cap - n, "]}}");
	return body;
}

Test(push_api, a_long_answer_is_sent_as_it_is_taken)
{
	static char body[20000];
	char length[64];

	seen.room = 5000;
	post(many(body, sizeof(body)));
	cr_assert_eq(seen.body_n, 5000);
	cr_assert_eq(seen.ended, 0);
	for (int i = 0; i < 3; i++)
		ex.events->room(ex.arg);
	cr_assert_eq(seen.ended, 1);
	cr_assert_eq(seen.body_n, strlen("{\"rejected\":[]}") + 8 * 2002 + 7);
	snprintf(length, sizeof(length), "Content-Length: %zu\n", seen.body_n);
	cr_assert_not_null(strstr(seen.fields, length));
	cr_assert_eq(timed(), 1);
}

Test(push_api, who_goes_away_in_the_middle_of_an_answer_was_answered)
{
	static char body[20000];

	seen.room = 5000;
	post(many(body, sizeof(body)));
	ex.events->gone(ex.arg, ERR_CLIENT_GONE);
	cr_assert_eq(seen.ended + seen.aborted, 0);
	cr_assert_eq(metrics_sum(S_RESPONSES), 0);
	cr_assert_eq(metrics_sum(S_RESPONSES + 2), 1);
	cr_assert_eq(timed(), 1);
}

Test(push_api, room_for_an_answer_is_none)
{
	seen.upload[0] = str_of(BODY, 10);
	seen.n_upload = 1;
	seen.upload_then = EXCHANGE_AGAIN;
	request(H1_POST, PATH);
	ex.events->room(ex.arg);
	cr_assert_eq(seen.ended, 0);
	cr_assert_eq(seen.status, 0);
	ex.events->gone(ex.arg, ERR_CLIENT_GONE);
}

Test(push_api, a_connection_may_be_lost_while_it_is_written)
{
	seen.lose = true;
	post(NO_APP);
	cr_assert_eq(seen.ended + seen.aborted, 0);
}

/* --- across a reload --- */

Test(push_api, a_request_goes_on_across_a_reload)
{
	post(BODY);
	api_adopt(api, &fakes_conf);
	cr_assert_eq(atomic_load(&fakes_conf.service.snap.refs), 2);
	fakes_put_is(OK, (enum delayq_outcome[]){ DELAYQ_QUEUED }, 1);
	answer_is(200, "{\"rejected\":[]}");
}

Test(push_api, who_guesses_is_slowed_by_the_limits_in_force)
{
	static char name[] = "hs1";
	struct client_conf homeserver = { .name = name, .password = STR("secret") };
	struct h1_field head = { STR("Authorization"), STR("Basic aHMxOndyb25n"),
		H1_F_AUTHORIZATION, false };

	fakes_conf.clients.basic = &homeserver;
	fakes_conf.clients.n_basic = 1;
	fakes_conf.guard = (struct guard_conf){ .failures = 1, .forget = 60000, .places = 64 };
	api_adopt(api, &fakes_conf);
	ex.peer = "192.0.2.1";
	ex.req.fields = &head;
	ex.req.n_fields = 1;
	seen.client = ERR_AUTH_REFUSED;
	post(BODY);
	refused(ERR_AUTH_REFUSED);
	fakes_again(&ex);
	post(BODY);
	refused(ERR_AUTH_SLOWED);
	fakes_conf.clients.n_basic = 0;
}

/* --- who asks --- */

Test(push_api, the_product_that_asks_is_counted_and_never_refused) /* A_26182 to A_26184 */
{
	struct h1_field field = { .name = STR("TI-User-Agent"), .value = STR("SCHLEUSE01/1.0.0") };

	post(NO_APP);
	cr_assert_eq(metrics_sum(S_CLIENT_ID_ABSENT), 1);
	ex.req.fields = &field;
	ex.req.n_fields = 1;
	for (int i = 0; i < 2; i++) {
		fakes_again(&ex);
		post(NO_APP);
		answer_is(200, "{\"rejected\":[\"K\"]}");
		field.value = STR("${jndi:ldap://x}");
	}
	cr_assert_eq(metrics_sum(S_CLIENT_ID_VALID), 1);
	cr_assert_eq(metrics_sum(S_CLIENT_ID_INVALID), 1);
}
