/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request of our homeserver to another server, with everything around it faked at link time: FD-5.2.1.2-4,
 * -7 to -9, -15, AF_10064-02, O-9, O-11, O-13; design: "the way out".
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/base/log.h"
#include "proxy/outbound/passage_out.h"
#include "proxy/passage.h"
#include "proxy/series.h"
#include "tests/unit/passage_play.h"

#define A "matrix-federation://" THEM
#define SEND "/_matrix/federation/v1/send/1"
#define EVENT "/_matrix/federation/v1/event/e"
#define KEYS "/_matrix/key/v2/server"
#define WELL_KNOWN "/.well-known/matrix/server"
#define INVITE "/_matrix/federation/v2/invite/!r:" US "/$e"
#define INVITE_EVENT                                                                               \
	"{\"type\":\"m.room.member\",\"sender\":\"@anna:" US "\",\"state_key\":\"@eve:" THEM               \
	"\",\"room_id\":\"!r:" US "\",\"content\":{\"membership\":\"invite\"}}"
#define INVITE_BODY "{\"event\":" INVITE_EVENT "}"
#define INVITE_IN_SEND "{\"pdus\":[" INVITE_EVENT "]}"
#define STRANGER "{\"pdus\":[{\"sender\":\"@eve:left.example\",\"type\":\"m.x\"}]}"
#define HARMLESS "{\"pdus\":[{\"sender\":\"@anna:" US "\",\"type\":\"m.x\"}]}"

static struct allowed_conf allow;
static struct service_conf service;
static struct federation_conf federation;
static struct proxy_conf conf;
static struct worker worker;
static struct fedlist *list;
static struct destination there, through;
static struct destination_owner owner;
static int64_t logged[3];

/* --- the world --- */

/* A list of us and these. */
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
set_places(void)
{
	static const struct destination_endpoint at[] = { { "hs.them.example", 8448 } };
	static const char *const names[] = { THEM };

	there = (struct destination){ .key = THEM, .tls_name = THEM, .host = THEM, .n_endpoints = 1, .endpoints = at };
	snapshot_init(&there.fact.snap, never_free);
	through = there;
	snapshot_init(&through.fact.snap, never_free);
	owner = (struct destination_owner){ .n = 1, .names = names };
	snapshot_init(&owner.fact.snap, never_free);
}

static void
setup(void)
{
	log_threshold = LOG_ERROR;
	cr_assert(routes_init());
	cr_assert(series_declare());
	make_keys(US);
	list = list_with(",\"" THEM "\"");
	allow = (struct allowed_conf){ .host = (char *)(uintptr_t)"push.example", .port = 443 };
	service = (struct service_conf){ .server_name = (char *)(uintptr_t)US,
		.way_out = { .domains = RULE_LOG, .allow = &allow, .n_allow = 1 } };
	federation = (struct federation_conf){ .name = (char *)(uintptr_t)US };
	conf = (struct proxy_conf){ .services = &service, .n_services = 1, .federations = &federation, .n_federations = 1,
		.federation_body_max = 4096, .client_body_max = 8192, .fact_timeout = 1000 };
	snapshot_init(&conf.snap, never_free);
	set_places();
	worker = (struct worker){ .conf = &conf, .upstreams = &fake_upstreams, .keys = (struct fact_cache *)&fake_keys,
		.misses = (struct fact_cache *)&fake_misses, .destinations = (struct fact_cache *)&fake_destinations,
		.owners = (struct fact_cache *)&fake_owners };
	around = (struct around){ .list = list, .upload_then = EXCHANGE_END, .now = 5000, .keys_of = US,
		.keys_at_hand = &keys->fact, .destination_at_hand = &there.fact, .through_at_hand = &through.fact,
		.owner_at_hand = &owner.fact };
	for (size_t i = 0; i < 3; i++)
		logged[i] = metrics_sum(S_RULE_LOGGED_OUT_SIGNATURE + (unsigned)i);
}

static void
check_given_back(struct snapshot *s, const char *what)
{
	cr_assert_eq(atomic_load(&s->refs), 1, "%s", what);
}

static void
teardown(void)
{
	finish();
	passage_drop_spares(&worker);
	cr_assert_eq(fake_upstreams.refs, 1);
	cr_assert_eq(around.remotes_held, 0);
	check_given_back(&conf.snap, "configuration");
	check_given_back(&keys->fact.snap, "keys");
	check_given_back(&there.fact.snap, "destination");
	check_given_back(&through.fact.snap, "proxy");
	check_given_back(&owner.fact.snap, "owner");
	cr_assert_eq(metrics_sum(S_EXCHANGES_OPEN), 0);
	snapshot_drop(&keys->fact.snap);
	snapshot_drop((struct snapshot *)list);
	routes_fini();
}

TestSuite(passage_out, .init = setup, .fini = teardown);

static void
open_exchange(bool proxy, const char *method, const char *target, const char *fields, const char *body)
{
	const struct h1_limits limits = { 8192, 4096, 50, .proxy = proxy };
	char head[4096];
	int n = snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\n%s", method, target, fields);

	if (body != NO_BODY)
		n += snprintf(head + n, sizeof(head) - (size_t)n, "Content-Length: %zu\r\n", strlen(body));
	n += snprintf(head + n, sizeof(head) - (size_t)n, "\r\n");
	ex = (struct exchange){ .ops = &fake_exchange, .peer = "" };
	arena_init(&ex.arena, 1 << 20);
	cr_assert_eq(h1_parse_request(&ex.arena, arena_dup(&ex.arena, str_of(head, (size_t)n)), &limits, &ex.req), OK);
	around.upload = str_z(body);
}

/* At a listener; Synapse's Host is of no use. */
static void
request(const char *method, const char *target, const char *fields, const char *body)
{
	char all[3072];

	snprintf(all, sizeof(all), "Host: localhost\r\n%s", fields);
	open_exchange(true, method, target, all, body);
	passage_out_open(&worker, &ex, &service);
}

/* In a tunnel. */
static void
inside(const char *host, uint16_t port, const char *sni, const char *target, const char *fields)
{
	open_exchange(false, "GET", target, fields, NO_BODY);
	ex.sni = str_z(sni);
	passage_out_tunnelled(&worker, &ex, &service, str_z(host), port);
}

static const char *
sign(const char *method, const char *path, const char *body)
{
	return sign_request(US, THEM, "ed25519:1", method, path, body);
}

static void
signed_request(const char *method, const char *path, const char *body)
{
	char target[256];

	snprintf(target, sizeof(target), A "%s", path);
	request(method, target, sign(method, path, body), body);
}

static void
check_stays(enum err why)
{
	check_refused(why);
	cr_assert_eq(around.remotes_got, 0, "connected before it was refused");
}

static void
ask_regsvc(void)
{
	federation.list_source = LIST_REGSVC;
	federation.regsvc.miss_rate = 1;
}

static const struct fact *
asked(void)
{
	static const struct fact f = { .err = OK };

	return &f;
}

static int64_t
newly_logged(enum series s)
{
	return metrics_sum(s) - logged[s - S_RULE_LOGGED_OUT_SIGNATURE];
}

/* --- before anything is judged --- */

Test(passage_out, refuses_what_is_not_judged_at_all)
{
	open_exchange(true, "CONNECT", THEM ":443", "Host: x\r\n", NO_BODY);
	passage_out_refuse(&worker, &ex, ERR_PROXY_AUTH);
	check_stays(ERR_PROXY_AUTH);
	cr_assert(strstr(around.fields, "Proxy-Authenticate: Basic ") != NULL);
	cr_assert(strstr(around.fields, "Proxy-Authenticate: Bearer\r\n") != NULL);
}

Test(passage_out, refuses_a_form_that_is_no_proxy_s)
{
	request("GET", EVENT, "", NO_BODY);
	check_stays(ERR_PROXY_FORM);
}

Test(passage_out, refuses_a_body_above_the_limit)
{
	char body[4098];

	memset(body, ' ', sizeof(body));
	body[4097] = '\0';
	signed_request("PUT", SEND, "{}");
	cr_assert_eq(around.limit, 4096);
	finish();
	request("PUT", A SEND, sign("PUT", SEND, "{}"), body);
	check_refused(ERR_BODY_SIZE);
}

/* --- the destination --- */

/* gematik facts 12: the user is told which domain; before its keys, its address or the body count. */
Test(passage_out, an_unlisted_destination_is_named_and_nothing_else_is_asked)
{
	around.keys_at_hand = NULL;
	request("PUT", "matrix-federation://other.example" SEND,
	    sign_request(US, "other.example", "ed25519:1", "PUT", SEND, "{}"), "{}");
	cr_assert_eq(around.status, 403);
	cr_assert(strstr(around.body, "\"other.example kann nicht in der Föderation gefunden werden\"") != NULL, "%s", around.body);
	cr_assert_eq(around.keys_asked + around.wanted + around.places_asked, 0);
	cr_assert_str_eq(around.places, "");
	check_nothing_pending();
}

Test(passage_out, a_newer_list_is_asked_for_before_that)
{
	struct fedlist *old = list_with("");

	ask_regsvc();
	around.list = old;
	signed_request("GET", EVENT, NO_BODY);
	cr_assert_str_eq(around.miss, "d" US "/" THEM);
	/* the old list is gone with the letter that brought the new one */
	around.list = list;
	snapshot_drop((struct snapshot *)old);
	answer_fact(asked());
	check_passes();
}

Test(passage_out, who_is_not_on_the_newer_list_either_is_refused)
{
	struct fedlist *old = list_with("");

	ask_regsvc();
	around.list = old;
	signed_request("GET", EVENT, NO_BODY);
	answer_fact(asked());
	cr_assert_eq(around.status, 403);
	cr_assert_eq(around.misses_asked, 1);
	check_nothing_pending();
	snapshot_drop((struct snapshot *)old);
}

Test(passage_out, is_closed_without_a_good_list)
{
	around.list = NULL;
	signed_request("GET", EVENT, NO_BODY);
	check_stays(ERR_FEDLIST_MISSING);
	finish();
	around.list = list;
	around.list_stale = true;
	signed_request("GET", EVENT, NO_BODY);
	check_stays(ERR_FEDLIST_STALE);
}

Test(passage_out, must_be_signed_for_whom_it_is_sent_to)
{
	request("GET", A EVENT, "", NO_BODY);
	check_stays(ERR_OUT_UNSIGNED);
	finish();
	request("GET", A EVENT, sign_request(US, "other.example", "ed25519:1", "GET", EVENT, NO_BODY), NO_BODY);
	check_stays(ERR_OUT_DESTINATION);
	finish();
	request("GET", A EVENT, sign_request("other.example", THEM, "ed25519:1", "GET", EVENT, NO_BODY), NO_BODY);
	check_stays(ERR_OUT_ORIGIN);
}

/* --- the homeserver's own signature --- */

Test(passage_out, asks_for_our_keys_before_the_body)
{
	around.keys_at_hand = NULL;
	signed_request("PUT", SEND, HARMLESS);
	cr_assert_eq(around.keys_asked, 1);
	cr_assert_eq(around.wanted, 0);
	answer_fact(&keys->fact);
	cr_assert_eq(around.wanted, 1);
	check_passes();
}

/* Our homeserver is no stranger, whose inventions would cost us a look-up each. */
Test(passage_out, a_new_key_of_ours_is_asked_for_at_once)
{
	request("GET", A EVENT, sign_request(US, THEM, "ed25519:new", "GET", EVENT, NO_BODY), NO_BODY);
	cr_assert_eq(around.keys_asked, 1);
	cr_assert_eq(around.younger_than, around.now);
	answer_fact(&keys->fact);
	check_stays(ERR_OUT_KEY);
}

Test(passage_out, a_wrong_signature_is_403)
{
	request("PUT", A SEND, sign("PUT", SEND, "{}"), HARMLESS);
	check_stays(ERR_OUT_SIGNATURE);
	cr_assert_str_eq(around.places, "", "nobody was looked up");
}

Test(passage_out, keys_that_cannot_be_had_are_503)
{
	around.keys_at_hand = negative(ERR_CONNECT);
	signed_request("GET", EVENT, NO_BODY);
	check_stays(ERR_LOOKUP);
}

Test(passage_out, mode_log_lets_a_wrong_signature_through_and_counts_it_once)
{
	service.way_out.signature = RULE_LOG;
	around.destination_at_hand = NULL;
	request("PUT", A SEND, sign("PUT", SEND, "{}"), HARMLESS);
	answer_fact(&there.fact);
	check_passes();
	cr_assert_eq(newly_logged(S_RULE_LOGGED_OUT_SIGNATURE), 1);
}

Test(passage_out, without_the_rule_no_keys_are_asked_for)
{
	service.way_out.signature = RULE_OFF;
	around.keys_at_hand = NULL;
	request("PUT", A SEND, sign("PUT", SEND, "{}"), HARMLESS);
	cr_assert_eq(around.keys_asked, 0);
	check_passes();
}

Test(passage_out, a_body_that_comes_in_pieces_is_judged_whole)
{
	around.upload_then = EXCHANGE_AGAIN;
	signed_request("PUT", SEND, HARMLESS);
	cr_assert_eq(around.dialled, 0);
	around.upload_then = EXCHANGE_END;
	ex.events->body(ex.arg);
	check_passes();
	connect_upstream(&fresh, OK);
	cr_assert(around.forward->how.whole_body);
	cr_assert(str_eq(around.forward->how.body, STR(HARMLESS)));
}

Test(passage_out, a_get_has_no_body)
{
	request("GET", A EVENT, sign("GET", EVENT, NO_BODY), "{}");
	check_stays(ERR_HTTP_BODY);
}

/* --- invites --- */

Test(passage_out, an_invite_needs_a_passport)
{
	signed_request("PUT", INVITE, INVITE_BODY);
	check_stays(ERR_PASSPORT_MISSING);
}

Test(passage_out, mode_log_lets_an_invite_through_and_counts_it_once)
{
	service.way_out.invites = RULE_LOG;
	around.destination_at_hand = NULL;
	signed_request("PUT", INVITE, INVITE_BODY);
	answer_fact(&there.fact);
	check_passes();
	cr_assert_eq(newly_logged(S_RULE_LOGGED_OUT_INVITE), 1);
}

/* O-9, the other way round: only what the other server has accepted may follow as an event. */
Test(passage_out, an_invite_in_a_transaction_must_have_been_accepted)
{
	signed_request("PUT", SEND, INVITE_IN_SEND);
	cr_assert_eq(around.n_invites, 1);
	answer_invites(false);
	check_stays(ERR_INVITE_UNKNOWN);
	finish();
	signed_request("PUT", SEND, INVITE_IN_SEND);
	answer_invites(true);
	check_passes();
}

Test(passage_out, an_invite_in_a_transaction_is_counted_once_in_mode_log)
{
	service.way_out.invites = RULE_LOG;
	around.destination_at_hand = NULL;
	signed_request("PUT", SEND, INVITE_IN_SEND);
	answer_invites(false);
	answer_fact(&there.fact);
	check_passes();
	cr_assert_eq(newly_logged(S_RULE_LOGGED_OUT_INVITE), 1);
}

Test(passage_out, an_invite_is_remembered_when_the_other_server_has_taken_it)
{
	service.way_out.invites = RULE_LOG;
	signed_request("PUT", INVITE, INVITE_BODY);
	connect_upstream(&fresh, OK);
	upstream_answers(403, OK);
	cr_assert_eq(around.noted, 0);
	finish();
	signed_request("PUT", INVITE, INVITE_BODY);
	connect_upstream(&fresh, OK);
	upstream_answers(200, OK);
	cr_assert_eq(around.noted, 1);
}

/* --- domains in events --- */

Test(passage_out, a_domain_in_an_event_is_asked_about_and_then_refused)
{
	ask_regsvc();
	service.way_out.domains = RULE_ENFORCE;
	signed_request("PUT", SEND, STRANGER);
	cr_assert_str_eq(around.miss, "d" US "/left.example");
	answer_fact(asked());
	cr_assert_eq(around.status, 403);
	cr_assert(strstr(around.body, "left.example kann nicht") != NULL, "%s", around.body);
	cr_assert_eq(around.misses_asked, 1);
	check_nothing_pending();
}

Test(passage_out, a_domain_on_the_newer_list_passes)
{
	struct fedlist *newer = list_with(",\"" THEM "\",\"left.example\"");

	ask_regsvc();
	service.way_out.domains = RULE_ENFORCE;
	signed_request("PUT", SEND, STRANGER);
	around.list = newer;
	answer_fact(asked());
	check_passes();
	finish();
	snapshot_drop((struct snapshot *)newer);
}

Test(passage_out, mode_log_lets_domains_through_and_counts_them_once)
{
	ask_regsvc();
	around.destination_at_hand = NULL;
	signed_request("PUT", SEND, STRANGER);
	cr_assert_eq(around.misses_asked, 0);
	answer_fact(&there.fact);
	check_passes();
	cr_assert_eq(newly_logged(S_RULE_LOGGED_OUT_DOMAINS), 1);
}

/* The letter with a new list drops the old one, whoever waits. */
Test(passage_out, a_list_that_was_replaced_during_a_wait_is_not_looked_at)
{
	struct fedlist *old = list_with(",\"" THEM "\"");

	service.way_out.domains = RULE_ENFORCE;
	around.list = old;
	around.keys_at_hand = NULL;
	signed_request("PUT", SEND, HARMLESS);
	cr_assert_eq(around.keys_asked, 1);
	around.list = list;
	snapshot_drop((struct snapshot *)old);
	answer_fact(&keys->fact);
	check_passes();
}

/* --- requests nobody signs --- */

Test(passage_out, keys_are_for_whom_discovery_has_found_there)
{
	around.owner_at_hand = NULL;
	inside("hs.them.example", 8448, THEM, KEYS, "Host: hs.them.example:8448\r\n");
	cr_assert_str_eq(around.places, " hs.them.example:8448");
	answer_fact(&owner.fact);
	check_passes();
	cr_assert_str_eq(around.places, " hs.them.example:8448 " THEM);
	cr_assert_eq(around.keys_asked, 0);
}

Test(passage_out, keys_of_nobody_we_know_are_refused)
{
	around.owner_at_hand = negative(ERR_NOT_FOUND);
	inside("hs.other.example", 8448, "", KEYS, "Host: other.example\r\n");
	cr_assert_eq(around.status, 403);
	cr_assert(strstr(around.body, "other.example kann nicht") != NULL, "%s", around.body);
	cr_assert_eq(around.remotes_got, 0);
	check_nothing_pending();
}

/* The document is at the host, what it says is needed next. */
Test(passage_out, a_well_known_document_leads_to_discovery_first)
{
	around.destination_at_hand = NULL;
	request("GET", A WELL_KNOWN, "", NO_BODY);
	cr_assert_str_eq(around.places, " " THEM);
	answer_fact(negative(ERR_REMOTE_DNS));
	cr_assert_str_eq(around.places, " " THEM " @" THEM ":443");
	cr_assert_eq(around.answered, 0, "what discovery says is no answer to this");
	answer_fact(&there.fact);
	check_passes();
}

/* --- beside the federation --- */

static bool
keeps(const char *name)
{
	const struct h1_head *req = &ex.req;

	for (size_t i = 0; i < req->n_fields; i++)
		if (str_eq_ci(req->fields[i].name, str_z(name)))
			return around.forward->how.keep(&req->fields[i]);
	cr_assert_fail("no field %s", name);
	return false;
}

Test(passage_out, a_guest_goes_to_host_and_port_with_all_its_fields)
{
	around.list = NULL;
	request("POST", "https://push.example/_matrix/push/v1/notify", "Cookie: a\r\nAuthorization: b\r\n", "not JSON");
	cr_assert_str_eq(around.places, " @push.example:443");
	cr_assert_eq(around.limit, 8192);
	check_passes();
	connect_upstream(&fresh, OK);
	cr_assert(keeps("Cookie") && keeps("Authorization"));
	cr_assert_not(keeps("Host"));
	cr_assert(str_eq(around.forward->how.extra, STR("Host: push.example\r\n")));
	cr_assert_not(around.forward->how.whole_body);
}

/* --- O-13 --- */

Test(passage_out, a_connection_elsewhere_than_the_destination_is_refused)
{
	request("GET", "https://evil.example:8448" EVENT, sign("GET", EVENT, NO_BODY), NO_BODY);
	check_stays(ERR_OUT_DESTINATION);
	finish();
	request("GET", "https://hs.them.example:8448" EVENT, sign("GET", EVENT, NO_BODY), NO_BODY);
	check_passes();
}

Test(passage_out, sni_of_somebody_else_is_refused)
{
	char fields[1100];

	snprintf(fields, sizeof(fields), "Host: " THEM "\r\n%s", sign("GET", EVENT, NO_BODY));
	inside("hs.them.example", 8448, "evil.example", EVENT, fields);
	check_stays(ERR_OUT_DESTINATION);
	finish();
	inside("hs.them.example", 8448, THEM, EVENT, fields);
	check_passes();
}

/* --- the next hop --- */

/* Matrix facts 3: only these go on, and Host is what discovery says. */
Test(passage_out, of_a_federation_request_little_goes_on)
{
	char fields[1400];

	snprintf(fields, sizeof(fields), "%sUser-Agent: Synapse\r\nCookie: a\r\nAccept: b\r\nContent-Type: c\r\n",
	    sign("GET", EVENT, NO_BODY));
	request("GET", A EVENT, fields, NO_BODY);
	connect_upstream(&fresh, OK);
	cr_assert(around.remote_tls);
	cr_assert_not(around.remote_through);
	cr_assert(str_eq(around.forward->how.extra, STR("Host: " THEM "\r\n")));
	cr_assert(keeps("User-Agent") && keeps("Authorization") && keeps("Content-Type"));
	cr_assert(!keeps("Cookie") && !keeps("Accept") && !keeps("Host"));
}

Test(passage_out, goes_through_the_http_proxy_in_force_now)
{
	struct proxy_conf next = conf;

	snapshot_init(&next.snap, never_free);
	next.forward.proxy_key = STR("=new.example:3128");
	conf.forward.proxy_key = STR("=old.example:3128");
	around.keys_at_hand = NULL;
	signed_request("GET", EVENT, NO_BODY);
	worker.conf = &next; /* a reload */
	around.through_at_hand = NULL;
	answer_fact(&keys->fact);
	cr_assert_str_eq(around.places, " " THEM " =new.example:3128");
	answer_fact(&through.fact);
	check_passes();
	cr_assert(around.remote_through);
}

Test(passage_out, a_place_that_is_not_known_is_502)
{
	around.destination_at_hand = negative(ERR_REMOTE_DNS);
	signed_request("GET", EVENT, NO_BODY);
	check_refused(ERR_REMOTE_DNS);
}

Test(passage_out, says_what_is_wrong_with_the_other_server)
{
	static const struct { enum err why, answer; } rows[] = {
		{ ERR_UPSTREAM_DOWN, ERR_REMOTE_DOWN }, { ERR_UPSTREAM_BAD, ERR_REMOTE_BAD }, { ERR_UPSTREAM_SLOW, ERR_REMOTE_TIMEOUT },
		{ ERR_MEMORY, ERR_MEMORY },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		signed_request("GET", EVENT, NO_BODY);
		connect_upstream(&fresh, OK);
		upstream_answers(0, rows[i].why);
		cr_assert_eq(around.status, err_rows[rows[i].answer].status);
		cr_assert(strstr(around.body, err_text(rows[i].answer)) != NULL, "%s", around.body);
		check_nothing_pending();
		finish();
	}
}

Test(passage_out, says_why_it_could_not_be_connected_to)
{
	static const enum err rows[] = { ERR_REMOTE_CONNECT, ERR_REMOTE_TLS_NAME, ERR_REMOTE_BUSY, ERR_REMOTE_TIMEOUT };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		signed_request("GET", EVENT, NO_BODY);
		connect_upstream(NULL, rows[i]);
		check_refused(rows[i]);
		cr_assert_eq(around.failed, 0, "no address of a homeserver");
		finish();
	}
}

Test(passage_out, cuts_the_connection_once_an_answer_has_begun)
{
	signed_request("GET", EVENT, NO_BODY);
	connect_upstream(&fresh, OK);
	ex.head_sent = true;
	upstream_answers(200, ERR_UPSTREAM_BROKE);
	cr_assert_eq(around.aborted, 1);
	check_nothing_pending();
}

Test(passage_out, tries_once_more_when_a_reused_connection_was_dead)
{
	int64_t before = metrics_sum(S_REMOTE_RETRIES);

	around.idle = &reused;
	around.may_retry = true;
	signed_request("GET", EVENT, NO_BODY);
	upstream_answers(0, ERR_UPSTREAM_DOWN);
	cr_assert(around.dialled_fresh);
	cr_assert_eq(metrics_sum(S_REMOTE_RETRIES), before + 1);
	connect_upstream(&fresh, OK);
	upstream_answers(200, OK);
	cr_assert_eq(around.ended, 1);
	check_nothing_pending();
}

/* --- lives --- */

Test(passage_out, a_look_up_that_never_comes_is_503)
{
	around.destination_at_hand = NULL;
	signed_request("GET", EVENT, NO_BODY);
	cr_assert_not_null(around.timer);
	around.timer->fn(around.timer->arg);
	check_refused(ERR_LOOKUP);
}

Test(passage_out, the_homeserver_may_go_at_any_time)
{
	static const char *const stages[] = { "keys", "body", "invites", "destination", "dial", "answer" };

	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		around.keys_at_hand = i == 0 ? NULL : &keys->fact;
		around.upload_then = i == 1 ? EXCHANGE_AGAIN : EXCHANGE_END;
		around.destination_at_hand = i == 3 ? NULL : &there.fact;
		signed_request("PUT", SEND, i == 2 ? INVITE_IN_SEND : HARMLESS);
		if (i == 5)
			connect_upstream(&fresh, OK);
		cr_assert_eq(around.n_graves, 0, "%s: over already", stages[i]);
		ex.events->gone(ex.arg, ERR_CLIENT_GONE);
		check_nothing_pending();
		cr_assert_eq(around.remotes_held, 0, "%s", stages[i]);
		cr_assert_eq(around.answered + around.aborted + around.ended, 0, "%s", stages[i]);
		finish();
	}
}

Test(passage_out, keeps_its_configuration_over_a_reload)
{
	struct proxy_conf next = { .federations = &federation, .n_federations = 1 };

	snapshot_init(&next.snap, never_free);
	around.keys_at_hand = NULL;
	signed_request("PUT", SEND, HARMLESS);
	cr_assert_eq(atomic_load(&conf.snap.refs), 2);
	worker.conf = &next;
	answer_fact(&keys->fact);
	cr_assert_eq(around.limit, 4096);
	check_passes();
}
