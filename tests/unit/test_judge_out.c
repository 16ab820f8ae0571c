/* SPDX-License-Identifier: Apache-2.0 */
/* What may leave by its head, for whom it is, and whether the connection belongs to them:
 * FD-5.2.1.2-7 to -9, A_26328, O-11, O-13. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/base/log.h"
#include "lib/federation/fedlist.h"
#include "lib/ops/metrics.h"
#include "proxy/outbound/judge_out.h"
#include "proxy/series.h"
#include "tests/unit/judge.h"

#define EVENT "/_matrix/federation/v1/event/e"
#define OF_VERSION "/_matrix/federation/v1/version"
#define KEYS "/_matrix/key/v2/server"
#define WELL_KNOWN "/.well-known/matrix/server"
#define MEDIA "/_matrix/media/v3/download/" THEM "/abc"
#define SIG "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define SIGNED(destination) \
	"Authorization: X-Matrix origin=" US ",destination=" destination ",key=\"ed25519:1\",sig=\"" SIG "\"\r\n"

static struct arena arena;
static struct h1_head req;
static struct segments path;
static struct service_conf service;
static struct federation_conf federation;
static struct allowed_conf allow[2];
static struct judged j;
static struct aim aim;
static struct fedlist *list;

static void
setup(void)
{
	static const struct fedlist_limits limits = { 10 };

	log_threshold = LOG_ERROR;
	cr_assert(routes_init());
	cr_assert(series_declare());
	arena_init(&arena, 1 << 20);
	cr_assert_eq(fedlist_parse(STR("{\"version\":1,\"domainList\":[\"" US "\",\"" THEM "\"]}"), &limits, &list), OK);
	allow[0] = (struct allowed_conf){ .host = (char *)(uintptr_t)"push.example", .port = 443 };
	allow[1] = (struct allowed_conf){ .host = (char *)(uintptr_t)"push.example", .port = 80 };
	service = (struct service_conf){ .server_name = (char *)(uintptr_t)US, .way_out = { .allow = allow, .n_allow = 2 } };
	aim = (struct aim){ 0 };
}

static void
teardown(void)
{
	snapshot_drop((struct snapshot *)list);
	arena_fini(&arena);
	routes_fini();
}

TestSuite(judge_out, .init = setup, .fini = teardown);

/* --- requests --- */

static void
parse(bool proxy, const char *method, const char *target, const char *fields)
{
	const struct h1_limits limits = { 8192, 4096, 50, .proxy = proxy };
	char head[4096];
	int n = snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\n%s\r\n", method, target, fields);

	cr_assert_eq(h1_parse_request(&arena, arena_dup(&arena, str_of(head, (size_t)n)), &limits, &req), OK, "%s", target);
	j = (struct judged){ .req = &req, .arena = &arena, .service = &service, .federation = &federation,
		.list = list, .outbound = true, .now_ms = NOW_MS };
}

/* At a listener. */
static enum err
at_listener(const char *method, const char *target, const char *fields)
{
	char all[2048];
	enum err err;

	snprintf(all, sizeof(all), "Host: elsewhere.example\r\n%s", fields);
	parse(true, method, target, all);
	aim = (struct aim){ 0 };
	err = aim_of_request(&aim, &arena, &req);
	return err == OK ? judge_out_head(&j, &aim, &path) : err;
}

/* In a tunnel to host and port. */
static enum err
in_tunnel(const char *host, uint16_t port, const char *sni, const char *target, const char *fields)
{
	parse(false, "GET", target, fields);
	aim = (struct aim){ .host = str_z(host), .port = port, .tunnelled = true, .sni = str_z(sni) };
	return judge_out_head(&j, &aim, &path);
}

/* --- the head --- */

Test(judge_out, lets_the_federation_api_and_what_belongs_to_it_leave)
{
	static const char *const targets[] = { EVENT, OF_VERSION, KEYS, "/_matrix/key/v2/query/" THEM, WELL_KNOWN, MEDIA,
		"/_matrix/federation/v1/new", "/_matrix/policy/v1/sign" };
	char target[256];

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		snprintf(target, sizeof(target), "matrix-federation://" THEM "%s", targets[i]);
		cr_assert_eq(at_listener(strstr(target, "sign") ? "POST" : "GET", target, ""), OK, "%s", target);
		cr_assert(judge_out_is_federation(&j), "%s", target);
	}
}

/* 403 for all of it: other answers would be taken for the other server's. */
Test(judge_out, refuses_everything_else)
{
	static const struct { const char *method, *target; } rows[] = {
		{ "GET", "/_matrix/client/v3/sync" }, { "GET", "/_matrix/media/v3/config" }, { "GET", "/" },
		{ "GET", "/_synapse/admin/v1/rooms" }, { "GET", "/.well-known/matrix/client" }, { "GET", "/_matrix/push/v1/notify" },
		{ "POST", OF_VERSION }, { "GET", "/_matrix/federation/v1/send/1" }, { "TRACE", EVENT }, { "OPTIONS", "" },
	};
	char target[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(target, sizeof(target), "https://" THEM "%s", rows[i].target);
		cr_assert_eq(at_listener(rows[i].method, target, ""), ERR_OUT_TARGET_REFUSED, "%s", target);
	}
	cr_assert_eq(in_tunnel(THEM, 443, THEM, "/", "Host: " THEM "\r\n"), ERR_OUT_TARGET_REFUSED);
	parse(false, "CONNECT", THEM ":443", "Host: " THEM ":443\r\n");
	aim = (struct aim){ .host = STR(THEM), .port = 443, .tunnelled = true };
	cr_assert_eq(judge_out_head(&j, &aim, &path), ERR_OUT_TARGET_REFUSED, "a tunnel in a tunnel");
}

Test(judge_out, refuses_a_path_that_is_not_in_its_plain_form)
{
	cr_assert_eq(at_listener("GET", "matrix-federation://" THEM "/_matrix/./federation/v1/version", ""), ERR_PATH);
	cr_assert_eq(at_listener("GET", "matrix-federation://" THEM "/_matrix/%66ederation/v1/version", ""), ERR_PATH);
}

Test(judge_out, lets_federation_leave_over_tls_only)
{
	cr_assert_eq(at_listener("GET", "http://" THEM OF_VERSION, ""), ERR_OUT_PLAIN);
	cr_assert_eq(at_listener("GET", "http://push.example" OF_VERSION, ""), ERR_OUT_PLAIN, "nor at an allowed destination");
	cr_assert_eq(at_listener("GET", "http://push.example/x", ""), OK);
}

/* --- allowed destinations --- */

Test(judge_out, lets_guests_ask_allowed_destinations_for_anything_else)
{
	static const char *const targets[] = { "/", "/_matrix/push/v1/notify", "/_matrix/client/v3/login", "/a//b/../c%2f",
		WELL_KNOWN, MEDIA, "*" };

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		bool star = strcmp(targets[i], "*") == 0;
		char target[256];

		snprintf(target, sizeof(target), "https://push.example%s", star ? "" : targets[i]);
		cr_assert_eq(at_listener(star ? "OPTIONS" : "GET", target, ""), OK, "%s", target);
		cr_assert_not(judge_out_is_federation(&j), "%s", target);
	}
}

Test(judge_out, judges_federation_as_such_at_an_allowed_destination_too)
{
	cr_assert_eq(at_listener("GET", "https://push.example" EVENT, ""), OK);
	cr_assert(judge_out_is_federation(&j));
	cr_assert_eq(judge_out_destination(&j, &aim), ERR_OUT_UNSIGNED);
}

/* However it is spelled. */
Test(judge_out, takes_nothing_for_a_guest_that_may_be_federation)
{
	static const char *const targets[] = {
		"/_matrix/%66ederation/v1/event/e", "/%5fmatrix/federation/v1/event/e", "/_matrix//federation/v1/event/e",
		"/./_matrix/federation/v1/event/e", "/x/../_matrix/federation/v1/event/e", "/x/%2e%2e/%5FMatrix/federation/v1/event/e",
		"//_matrix/key/v2/server", "/_matrix/federation\\v1", "/_MATRIX/Federation/v1/event/e",
		"/_matrix;a/federation/v1/event/e", "/_matrix/%2566ederation/v1/event/e",
	};
	char target[256];

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		snprintf(target, sizeof(target), "https://push.example%s", targets[i]);
		cr_assert_eq(at_listener("GET", target, ""), ERR_OUT_TARGET_REFUSED, "%s", target);
	}
	cr_assert_eq(at_listener("DELETE", "https://push.example/_matrix/federation/v1/send/1", ""), ERR_OUT_TARGET_REFUSED);
}

Test(judge_out, a_destination_of_the_federation_is_never_an_allowed_one)
{
	cr_assert_eq(at_listener("GET", "matrix-federation://push.example:443/x", ""), ERR_OUT_TARGET_REFUSED);
}

/* Others may share its address, so a tunnel to one site asks for no other: by Host, or by SNI. */
Test(judge_out, a_guest_in_a_tunnel_asks_for_the_site_it_has_named)
{
	static const struct { const char *sni, *host; enum err expected; } rows[] = {
		{ "push.example", "push.example", OK }, { "PUSH.example", "Push.Example:443", OK }, { "", "push.example", OK },
		{ "push.example", "other.example", ERR_OUT_TARGET_REFUSED }, { "other.example", "push.example", ERR_OUT_TARGET_REFUSED },
		{ "push.example", "push.example:8443", ERR_OUT_TARGET_REFUSED },
	};
	char host[128];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(host, sizeof(host), "Host: %s\r\n", rows[i].host);
		cr_assert_eq(in_tunnel("push.example", 443, rows[i].sni, "/x", host), rows[i].expected, "%zu", i);
	}
}

/* --- which rules apply --- */

Test(judge_out, what_must_be_signed)
{
	cr_assert_eq(at_listener("GET", "matrix-federation://" THEM EVENT, ""), OK);
	cr_assert(judge_out_is_signed(&j));
	cr_assert_eq(at_listener("GET", "matrix-federation://" THEM OF_VERSION, ""), OK);
	cr_assert_not(judge_out_is_signed(&j));
	cr_assert_eq(at_listener("GET", "matrix-federation://" THEM KEYS, ""), OK);
	cr_assert_not(judge_out_is_signed(&j));
	cr_assert_eq(at_listener("GET", "matrix-federation://" THEM KEYS, SIGNED(THEM)), OK);
	cr_assert(judge_out_is_signed(&j), "who shows credentials is judged by them");
}

Test(judge_out, modes_say_whether_the_body_is_read)
{
	cr_assert_eq(at_listener("GET", "matrix-federation://" THEM EVENT, SIGNED(THEM)), OK);
	cr_assert(judge_out_verifies(&j) && judge_out_asks_domains(&j) && judge_out_inspects(&j));
	service.way_out.signature = RULE_OFF;
	cr_assert(!judge_out_verifies(&j) && judge_out_inspects(&j));
	service.way_out.domains = RULE_OFF;
	cr_assert(!judge_out_asks_domains(&j) && judge_out_inspects(&j), "for invites");
	service.way_out.invites = RULE_OFF;
	cr_assert_not(judge_out_inspects(&j));
	cr_assert_eq(judge_out_destination(&j, &aim), OK);
	cr_assert(judge_out_is_signed(&j), "and still has to name its destination");
}

/* --- whom it is for --- */

static enum err
destination_of(const char *target, const char *fields)
{
	enum err err = at_listener("GET", target, fields);

	return err == OK ? judge_out_destination(&j, &aim) : err;
}

Test(judge_out, a_signed_request_is_for_the_target_s_server)
{
	cr_assert_eq(destination_of("matrix-federation://" THEM EVENT, SIGNED(THEM)), OK);
	cr_assert(str_eq(j.destination, STR(THEM)));
	cr_assert_eq(destination_of("matrix-federation://" THEM EVENT, SIGNED("other.example")), ERR_OUT_DESTINATION);
	cr_assert_eq(destination_of("https://hs.them.example:8448" EVENT, SIGNED(THEM)), OK);
	cr_assert(str_eq(j.destination, STR(THEM)), "only the header tells; the tie is judged later");
}

Test(judge_out, a_well_known_document_is_of_its_host)
{
	cr_assert_eq(destination_of("matrix-federation://" THEM WELL_KNOWN, ""), OK);
	cr_assert(str_eq(j.destination, STR(THEM)));
	cr_assert_eq(destination_of("https://" THEM WELL_KNOWN, ""), OK);
	cr_assert(str_eq(j.destination, STR(THEM)));
	cr_assert_eq(destination_of("https://" THEM ":8448" WELL_KNOWN, ""), ERR_OUT_TARGET_REFUSED);
}

Test(judge_out, media_are_of_the_server_in_the_path)
{
	cr_assert_eq(destination_of("matrix-federation://" THEM MEDIA, ""), OK);
	cr_assert(str_eq(j.destination, STR(THEM)));
	cr_assert_eq(destination_of("https://hs.them.example" MEDIA, ""), OK);
	cr_assert(str_eq(j.destination, STR(THEM)));
	cr_assert_eq(destination_of("matrix-federation://other.example" MEDIA, ""), ERR_OUT_DESTINATION);
	cr_assert_eq(destination_of("https://" THEM "/_matrix/media/v3/download/a_b/c", ""), ERR_OUT_DESTINATION);
}

Test(judge_out, only_discovery_can_tell_whose_keys_are_at_a_host_and_port)
{
	cr_assert_eq(destination_of("https://hs.them.example:8448" KEYS, ""), OK);
	cr_assert_eq(j.destination.n, 0);
}

static enum err
owner_of(size_t n, const char *const *names)
{
	static struct destination_owner o;

	o = (struct destination_owner){ .fact = { .err = n > 0 ? OK : ERR_NOT_FOUND }, .n = n, .names = names };
	aim.owner = &o.fact;
	return judge_out_owner(&j, &aim);
}

Test(judge_out, host_names_the_owner_or_else_a_member_that_points_there)
{
	static const char *const names[] = { "left.example", THEM };

	cr_assert_eq(in_tunnel("hs.them.example", 8448, "", KEYS, "Host: hs.them.example:8448\r\n"), OK);
	cr_assert_eq(owner_of(2, names), OK);
	cr_assert(str_eq(j.destination, STR(THEM)));
	cr_assert_eq(owner_of(0, NULL), OK);
	cr_assert(str_eq(j.destination, STR("hs.them.example:8448")), "and is not listed");
	cr_assert_eq(in_tunnel("hs.them.example", 8448, "", KEYS, "Host: " US "\r\n"), OK);
	cr_assert_eq(owner_of(2, names), OK);
	cr_assert(str_eq(j.destination, STR(US)));
}

/* The fact may be gone when the refusal is written, which names the server. */
Test(judge_out, the_owner_outlives_its_fact)
{
	char name[] = THEM;
	const char *const names[] = { name };

	cr_assert_eq(in_tunnel("hs.them.example", 8448, "", KEYS, "Host: hs.them.example:8448\r\n"), OK);
	cr_assert_eq(owner_of(1, names), OK);
	memset(name, 'x', strlen(name));
	cr_assert(str_eq(j.destination, STR(THEM)));
}

/* --- O-13: the tie --- */

static enum err
tie(const char *host, uint16_t port, const char *sni, const char *tls_name, const char *target)
{
	static const struct destination_endpoint at[] = { { "hs.them.example", 8448 }, { "2001:db8::1", 443 } };
	struct destination d = { .tls_name = tls_name, .n_endpoints = 2, .endpoints = at };

	cr_assert_eq(in_tunnel(host, port, sni, target, "Host: " THEM "\r\n"), OK);
	aim.destination = &d.fact;
	return judge_out_tie(&j, &aim);
}

Test(judge_out, a_tunnel_leads_to_an_endpoint_of_the_destination)
{
	cr_assert_eq(tie("hs.them.example", 8448, THEM, THEM, EVENT), OK);
	cr_assert_eq(tie("2001:db8:0::1", 443, "", THEM, EVENT), OK, "whatever the spelling");
	cr_assert_eq(tie("hs.them.example", 443, THEM, THEM, EVENT), ERR_OUT_DESTINATION);
	cr_assert_eq(tie(THEM, 8448, THEM, THEM, EVENT), ERR_OUT_DESTINATION);
	cr_assert_eq(tie("::ffff:192.0.2.1", 8448, "", THEM, EVENT), ERR_OUT_DESTINATION);
}

Test(judge_out, sni_is_the_name_of_the_destination_s_certificate)
{
	cr_assert_eq(tie("hs.them.example", 8448, "THEM.Example", THEM, EVENT), OK);
	cr_assert_eq(tie("hs.them.example", 8448, "hs.them.example", THEM, EVENT), ERR_OUT_DESTINATION);
	cr_assert_eq(tie("hs.them.example", 8448, "hs.them.example", "hs.them.example", EVENT), OK);
}

Test(judge_out, a_target_by_server_name_needs_no_tie)
{
	cr_assert_eq(at_listener("GET", "matrix-federation://" THEM EVENT, ""), OK);
	cr_assert_eq(judge_out_tie(&j, &aim), OK);
}

/* --- bodies --- */

static enum err
body_with(enum rule_mode mode, enum err keys)
{
	service.way_out.signature = mode;
	cr_assert_eq(at_listener("GET", "matrix-federation://" THEM EVENT, SIGNED(THEM)), OK);
	cr_assert_eq(judge_out_destination(&j, &aim), OK);
	return judge_out_body(&j, keys);
}

/* 403 or 503, but never 401: that would be taken for the other server's. */
Test(judge_out, keys_that_are_not_here_say_nothing_about_the_request)
{
	cr_assert_eq(body_with(RULE_ENFORCE, ERR_XMATRIX_KEY), ERR_LOOKUP);
	cr_assert_eq(body_with(RULE_LOG, ERR_XMATRIX_KEY), OK);
	cr_assert_eq(body_with(RULE_OFF, OK), OK);
}

Test(judge_out, a_signature_of_an_unknown_key_is_refused_or_counted)
{
	struct serverkeys *keys = (struct serverkeys *)&arena; /* only looked at for NULL */
	int64_t before = metrics_sum(S_RULE_LOGGED_OUT_SIGNATURE);

	service.way_out.signature = RULE_ENFORCE;
	cr_assert_eq(at_listener("GET", "matrix-federation://" THEM EVENT, SIGNED(THEM)), OK);
	cr_assert_eq(judge_out_destination(&j, &aim), OK);
	j.keys = keys;
	cr_assert_eq(judge_out_body(&j, ERR_XMATRIX_KEY), ERR_OUT_KEY);
	service.way_out.signature = RULE_LOG;
	cr_assert_eq(judge_out_body(&j, ERR_XMATRIX_KEY), OK);
	cr_assert_eq(metrics_sum(S_RULE_LOGGED_OUT_SIGNATURE), before + 1);
}

/* --- domains --- */

static void
transaction(const char *body)
{
	cr_assert_eq(at_listener("PUT", "matrix-federation://" THEM "/_matrix/federation/v1/send/1", ""), OK);
	j.body = j.content = str_z(body);
}

Test(judge_out, a_domain_that_is_not_listed_is_asked_about_before_it_is_refused)
{
	service.way_out.domains = RULE_ENFORCE;
	transaction("{\"pdus\":[{\"sender\":\"@a:left.example\",\"type\":\"m.x\"}]}");
	cr_assert_eq(judge_out_domains(&j, false), ERR_DOMAIN_UNLISTED);
	cr_assert(str_eq(j.stranger, STR("left.example")));
	cr_assert_eq(judge_out_domains(&j, true), ERR_DOMAIN_UNLISTED);
	transaction("{\"pdus\":[{\"sender\":\"@a:" US "\",\"type\":\"m.x\"}]}");
	cr_assert_eq(judge_out_domains(&j, false), OK);
}

Test(judge_out, domains_in_mode_log_pass_and_are_counted_once)
{
	int64_t before = metrics_sum(S_RULE_LOGGED_OUT_DOMAINS);

	service.way_out.domains = RULE_LOG;
	transaction("{\"pdus\":[{\"sender\":\"@a:left.example\",\"type\":\"m.x\"}]}");
	cr_assert_eq(judge_out_domains(&j, false), OK);
	cr_assert_eq(metrics_sum(S_RULE_LOGGED_OUT_DOMAINS), before + 1);
}
