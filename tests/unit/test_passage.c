/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request through the gate, with everything around it faked at link time: FD-5.2.1.2-10, -11, -15, -19,
 * O-9, O-12; design: "the path of a request".
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/base/log.h"
#include "lib/matrix/keyring.h"
#include "lib/matrix/serverkeys.h"
#include "proxy/paths.h"
#include "proxy/rules/rules.h"
#include "tests/unit/passage_play.h"

#define SEND "/_matrix/federation/v1/send/1"
#define EVENT "/_matrix/federation/v1/event/e"
#define INVITE "/_matrix/federation/v2/invite/!r:" THEM "/$e"
#define NAME "/_matrix/client/v3/profile/@anna:" US "/displayname"
#define INVITE_EVENT                                                                               \
	"{\"type\":\"m.room.member\",\"sender\":\"@eve:" THEM "\",\"state_key\":\"@bob:" US                \
	"\",\"room_id\":\"!r:" THEM "\",\"content\":{\"membership\":\"invite\"}}"
#define INVITE_BODY "{\"event\":" INVITE_EVENT "}"
#define INVITE_IN_SEND "{\"pdus\":[" INVITE_EVENT "]}"
#define BEARER "Authorization: Bearer t\r\n"

static struct service_conf service;
static struct federation_conf federation;
static struct proxy_conf conf;
static struct worker worker;
static struct worker_listener listener;
static struct fedlist *list;
static struct account account;

static void
setup(void)
{
	static char us[] = US;
	static const struct strmap_entry hosts[] = { { { US, sizeof(US) - 1 }, 0 } };
	const struct fedlist_limits limits = { 10 };

	log_threshold = LOG_ERROR;
	cr_assert(routes_init());
	make_keys(THEM);
	cr_assert_eq(fedlist_parse(STR("{\"version\":1,\"domainList\":[\"" US "\",\"" THEM "\"]}"), &limits, &list), OK);
	service = (struct service_conf){ .server_name = us, .is_default = true,
		.version_open = true, .destination_optional = true, .federation = us };
	federation = (struct federation_conf){ .name = us };
	conf = (struct proxy_conf){ .services = &service, .n_services = 1, .federations = &federation,
		.n_federations = 1, .federation_body_max = 4096, .inspect_body_max = 1024, .client_body_max = 8192,
		.fact_timeout = 1000, .by_host = { hosts, 1 } };
	snapshot_init(&conf.snap, never_free);
	account = (struct account){ .user_id = (char *)(uintptr_t)"@anna:" US, .displayname = (char *)(uintptr_t)"Anna",
		.has_displayname = true };
	snapshot_init(&account.fact.snap, never_free);
	worker = (struct worker){ .conf = &conf, .upstreams = &fake_upstreams, .keys = (struct fact_cache *)&fake_keys,
		.accounts = (struct fact_cache *)&fake_accounts, .misses = (struct fact_cache *)&fake_misses };
	listener = (struct worker_listener){ .worker = &worker, .kind = LISTEN_BOTH };
	around = (struct around){ .list = list, .upload_then = EXCHANGE_END, .now = 10 * KEYRING_REFETCH_MS,
		.keys_of = THEM, .keys_at_hand = &keys->fact, .account_at_hand = &account.fact };
}

static void
teardown(void)
{
	finish();
	passage_drop_spares(&worker);
	cr_assert_eq(fake_upstreams.refs, 1, "upstreams not given back");
	cr_assert_eq(atomic_load(&conf.snap.refs), 1, "configuration not given back");
	cr_assert_eq(atomic_load(&account.fact.snap.refs), 1, "account not given back");
	cr_assert_eq(atomic_load(&keys->fact.snap.refs), 1, "keys not given back");
	snapshot_drop(&keys->fact.snap);
	snapshot_drop((struct snapshot *)list);
	routes_fini();
}

TestSuite(passage, .init = setup, .fini = teardown);

/* --- playing the world --- */

/* A request; `fields` are whole lines.  The body stands ready to be read. */
static void
request(const char *method, const char *target, const char *fields, const char *body)
{
	static const struct h1_limits limits = { 8192, 4096, 50 };
	char head[4096];
	int n;

	n = snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: " US "\r\n%s", method, target, fields);
	if (body != NO_BODY)
		n += snprintf(head + n, sizeof(head) - (size_t)n, "Content-Length: %zu\r\n", strlen(body));
	n += snprintf(head + n, sizeof(head) - (size_t)n, "\r\n");
	ex = (struct exchange){ .ops = &fake_exchange, .peer = "192.0.2.1", .tls = true };
	arena_init(&ex.arena, 1 << 20);
	cr_assert_eq(h1_parse_request(&ex.arena, arena_dup(&ex.arena, str_of(head, (size_t)n)), &limits, &ex.req), OK);
	around.upload = str_z(body);
	passage_open(&listener, &ex, OK);
}

static const char *
sign_as(const char *origin, const char *key_id, const char *method, const char *target, const char *body)
{
	return sign_request(origin, US, key_id, method, target, body);
}

static void
signed_request(const char *method, const char *target, const char *body)
{
	request(method, target, sign_as(THEM, "ed25519:1", method, target, body), body);
}

/* --- refusing --- */

Test(passage, answers_a_refusal_then_closes)
{
	request("GET", "/nowhere", "", NO_BODY);
	check_refused(ERR_UNRECOGNIZED);
}

Test(passage, answers_a_head_that_was_bad_from_the_beginning)
{
	ex = (struct exchange){ .ops = &fake_exchange, .peer = "192.0.2.1" };
	arena_init(&ex.arena, 1 << 16);
	passage_open(&listener, &ex, ERR_HTTP_FRAMING);
	check_refused(ERR_HTTP_FRAMING);
}

Test(passage, cuts_the_connection_once_an_answer_has_begun)
{
	request("GET", "/_matrix/client/v3/sync", "", NO_BODY);
	connect_upstream(&fresh, OK);
	ex.head_sent = true;
	upstream_answers(200, ERR_UPSTREAM_BROKE);
	cr_assert_eq(around.aborted, 1);
	cr_assert_eq(around.answered, 0);
	check_nothing_pending();
}

Test(passage, tells_browsers_why_on_client_paths_only)
{
	request("PUT", NAME, BEARER, "{}");
	check_refused(ERR_DISPLAYNAME);
	cr_assert(strstr(around.fields, "Access-Control-Allow-Origin: *\r\n") != NULL);
	finish();
	request("GET", EVENT, "", NO_BODY);
	check_refused(ERR_XMATRIX_MISSING);
	cr_assert_null(strstr(around.fields, "Access-Control"));
}

Test(passage, a_405_names_the_methods)
{
	request("POST", SEND, "", "{}");
	check_refused(ERR_METHOD);
	cr_assert(strstr(around.fields, "Allow: PUT\r\n") != NULL);
}

/* --- facts --- */

Test(passage, asks_for_facts_before_the_body)
{
	around.keys_at_hand = NULL;
	signed_request("PUT", SEND, "{}");
	cr_assert_eq(around.keys_asked, 1);
	cr_assert_eq(around.younger_than, 0);
	cr_assert_eq(around.wanted, 0, "the body was asked for before the keys were known");
	answer_fact(&keys->fact);
	cr_assert_eq(around.wanted, 1);
	check_passes();
}

Test(passage, asks_no_fact_for_an_unlisted_origin)
{
	around.keys_at_hand = NULL;
	request("PUT", SEND, sign_as("evil.example", "ed25519:1", "PUT", SEND, "{}"), "{}");
	check_refused(ERR_ORIGIN_UNLISTED);
	cr_assert_eq(around.keys_asked, 0);
	cr_assert_eq(around.wanted, 0);
}

/* --- names that are not known here --- */

/* A list with us and these. */
static struct fedlist *
list_with(const char *more)
{
	const struct fedlist_limits limits = { 10 };
	struct fedlist *l;
	char text[256];

	snprintf(text, sizeof(text), "{\"version\":2,\"domainList\":[\"" US "\"%s]}", more);
	cr_assert_eq(fedlist_parse(str_z(text), &limits, &l), OK);
	return l;
}

static void
federation_of_regsvc(void)
{
	federation.list_source = LIST_REGSVC;
	federation.passport_source = PASSPORT_REGSVC;
	federation.regsvc.miss_rate = 1;
}

Test(passage, asks_for_a_newer_list_before_an_unlisted_origin_is_refused)
{
	struct fedlist *without = list_with("");
	static const struct fact asked = { .err = OK };

	federation_of_regsvc();
	around.list = without;
	signed_request("GET", EVENT, NO_BODY);
	cr_assert_eq(around.misses_asked, 1);
	cr_assert_str_eq(around.miss, "d" US "/" THEM);
	cr_assert_eq(around.keys_asked + around.dialled, 0, "no keys of a stranger (O-12)");
	answer_fact(&asked);
	cr_assert_eq(around.status, 403);
	cr_assert_eq(around.misses_asked, 1, "once");
	check_nothing_pending();
	snapshot_drop((struct snapshot *)without);
}

Test(passage, an_origin_on_the_newer_list_goes_on)
{
	struct fedlist *without = list_with("");
	static const struct fact asked = { .err = OK };

	federation_of_regsvc();
	around.list = without;
	signed_request("GET", EVENT, NO_BODY);
	cr_assert_not_null(around.waiting);
	/* the old list is gone with the letter that brought the new one */
	around.list = list;
	snapshot_drop((struct snapshot *)without);
	answer_fact(&asked);
	cr_assert_eq(around.dialled, 1);
}

Test(passage, a_newer_list_that_closes_the_federation_does)
{
	struct fedlist *without = list_with("");
	static const struct fact asked = { .err = OK };

	federation_of_regsvc();
	around.list = without;
	signed_request("GET", EVENT, NO_BODY);
	around.list_stale = true;
	answer_fact(&asked);
	cr_assert_eq(around.status, 503);
	snapshot_drop((struct snapshot *)without);
}

Test(passage, who_was_asked_about_is_refused_at_once)
{
	struct fedlist *without = list_with("");
	static const struct fact asked = { .err = OK };

	federation_of_regsvc();
	around.list = without;
	around.miss_at_hand = &asked;
	signed_request("GET", EVENT, NO_BODY);
	cr_assert_eq(around.misses_asked, 0);
	cr_assert_eq(around.status, 403);
	snapshot_drop((struct snapshot *)without);
}

Test(passage, peer_goes_while_a_name_is_asked_about)
{
	struct fedlist *without = list_with("");

	federation_of_regsvc();
	around.list = without;
	signed_request("GET", EVENT, NO_BODY);
	ex.events->gone(ex.arg, ERR_CLIENT_GONE);
	check_nothing_pending();
	snapshot_drop((struct snapshot *)without);
}

Test(passage, a_member_of_the_list_at_hand_is_never_asked_about)
{
	federation_of_regsvc();
	signed_request("GET", EVENT, NO_BODY);
	cr_assert_eq(around.misses_asked, 0);
	cr_assert_eq(around.dialled, 1);
}

Test(passage, asks_no_fact_without_a_list)
{
	around.keys_at_hand = NULL;
	around.list = NULL;
	signed_request("PUT", SEND, "{}");
	check_refused(ERR_FEDLIST_MISSING);
	cr_assert_eq(around.keys_asked, 0);
}

Test(passage, asks_no_fact_with_an_outdated_list)
{
	around.keys_at_hand = NULL;
	around.list_stale = true;
	signed_request("PUT", SEND, "{}");
	check_refused(ERR_FEDLIST_STALE);
	cr_assert_eq(around.keys_asked, 0);
}

Test(passage, refuses_when_a_look_up_never_comes)
{
	around.keys_at_hand = NULL;
	signed_request("PUT", SEND, "{}");
	cr_assert_not_null(around.timer);
	around.timer->fn(around.timer->arg);
	check_refused(ERR_LOOKUP);
}

Test(passage, clears_the_deadline_when_the_fact_is_here)
{
	around.keys_at_hand = NULL;
	signed_request("PUT", SEND, "{}");
	answer_fact(&keys->fact);
	cr_assert_null(around.timer);
}

Test(passage, keys_that_cannot_be_had_are_401)
{
	around.keys_at_hand = negative(ERR_CONNECT);
	signed_request("GET", EVENT, NO_BODY);
	check_refused(ERR_XMATRIX_KEY);
}

Test(passage, keys_nobody_had_time_to_look_up_are_503)
{
	around.keys_at_hand = negative(ERR_OVERLOAD);
	signed_request("GET", EVENT, NO_BODY);
	check_refused(ERR_LOOKUP);
}

Test(passage, an_unknown_key_leads_to_one_new_look_up)
{
	request("GET", EVENT, sign_as(THEM, "ed25519:new", "GET", EVENT, NO_BODY), NO_BODY);
	cr_assert_eq(around.keys_asked, 1);
	cr_assert_eq(around.younger_than, around.now - KEYRING_REFETCH_MS);
	answer_fact(&keys->fact);
	cr_assert_eq(around.keys_asked, 1, "asked again and again");
	check_refused(ERR_XMATRIX_KEY);
}

Test(passage, an_unknown_key_leads_to_none_if_the_keys_are_new)
{
	keys->fact.looked_up = around.now - KEYRING_REFETCH_MS + 1;
	request("GET", EVENT, sign_as(THEM, "ed25519:new", "GET", EVENT, NO_BODY), NO_BODY);
	cr_assert_eq(around.keys_asked, 0);
	check_refused(ERR_XMATRIX_KEY);
}

Test(passage, a_renewed_key_lets_the_request_through)
{
	static struct serverkeys without;

	snapshot_init(&without.fact.snap, never_free);
	around.keys_at_hand = &without.fact;
	signed_request("GET", EVENT, NO_BODY);
	cr_assert_eq(around.keys_asked, 1);
	answer_fact(&keys->fact);
	check_passes();
}

Test(passage, a_wrong_signature_is_401)
{
	request("PUT", SEND, sign_as(THEM, "ed25519:1", "PUT", SEND, "{\"pdus\":[]}"), "{}");
	check_refused(ERR_XMATRIX_SIGNATURE);
}

Test(passage, open_paths_need_no_signature_but_a_wrong_one_counts)
{
	request("GET", "/_matrix/federation/v1/version", "", NO_BODY);
	check_passes();
	cr_assert_eq(around.keys_asked, 0);
	finish();
	request("GET", "/_matrix/federation/v1/version", sign_as(THEM, "ed25519:1", "GET", "/x", NO_BODY), NO_BODY);
	check_refused(ERR_XMATRIX_SIGNATURE);
}

/* --- the body --- */

Test(passage, waits_for_the_body_piece_by_piece)
{
	around.upload_then = EXCHANGE_AGAIN;
	request("PUT", SEND, sign_as(THEM, "ed25519:1", "PUT", SEND, "{\"pdus\":[]}"), "{\"pdus\":[]}");
	cr_assert_eq(around.dialled, 0);
	around.upload_then = EXCHANGE_END;
	ex.events->body(ex.arg);
	check_passes();
}

Test(passage, hands_on_the_body_it_has_judged)
{
	signed_request("PUT", SEND, "{\"pdus\":[]}");
	connect_upstream(&fresh, OK);
	cr_assert(around.forward->how.whole_body);
	cr_assert(str_eq(around.forward->how.body, STR("{\"pdus\":[]}")));
}

Test(passage, streams_a_body_no_rule_looks_at)
{
	request("PUT", "/_matrix/client/v3/rooms/!r/send/m.room.message/1", BEARER, "not even JSON");
	connect_upstream(&fresh, OK);
	cr_assert_not(around.forward->how.whole_body);
	cr_assert_eq(around.wanted, 0);
	cr_assert_eq(around.limit, 8192);
	ex.events->body(ex.arg);
	ex.events->room(ex.arg);
	cr_assert_eq(around.body_events, 1);
	cr_assert_eq(around.room_events, 1);
}

Test(passage, refuses_a_body_above_the_limit_of_its_route)
{
	char body[1026];

	memset(body, ' ', sizeof(body));
	body[1025] = '\0';
	request("POST", "/_matrix/client/v3/createRoom", BEARER, body);
	check_refused(ERR_BODY_SIZE);
	cr_assert_eq(around.wanted, 0);
}

Test(passage, refuses_a_body_that_is_bad)
{
	around.upload_then = EXCHANGE_BAD;
	around.upload_err = ERR_HTTP_CHUNK;
	signed_request("PUT", SEND, "{}");
	check_refused(ERR_HTTP_CHUNK);
}

/* The signature of a GET covers no body. */
Test(passage, refuses_a_get_with_a_body)
{
	request("GET", EVENT, sign_as(THEM, "ed25519:1", "GET", EVENT, NO_BODY), "{}");
	check_refused(ERR_HTTP_BODY);
}

/* --- rule modes --- */

Test(passage, invite_rule_in_mode_enforce_refuses)
{
	signed_request("PUT", INVITE, INVITE_BODY);
	check_refused(ERR_PASSPORT_MISSING);
}

Test(passage, invite_rule_in_mode_log_lets_through)
{
	service.invite_rule = RULE_LOG;
	signed_request("PUT", INVITE, INVITE_BODY);
	check_passes();
	cr_assert_eq(around.invites_asked, 0, "only transactions carry invites that must be known");
}

Test(passage, invite_rule_switched_off_asks_nothing)
{
	service.invite_rule = RULE_OFF;
	signed_request("PUT", SEND, INVITE_IN_SEND);
	cr_assert_eq(around.invites_asked, 0);
	check_passes();
}

Test(passage, invite_rule_does_not_replace_the_signature)
{
	service.invite_rule = RULE_OFF;
	request("PUT", INVITE, sign_as(THEM, "ed25519:1", "PUT", INVITE, "{}"), INVITE_BODY);
	check_refused(ERR_XMATRIX_SIGNATURE);
}

Test(passage, mode_log_lets_a_transaction_of_the_wrong_form_through)
{
	service.invite_rule = RULE_LOG;
	signed_request("PUT", SEND, "{\"pdus\":1}");
	check_passes();
}

Test(passage, a_transaction_of_the_wrong_form_is_refused)
{
	signed_request("PUT", SEND, "{\"pdus\":1}");
	check_refused(ERR_JSON_SHAPE);
}

Test(passage, a_path_like_one_with_invites_is_refused)
{
	signed_request("PUT", INVITE "/", INVITE_BODY);
	check_refused(ERR_UNRECOGNIZED);
}

Test(passage, other_unknown_federation_paths_pass)
{
	signed_request("PUT", "/_matrix/federation/v1/new", "{}");
	check_passes();
}

Test(passage, displayname_rule_in_mode_log_lets_through)
{
	service.displayname_rule = RULE_LOG;
	request("PUT", NAME, BEARER, "{}");
	check_passes();
}

Test(passage, displayname_rule_switched_off_asks_nothing)
{
	service.displayname_rule = RULE_OFF;
	around.account_at_hand = NULL;
	request("PUT", NAME, BEARER, "{}");
	cr_assert_eq(around.accounts_asked, 0);
	check_passes();
}

Test(passage, asks_who_a_token_belongs_to_only_if_a_name_is_touched)
{
	around.account_at_hand = NULL;
	request("PUT", "/_matrix/client/v3/profile/@anna:" US "/avatar_url", BEARER, "{}");
	cr_assert_eq(around.accounts_asked, 0);
	check_passes();
	finish();
	request("PUT", NAME, BEARER, "{}");
	cr_assert_eq(around.accounts_asked, 1);
	answer_fact(&account.fact);
	check_refused(ERR_DISPLAYNAME);
}

Test(passage, a_homeserver_that_cannot_say_who_it_is_closes_the_way)
{
	static const struct { enum err fact, answer; } rows[] = {
		{ ERR_UPSTREAM_DOWN, ERR_UPSTREAM_DOWN }, { ERR_UPSTREAM_BAD, ERR_LOOKUP }, { ERR_TIMEOUT, ERR_LOOKUP },
		{ ERR_OVERLOAD, ERR_LOOKUP }, { ERR_CANCELLED, ERR_LOOKUP },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		around.account_at_hand = negative(rows[i].fact);
		request("PUT", NAME, BEARER, "{}");
		check_refused(rows[i].answer);
		finish();
	}
}

Test(passage, a_token_the_homeserver_does_not_know_is_its_own_affair)
{
	around.account_at_hand = negative(ERR_NOT_FOUND);
	request("PUT", NAME, BEARER, "{}");
	check_passes();
}

/* --- invites --- */

Test(passage, an_invite_in_a_transaction_must_be_known)
{
	signed_request("PUT", SEND, INVITE_IN_SEND);
	cr_assert_eq(around.invites_asked, 1);
	cr_assert_eq(around.n_invites, 1);
	cr_assert_eq(around.dialled, 0);
	answer_invites(false);
	check_refused(ERR_INVITE_UNKNOWN);
}

Test(passage, a_known_invite_passes)
{
	signed_request("PUT", SEND, INVITE_IN_SEND);
	answer_invites(true);
	check_passes();
	cr_assert_eq(around.invites_asked, 1);
}

Test(passage, remembers_an_invite_only_after_the_homeserver_took_it)
{
	static const struct { int status; unsigned noted; } rows[] = {
		{ 200, 1 }, { 201, 1 }, { 302, 0 }, { 400, 0 }, { 403, 0 }, { 500, 0 },
	};

	service.invite_rule = RULE_LOG;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		around.noted = 0;
		signed_request("PUT", INVITE, INVITE_BODY);
		connect_upstream(&fresh, OK);
		cr_assert_eq(around.noted, 0, "before the homeserver has answered");
		upstream_answers(rows[i].status, OK);
		cr_assert_eq(around.noted, rows[i].noted, "status %d", rows[i].status);
		finish();
	}
}

Test(passage, does_not_remember_an_invite_without_an_answer)
{
	service.invite_rule = RULE_LOG;
	signed_request("PUT", INVITE, INVITE_BODY);
	connect_upstream(&fresh, OK);
	upstream_answers(0, ERR_UPSTREAM_SLOW);
	cr_assert_eq(around.noted, 0);
}

/* --- upstream --- */

Test(passage, ends_the_exchange_when_the_answer_is_complete)
{
	request("GET", "/_matrix/client/versions", "", NO_BODY);
	connect_upstream(&fresh, OK);
	upstream_answers(200, OK);
	cr_assert_eq(around.ended, 1);
	cr_assert_eq(around.answered + around.aborted, 0);
	check_nothing_pending();
}

Test(passage, tries_once_more_when_a_reused_connection_was_dead)
{
	around.idle = &reused;
	around.may_retry = true;
	request("GET", "/_matrix/client/versions", "", NO_BODY);
	cr_assert_eq(around.dialled, 0);
	upstream_answers(0, ERR_UPSTREAM_DOWN);
	cr_assert_eq(around.dialled, 1);
	cr_assert(around.dialled_fresh);
	connect_upstream(&fresh, OK);
	upstream_answers(0, ERR_UPSTREAM_DOWN);
	cr_assert_eq(around.forwarded, 2);
	cr_assert_eq(around.status, 502);
	check_nothing_pending();
}

Test(passage, does_not_repeat_what_may_have_been_done)
{
	around.idle = &reused;
	request("POST", "/_matrix/client/v3/createRoom", BEARER, "{}");
	upstream_answers(0, ERR_UPSTREAM_DOWN);
	cr_assert_eq(around.forwarded, 1);
	cr_assert_eq(around.status, 502);
	check_nothing_pending();
}

Test(passage, says_when_the_homeserver_cannot_be_reached)
{
	static const enum err rows[] = { ERR_UPSTREAM_DOWN, ERR_UPSTREAM_SLOW, ERR_UPSTREAM_BUSY };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		request("GET", "/_matrix/client/versions", "", NO_BODY);
		connect_upstream(NULL, rows[i]);
		check_refused(rows[i]);
		finish();
	}
}

/* Nothing was delivered, so any request may go to another address. */
Test(passage, goes_to_the_next_address_when_one_cannot_be_connected_to)
{
	around.another = true;
	request("POST", "/_matrix/client/v3/createRoom", BEARER, "{}");
	connect_upstream(NULL, ERR_UPSTREAM_DOWN);
	cr_assert_eq(around.failed, 1);
	cr_assert_eq(around.dialled, 2);
	connect_upstream(&fresh, OK);
	cr_assert_eq(around.worked, 1);
	upstream_answers(200, OK);
	cr_assert_eq(around.ended, 1);
	check_nothing_pending();
}

Test(passage, goes_to_each_address_once)
{
	around.another = true;
	request("GET", "/_matrix/client/versions", "", NO_BODY);
	connect_upstream(NULL, ERR_UPSTREAM_SLOW);
	connect_upstream(NULL, ERR_UPSTREAM_DOWN);
	check_refused(ERR_UPSTREAM_DOWN);
	cr_assert_eq(around.failed, 2);
}

Test(passage, a_busy_address_is_not_a_dead_one)
{
	around.another = true;
	request("GET", "/_matrix/client/versions", "", NO_BODY);
	connect_upstream(NULL, ERR_UPSTREAM_BUSY);
	check_refused(ERR_UPSTREAM_BUSY);
	cr_assert_eq(around.failed, 0);
}

Test(passage, is_certain_of_a_connection_for_what_cannot_be_repeated)
{
	request("GET", "/_matrix/client/versions", "", NO_BODY);
	cr_assert_not(around.taken_certain);
	finish();
	request("POST", "/_matrix/client/v3/keys/upload", BEARER, "{}");
	cr_assert(around.taken_certain);
	finish();
	request("PUT", "/_matrix/client/v3/rooms/!r/send/m.room.message/1", BEARER, "{}");
	cr_assert(around.taken_certain, "its body is gone when it has been sent");
	finish();
	signed_request("PUT", SEND, "{}");
	cr_assert_not(around.taken_certain);
}

static clock_ms
first_byte_timeout(const char *target)
{
	clock_ms wait;

	request("GET", target, "", NO_BODY);
	connect_upstream(&fresh, OK);
	wait = around.forward->how.first_byte_timeout;
	finish();
	return wait;
}

/* The client's timeout is in milliseconds (Matrix client-server API, "Syncing"). */
Test(passage, waits_for_a_first_byte_as_long_as_its_kind_of_route_takes)
{
	static const struct {
		const char *target;
		clock_ms wait;
	} rows[] = {
		{ "/_matrix/client/versions", 100 },
		{ "/_matrix/client/v3/keys/query", 600 },
		{ "/_matrix/client/v1/media/download/a/b", 500 },
		{ "/_matrix/media/v3/download/a/b", 500 },
		{ "/_matrix/client/v3/sync?since=s1&timeout=3000", 3060 },
		{ "/_matrix/client/v3/sync?timeout=3000&since=s1", 3060 },
		{ "/_matrix/client/r0/events?from=s1&timeout=200", 260 },
		{ "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?pos=1&timeout=900", 960 },
		{ "/_matrix/client/v3/sync?since=s1", 100 },           /* not less than others */
		{ "/_matrix/client/v3/sync?timeout=0", 600 },          /* a first one */
		{ "/_matrix/client/v3/sync?timeout=1000", 1060 },
		{ "/_matrix/client/v3/sync?since=s1&timeout=99999", 8000 },
		{ "/_matrix/client/v3/sync?since=s1&timeout=99999999999999999999", 8000 },
		{ "/_matrix/client/v3/sync?since=s1&timeout=-1", 100 },
		{ "/_matrix/client/v3/sync?since=s1&timeout=", 100 },
		{ "/_matrix/client/v3/sync?since=s1&timeout=abc", 100 },
	};

	conf.upstream_timeout = 100;
	conf.upstream_media_timeout = 500;
	conf.upstream_slow_timeout = 600;
	conf.poll_margin = 60;
	conf.poll_max = 8000;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_eq(first_byte_timeout(rows[i].target), rows[i].wait, "%s: %llu", rows[i].target,
		    (unsigned long long)first_byte_timeout(rows[i].target));
}

static void
total_time_is_over(void)
{
	struct timer *t = around.timer;

	cr_assert_not_null(t);
	around.timer = NULL;
	t->fn(t->arg);
}

Test(passage, ends_what_takes_too_long_in_all)
{
	conf.upstream_total_timeout = 1000;
	request("GET", "/_matrix/client/versions", "", NO_BODY);
	total_time_is_over(); /* still dialling */
	check_refused(ERR_UPSTREAM_TOTAL);
	finish();
	request("GET", "/_matrix/client/versions", "", NO_BODY);
	connect_upstream(&fresh, OK);
	total_time_is_over();
	cr_assert_eq(around.status, 504);
	check_nothing_pending();
	finish();
	request("GET", "/_matrix/client/versions", "", NO_BODY);
	connect_upstream(&fresh, OK);
	ex.head_sent = true;
	total_time_is_over();
	cr_assert_eq(around.aborted, 1);
	check_nothing_pending();
}

static uint64_t
key_of(const char *target, const char *fields)
{
	request("GET", target, fields, NO_BODY);
	finish();
	return around.key;
}

#define AS(token) "Authorization: Bearer " token "\r\n"

Test(passage, keeps_the_requests_of_a_user_together)
{
	const char *sync = "/_matrix/client/v3/sync";
	uint64_t anna;

	service.homeserver.balance = BALANCE_USER;
	anna = key_of(sync, AS("syt_YW5uYQ_aaaa_1"));
	cr_assert_neq(anna, 0);
	cr_assert_eq(key_of(sync, AS("syt_YW5uYQ_bbbb_2")), anna, "another device of hers");
	cr_assert_eq(key_of("/_matrix/client/v3/sync?access_token=syt_YW5uYQ_cc_3", ""), anna);
	cr_assert_neq(key_of(sync, AS("syt_Ym9i_aaaa_1")), anna);
	cr_assert_neq(key_of(sync, AS("opaque1")), key_of(sync, AS("opaque2")));
	cr_assert_eq(key_of(sync, AS("opaque1")), key_of(sync, AS("opaque1")));
	cr_assert_eq(key_of(sync, ""), 0, "nobody in particular");
}

Test(passage, keeps_the_requests_of_a_room_together)
{
	struct upstream_conf rooms = { .balance = BALANCE_ROOM };
	const char *a = "/_matrix/client/v3/rooms/!a%3Ax/messages";
	struct arena arena;
	uint64_t key;

	arena_init(&arena, 1 << 16);
	service.upstreams = &rooms;
	service.n_upstreams = 1;
	service.map = paths_new(&arena);
	cr_assert_null(paths_add(service.map, &arena, STR("/_matrix/client/{v}/rooms/{room}/**"), 0, 1));
	key = key_of(a, "");
	cr_assert_neq(key, 0);
	cr_assert_eq(key_of("/_matrix/client/r0/rooms/!a:x/state", AS("x")), key);
	cr_assert_neq(key_of("/_matrix/client/v3/rooms/!b:x/messages", ""), key);
	cr_assert_eq(key_of("/_matrix/client/versions", ""), 0);
	arena_fini(&arena);
}

Test(passage, forgets_accounts_when_a_session_has_ended)
{
	request("POST", "/_matrix/client/v3/logout", BEARER, "{}");
	connect_upstream(&fresh, OK);
	upstream_answers(401, OK);
	cr_assert_eq(around.forgotten, 0);
	finish();
	request("POST", "/_matrix/client/v3/logout", BEARER, "{}");
	connect_upstream(&fresh, OK);
	upstream_answers(200, OK);
	cr_assert_eq(around.forgotten, 1);
}

/* --- the peer goes away --- */

static void
check_gone(void)
{
	cr_assert_eq(around.n_graves, 0, "over already");
	ex.events->gone(ex.arg, ERR_CLIENT_GONE);
	cr_assert_eq(around.answered + around.aborted + around.ended, 0);
	check_nothing_pending();
}

Test(passage, peer_goes_while_keys_are_looked_up)
{
	around.keys_at_hand = NULL;
	signed_request("PUT", SEND, "{}");
	cr_assert_not_null(around.waiting);
	check_gone();
}

Test(passage, peer_goes_while_the_account_is_looked_up)
{
	around.account_at_hand = NULL;
	request("PUT", NAME, BEARER, "{}");
	cr_assert_not_null(around.waiting);
	check_gone();
}

Test(passage, peer_goes_while_invites_are_looked_up)
{
	signed_request("PUT", SEND, INVITE_IN_SEND);
	cr_assert_not_null(around.on_invites);
	check_gone();
}

Test(passage, peer_goes_while_the_body_is_read)
{
	around.upload_then = EXCHANGE_AGAIN;
	signed_request("PUT", SEND, "{\"pdus\":[]}");
	cr_assert_eq(around.wanted, 1);
	check_gone();
}

Test(passage, peer_goes_while_dialling)
{
	signed_request("PUT", SEND, "{}");
	cr_assert_not_null(around.dialling);
	check_gone();
}

Test(passage, peer_goes_while_forwarding)
{
	signed_request("PUT", SEND, "{}");
	connect_upstream(&fresh, OK);
	cr_assert_not_null(around.forward);
	check_gone();
}

Test(passage, events_after_the_end_do_nothing)
{
	request("GET", "/nowhere", "", NO_BODY);
	ex.events->body(ex.arg);
	ex.events->room(ex.arg);
	ex.events->gone(ex.arg, ERR_CLIENT_GONE);
	check_refused(ERR_UNRECOGNIZED);
}
