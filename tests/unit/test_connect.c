/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a homeserver asks at an outbound listener, and the tunnels it gets, with everything around them faked at
 * link time: ML-123615-3, FD-5.2.1.2-4, O-11, O-13; RFC 9110 9.3.6.
 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "proxy/outbound/connect.h"
#include "proxy/outbound/door.h"
#include "proxy/outbound/tunnel.h"
#include "proxy/series.h"
#include "tests/unit/connect_fakes.h"
#include "tests/unit/passage_play.h"

#define SECRET "Proxy-Authorization: Bearer secret\r\n"
#define GRANTED "HTTP/1.1 200 Connection established\r\n\r\n"

static struct service_conf services[2];
static struct federation_conf federation;
static struct proxy_conf conf;
static struct worker worker;
static struct worker_listener listener;
static struct listener_conf listener_conf;
static struct destination there, through;
static int peer; /* the homeserver's end of its connection */
static int64_t ended;
static unsigned char digest[32];
static struct strmap_entry entry;

static void
setup(void)
{
	int pair[2];

	log_threshold = LOG_ERROR;
	cr_assert(routes_init());
	cr_assert(series_declare());
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	peer = pair[1];
	services[0] = (struct service_conf){ .server_name = (char *)(uintptr_t)US, .way_out = { .n_allow = 1, .secret = STR("secret") } };
	services[0].way_out.allow = malloc(sizeof(struct allowed_conf));
	services[0].way_out.allow[0] = (struct allowed_conf){ .host = (char *)(uintptr_t)"push.example", .port = 443 };
	services[1] = (struct service_conf){ .server_name = (char *)(uintptr_t)"second.example" };
	federation = (struct federation_conf){ .name = (char *)(uintptr_t)US };
	conf = (struct proxy_conf){ .services = services, .n_services = 2, .federations = &federation, .n_federations = 1,
		.fact_timeout = 1000, .forward = { .tunnels_max = 2 } };
	/* as the configuration does it: the first service has this secret */
	crypto_generichash(digest, sizeof(digest), (const unsigned char *)"secret", 6, conf.secret_key, sizeof(conf.secret_key));
	entry = (struct strmap_entry){ str_of((const char *)digest, sizeof(digest)), 0 };
	conf.by_secret = strmap_of(&entry, 1);
	snapshot_init(&conf.snap, never_free);
	snapshot_init(&there.fact.snap, never_free);
	snapshot_init(&through.fact.snap, never_free);
	worker = (struct worker){ .conf = &conf, .upstreams = &fake_upstreams,
		.destinations = (struct fact_cache *)&fake_destinations, .out = { .mint = (struct mint *)&worker } };
	list_init(&worker.out.tunnels);
	listener_conf = (struct listener_conf){ .kind = LISTEN_OUTBOUND };
	listener = (struct worker_listener){ .worker = &worker, .kind = LISTEN_OUTBOUND, .conf = &listener_conf };
	around = (struct around){ 0 };
	tunnels = (struct tunnel_around){ .fd = pair[0], .early = "hello" };
	ended = metrics_sum(S_ENDED + OK);
}

static void
teardown(void)
{
	if (around.n_graves == 0 && ex.events != NULL)
		ex.events->gone(ex.arg, ERR_CLIENT_GONE);
	if (tunnels.on_spliced != NULL)
		tunnels.on_spliced(tunnels.splice_arg, OK);
	end_turn();
	cr_assert_eq(around.remotes_held, 0);
	cr_assert_eq(atomic_load(&there.fact.snap.refs), 1);
	cr_assert_eq(atomic_load(&through.fact.snap.refs), 1);
	cr_assert_eq(metrics_sum(S_EXCHANGES_OPEN), 0);
	cr_assert_eq(metrics_sum(S_TUNNELS_OPEN), (int64_t)worker.out.n_tunnels);
	passage_drop_spares(&worker);
	arena_fini(&ex.arena);
	free(services[0].way_out.allow);
	close(peer);
	routes_fini();
}

TestSuite(connect, .init = setup, .fini = teardown);

static void
open_exchange(const char *method, const char *target, const char *fields)
{
	static const struct h1_limits limits = { 8192, 4096, 50, .proxy = true };
	char head[1024];
	int n = snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n", method, target, fields);

	ex = (struct exchange){ .ops = &fake_connect, .peer = "", .id = 7 };
	arena_init(&ex.arena, 1 << 20);
	cr_assert_eq(h1_parse_request(&ex.arena, arena_dup(&ex.arena, str_of(head, (size_t)n)), &limits, &ex.req), OK);
}

static void
ask(const char *target)
{
	open_exchange("CONNECT", target, SECRET);
	door_open(&listener, &ex, OK);
}

static void
check_answer(enum err why)
{
	cr_assert_eq(around.answered, 1);
	cr_assert_eq(around.status, err_rows[why].status, "%d: %s", around.status, around.body);
	cr_assert(strstr(around.body, err_text(why)) != NULL, "%s", around.body);
	cr_assert_eq(tunnels.taken, 0);
	cr_assert_eq(worker.out.n_tunnels, 0);
	cr_assert(around.waiting == NULL && around.timer == NULL && tunnels.on_connected == NULL);
}

/* --- the door --- */

Test(connect, a_homeserver_shows_its_secret)
{
	open_exchange("CONNECT", THEM ":443", "");
	door_open(&listener, &ex, OK);
	check_answer(ERR_PROXY_AUTH);
	cr_assert(strstr(around.fields, "Proxy-Authenticate: ") != NULL);
}

Test(connect, another_service_s_secret_is_none_at_a_listener_of_one)
{
	listener_conf.only = &services[1];
	ask(THEM ":443");
	check_answer(ERR_PROXY_AUTH);
}

/* The listener may still be of another configuration than the worker. */
Test(connect, the_service_of_a_listener_is_known_by_its_name)
{
	struct service_conf same = services[0];

	listener_conf.only = &same;
	ask(THEM ":443");
	cr_assert_eq(tunnels.taken, 1);
}

Test(connect, a_bad_head_is_told_before_credentials_count)
{
	open_exchange("GET", "https://x/", "");
	door_open(&listener, &ex, ERR_HTTP_FRAMING);
	check_answer(ERR_HTTP_FRAMING);
}

Test(connect, other_methods_are_requests)
{
	open_exchange("GET", "/", SECRET);
	door_open(&listener, &ex, OK);
	check_answer(ERR_PROXY_FORM);
}

/* --- tunnels whose TLS is ended here --- */

Test(connect, any_host_gets_a_tunnel_that_is_looked_into)
{
	char said[64] = "";

	ask("THEM.example:8448");
	cr_assert_eq(tunnels.taken, 1);
	cr_assert_gt(recv(peer, said, sizeof(said) - 1, MSG_DONTWAIT), 0);
	cr_assert_str_eq(said, GRANTED);
	cr_assert_str_eq(tunnels.minted, THEM);
	cr_assert_str_eq(tunnels.adopted_early, "hello", "what came with the CONNECT is the tunnel's");
	cr_assert_eq(around.answered, 0);
	cr_assert_eq(worker.out.n_tunnels, 1);
	cr_assert_eq(metrics_sum(S_ENDED + OK), ended + 1);
	tunnel_closed(NULL, &(struct http_conn){ .listener = tunnels.listener });
	cr_assert_eq(worker.out.n_tunnels, 0);
	cr_assert_eq(tunnels.looked, 1, "the worker may wait for it to end");
}

Test(connect, a_tunnel_whose_tls_fails_is_counted_by_cause)
{
	int64_t before = metrics_sum(S_TUNNELS_DISTRUSTED);

	ask(THEM ":8448");
	tunnels.fault = MINT_DISTRUSTED;
	tunnel_closed(NULL, &(struct http_conn){ .listener = tunnels.listener });
	cr_assert_eq(metrics_sum(S_TUNNELS_DISTRUSTED), before + 1);
}

Test(connect, without_a_ca_only_what_is_allowed_has_tunnels)
{
	worker.out.mint = NULL;
	ask(THEM ":8448");
	check_answer(ERR_OUT_TARGET_REFUSED);
}

Test(connect, is_for_a_host_that_is_one)
{
	ask("127.1:443");
	check_answer(ERR_OUT_TARGET);
}

Test(connect, tunnels_are_bounded)
{
	int64_t before = metrics_sum(S_TUNNELS_REFUSED);

	worker.out.n_tunnels = 2;
	ask(THEM ":8448");
	worker.out.n_tunnels = 0;
	check_answer(ERR_OVERLOAD);
	cr_assert_eq(metrics_sum(S_TUNNELS_REFUSED), before + 1);
}

Test(connect, a_tunnel_that_cannot_be_is_refused)
{
	tunnels.no_mint = true;
	ask(THEM ":8448");
	check_answer(ERR_MEMORY);
}

Test(connect, a_connection_that_cannot_be_taken_is_answered)
{
	close(tunnels.fd);
	tunnels.fd = -1;
	ask(THEM ":8448");
	check_answer(ERR_INTERNAL);
}

/* The configuration in force says whether the service may still go out. */
Test(connect, requests_inside_are_of_the_service_as_it_is_now)
{
	ask(THEM ":8448");
	services[0].way_out.secret = STR_NONE;
	arena_fini(&ex.arena);
	open_exchange("GET", "/x", "");
	tunnel_request(tunnels.listener, &ex, OK);
	cr_assert_eq(around.status, 403);
	tunnel_closed(NULL, &(struct http_conn){ .listener = tunnels.listener });
}

/* --- tunnels that pass as they are --- */

static void
connected(void)
{
	void (*fn)(void *arg, struct stream *s, enum err why) = tunnels.on_connected;

	cr_assert_not_null(fn, "nobody connects");
	tunnels.on_connected = NULL;
	fn(tunnels.connect_arg, fake_remote(), OK);
}

Test(connect, an_allowed_destination_is_connected_to_first)
{
	ask("push.example:443");
	cr_assert_str_eq(around.places, " @push.example:443");
	cr_assert_eq(tunnels.taken, 0);
	answer_fact(&there.fact);
	cr_assert_not(around.remote_tls, "its TLS is the homeserver's affair");
	connected();
	cr_assert_eq(tunnels.taken, 1);
	cr_assert_str_eq(tunnels.to_client, GRANTED);
	cr_assert_str_eq(tunnels.to_remote, "hello");
	cr_assert_eq(worker.out.n_tunnels, 1);
}

/* In metrics and log it is one thing, which ends with its last byte. */
Test(connect, is_counted_once_when_the_tunnel_ends)
{
	int64_t idle = metrics_sum(S_ENDED + ERR_TUNNEL_IDLE), bytes = metrics_sum(S_TUNNEL_BYTES_OUT);

	ask("push.example:443");
	answer_fact(&there.fact);
	connected();
	cr_assert_eq(metrics_sum(S_ENDED + OK), ended);
	tunnels.bytes = (struct splice_bytes){ .to_client = 3, .to_remote = 5 };
	tunnels.on_spliced(tunnels.splice_arg, ERR_TUNNEL_IDLE);
	tunnels.on_spliced = NULL;
	cr_assert_eq(metrics_sum(S_ENDED + ERR_TUNNEL_IDLE), idle + 1);
	cr_assert_eq(metrics_sum(S_ENDED + OK), ended);
	cr_assert_eq(metrics_sum(S_TUNNEL_BYTES_OUT), bytes + 5);
	cr_assert_eq(worker.out.n_tunnels, 0);
}

Test(connect, a_proxy_in_between_is_looked_up_too)
{
	conf.forward.proxy_key = STR("=proxy:3128");
	ask("push.example:443");
	answer_fact(&there.fact);
	cr_assert_str_eq(around.places, " @push.example:443 =proxy:3128");
	answer_fact(&through.fact);
	cr_assert(around.remote_through);
	connected();
	cr_assert_eq(worker.out.n_tunnels, 1);
}

/* Nobody has promised that what is inside would understand a refusal. */
Test(connect, fails_where_the_destination_cannot_be_reached)
{
	ask("push.example:443");
	answer_fact(negative(ERR_REMOTE_DNS));
	check_answer(ERR_REMOTE_DNS);
}

Test(connect, fails_where_nobody_listens)
{
	void (*fn)(void *arg, struct stream *s, enum err why);

	ask("push.example:443");
	answer_fact(&there.fact);
	fn = tunnels.on_connected;
	tunnels.on_connected = NULL;
	fn(tunnels.connect_arg, NULL, ERR_REMOTE_CONNECT);
	check_answer(ERR_REMOTE_CONNECT);
	cr_assert_eq(tunnels.counted, ERR_REMOTE_CONNECT);
}

Test(connect, a_look_up_that_never_comes_is_503)
{
	ask("push.example:443");
	cr_assert_not_null(around.timer);
	around.timer->fn(around.timer->arg);
	check_answer(ERR_LOOKUP);
}

Test(connect, tunnels_are_bounded_after_the_wait_too)
{
	ask("push.example:443");
	answer_fact(&there.fact);
	worker.out.n_tunnels = 2;
	connected();
	worker.out.n_tunnels = 0;
	check_answer(ERR_OVERLOAD);
	cr_assert_eq(tunnels.closed, 1);
}

Test(connect, without_memory_for_a_tunnel_both_sides_are_closed)
{
	tunnels.no_splice = true;
	ask("push.example:443");
	answer_fact(&there.fact);
	connected();
	cr_assert_eq(tunnels.closed, 2);
	cr_assert_eq(worker.out.n_tunnels, 0);
}

Test(connect, the_homeserver_may_go_while_it_waits)
{
	for (unsigned i = 0; i < 2; i++) {
		ask("push.example:443");
		if (i == 1)
			answer_fact(&there.fact);
		ex.events->gone(ex.arg, ERR_CLIENT_GONE);
		ex.events = NULL;
		cr_assert(around.waiting == NULL && around.timer == NULL && tunnels.on_connected == NULL);
		cr_assert_eq(around.remotes_held, 0);
		cr_assert_eq(around.answered, 0);
		end_turn();
		arena_fini(&ex.arena);
	}
}

static void
forbid(void)
{
	free(services[0].way_out.allow);
	services[0].way_out.allow = NULL;
	services[0].way_out.n_allow = 0;
}

/* The entry that allowed it goes with its configuration. */
Test(connect, a_reload_may_come_while_it_waits)
{
	ask("push.example:443");
	forbid();
	answer_fact(&there.fact);
	connected();
	check_answer(ERR_OUT_TARGET_REFUSED);
	cr_assert_eq(tunnels.closed, 1);
}

static void
open_passing(void)
{
	ask("push.example:443");
	answer_fact(&there.fact);
	connected();
	cr_assert_eq(worker.out.n_tunnels, 1);
}

/* A secret is replaced so that nobody goes on with the old one. */
Test(connect, tunnels_end_with_what_they_were_opened_by)
{
	static const struct str others[] = { { "terces", 6 }, { "secret2", 7 }, { NULL, 0 } };
	int64_t before = metrics_sum(S_ENDED + ERR_OUT_TARGET_REFUSED);

	for (size_t i = 0; i < 3; i++) {
		open_passing();
		tunnels_judge(&worker);
		cr_assert_eq(worker.out.n_tunnels, 1, "nothing has changed");
		services[0].way_out.secret = others[i];
		tunnels_judge(&worker);
		cr_assert_null(tunnels.on_spliced);
		cr_assert_eq(worker.out.n_tunnels, 0);
		services[0].way_out.secret = STR("secret");
		end_turn();
		arena_fini(&ex.arena);
		tunnels.taken = 0;
		cr_assert_geq(tunnels.fd = dup(peer), 0);
	}
	cr_assert_eq(metrics_sum(S_ENDED + ERR_OUT_TARGET_REFUSED), before + 3);
}

Test(connect, tunnels_end_with_their_service)
{
	open_passing();
	services[0].server_name = (char *)(uintptr_t)"other.example";
	tunnels_judge(&worker);
	cr_assert_eq(worker.out.n_tunnels, 0);
}

Test(connect, tunnels_pass_as_long_as_they_are_allowed_to)
{
	open_passing();
	services[0].way_out.allow[0].inspect = true;
	tunnels_judge(&worker);
	cr_assert_eq(worker.out.n_tunnels, 0);
}

/* An answer tells the homeserver why. */
Test(connect, tunnels_that_are_looked_into_end_with_their_next_answer)
{
	ask(THEM ":8448");
	tunnels_judge(&worker);
	cr_assert_null(tunnels.left);
	services[0].way_out.secret = STR("another");
	tunnels_judge(&worker);
	cr_assert_eq(tunnels.left, tunnels.listener);
	arena_fini(&ex.arena);
	open_exchange("GET", "/x", "");
	tunnel_request(tunnels.listener, &ex, OK);
	cr_assert_eq(around.status, 403);
	tunnel_closed(NULL, &(struct http_conn){ .listener = tunnels.listener });
}

/* At the end of the worker; those with requests inside end with their server. */
Test(connect, tunnels_that_pass_are_cut)
{
	int64_t before = metrics_sum(S_ENDED + ERR_DRAINING);

	ask("push.example:443");
	answer_fact(&there.fact);
	connected();
	tunnels_cut(&worker);
	cr_assert_null(tunnels.on_spliced);
	cr_assert_eq(worker.out.n_tunnels, 0);
	cr_assert_eq(metrics_sum(S_ENDED + ERR_DRAINING), before + 1);
}
