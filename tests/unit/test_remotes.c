/* SPDX-License-Identifier: Apache-2.0 */
/* Which pool a destination has: kept while it stays where it is, bounded, made anew with the trust. */
#include <criterion/criterion.h>

#include "proxy/outbound/remotes.h"
#include "proxy/series.h"
#include "tests/unit/tlspeer.h"

static struct loop *loop;
static struct remotes *remotes;
static struct proxy_conf conf;
static struct tlspeer peer;
static struct lab_end far;
static struct address at[2], other_at[2];
static struct destination_endpoint endpoint = { "a.example.org", 8448 };
static struct destination a, b, proxy;
static enum err why;

static struct destination
make(const char *key, const struct address *addresses, size_t n)
{
	return (struct destination){ .key = key, .tls_name = "a.example.org", .n_endpoints = 1,
		.endpoints = &endpoint, .at = addresses, .n = n };
}

static void
setup(void)
{
	cr_assert(series_declare());
	loop = loop_new(NULL);
	tlspeer_open(&peer, &(struct tlscert){ 0 });
	at[0] = at[1] = other_at[0] = other_at[1] = peer.at;
	cr_assert(address_parse(STR("2001:db8::7"), 8448, &at[1]));
	cr_assert(address_parse(STR("2001:db8::8"), 8448, &other_at[1]));
	a = make("a.example", at, 2);
	b = make("b.example", at, 2);
	proxy = make("@proxy:3128", at, 1);
	conf = (struct proxy_conf){ .relay_buffer = 65536, .head_max = 16384,
		.forward = { .anchors = peer.anchors, .destinations_max = 3, .connections_max = 4,
			.idle_max = 4, .idle_total_max = 8, .queue_max = 4, .connect_timeout = 20000,
			.attempt_delay = 250, .idle_timeout = 60000, .queue_timeout = 20000 } };
	remotes = remotes_new(loop, &conf);
	cr_assert_not_null(remotes);
	far.fd = -1;
}

static void
teardown(void)
{
	remotes_free(remotes);
	lab_turn(loop);
	cr_assert_eq(metrics_sum(S_REMOTES), 0);
	cr_assert_eq(metrics_sum(S_REMOTE_BUSY), 0);
	cr_assert_eq(metrics_sum(S_REMOTE_IDLE), 0);
	lab_close(&far);
	tlspeer_close(&peer);
	loop_free(loop);
}

TestSuite(remotes, .init = setup, .fini = teardown);

static struct remote *
get(const struct destination *d)
{
	struct remote *m = remotes_get(remotes, d, NULL, true, &why);

	cr_assert_not_null(m, "%s", err_rows[why].name);
	cr_assert_eq(why, OK);
	return m;
}

/* Nobody holds it afterwards. */
static struct remote *
know(const struct destination *d)
{
	struct remote *m = get(d);

	remote_drop(m);
	return m;
}

static struct upstream *taken;

static void
on_taken(void *arg, struct upstream *up, enum err err)
{
	(void)arg;
	cr_assert_eq(err, OK, "%s", err_rows[err].name);
	taken = up;
}

static struct upstream *
connect_to(struct remote *m)
{
	struct pool_wait wait;

	taken = NULL;
	lab_close(&far);
	pool_wait_init(&wait);
	pool_acquire(remote_pool(m), false, &wait, on_taken, NULL);
	UNTIL(loop, tlspeer_accepted(&peer, &far));
	UNTIL(loop, (lab_read(&far), taken != NULL));
	return taken;
}

/* Leaves a warm connection. */
static void
warm(const struct destination *d)
{
	struct remote *m = get(d);

	pool_release(connect_to(m), true);
	remote_drop(m);
}

static void
adopt(void)
{
	cr_assert(remotes_adopt(remotes, &conf));
}

/* --- the same place, another place --- */

Test(remotes, a_destination_keeps_its_pool_and_its_connections)
{
	struct remote *m;

	warm(&a);
	m = know(&a);
	cr_assert_eq(pool_connections(remote_pool(m)), 1);
	cr_assert_neq(know(&b), m);
	cr_assert_eq(know(&a), m);
	cr_assert_eq(metrics_sum(S_REMOTES), 2);
	cr_assert_eq(metrics_sum(S_REMOTE_IDLE), 1);
}

Test(remotes, the_order_of_addresses_is_no_other_place)
{
	struct address turned[2] = { at[1], at[0] };
	struct destination now = make("a.example", turned, 2);
	struct remote *m = know(&a);

	cr_assert_eq(know(&now), m);
	cr_assert_eq(remote_target(m)->at[0].sa.sa_family, AF_INET6, "the new order counts");
}

Test(remotes, another_address_is_another_place)
{
	struct destination now = make("a.example", other_at, 2);
	struct remote *m;

	warm(&a);
	m = know(&now);
	cr_assert_eq(pool_connections(remote_pool(m)), 0);
	UNTIL(loop, lab_ended(&far));
	cr_assert_eq(metrics_sum(S_REMOTES), 1);
}

Test(remotes, fewer_addresses_are_another_place)
{
	struct destination now = make("a.example", at, 1);

	warm(&a);
	(void)know(&now);
	UNTIL(loop, lab_ended(&far));
}

Test(remotes, another_port_is_another_place)
{
	struct address moved[2] = { at[0], at[1] };
	struct destination now = make("a.example", moved, 2);

	moved[1].in6.sin6_port = htons(443);
	warm(&a);
	(void)know(&now);
	UNTIL(loop, lab_ended(&far));
}

Test(remotes, another_name_in_the_certificate_is_another_place)
{
	struct destination now = a;

	now.tls_name = "b.example.org";
	warm(&a);
	(void)know(&now);
	UNTIL(loop, lab_ended(&far));
}

Test(remotes, plain_and_verified_connections_do_not_mix)
{
	struct remote *m = know(&a), *plain = remotes_get(remotes, &a, NULL, false, &why);

	cr_assert_neq(plain, m);
	cr_assert_null(remote_target(plain)->tls);
	cr_assert_not_null(remote_target(m)->tls);
	cr_assert_eq(know(&a), m);
	remote_drop(plain);
}

Test(remotes, a_connection_in_use_outlives_the_place)
{
	struct destination now = make("a.example", other_at, 2);
	struct remote *m = get(&a);
	struct upstream *up = connect_to(m);

	(void)know(&now);
	cr_assert_eq(stream_write(up->stream, STR("ping")), 4);
	UNTIL(loop, lab_got(&far, "ping"));
	pool_release(up, true);
	cr_assert_eq(pool_connections(remote_pool(m)), 0, "not kept: nobody will ask for it");
	remote_drop(m);
}

/* --- behind a proxy --- */

Test(remotes, names_the_target_to_a_proxy)
{
	struct remote *m;

	conf.forward.proxy_authorization = STR("Basic dTpw");
	adopt();
	m = remotes_get(remotes, &a, &proxy, true, &why);
	cr_assert_str_eq(remote_target(m)->through, "a.example.org:8448");
	cr_assert_str_eq(remote_target(m)->through_authorization, "Basic dTpw");
	cr_assert_eq(remote_target(m)->n, 1);
	remote_drop(m);
}

Test(remotes, names_an_address_in_brackets)
{
	static struct destination_endpoint v6 = { "2001:db8::7", 8448 };
	struct remote *m;

	a.endpoints = &v6;
	a.at = NULL;
	a.n = 0; /* names are the proxy's business */
	m = remotes_get(remotes, &a, &proxy, true, &why);
	cr_assert_str_eq(remote_target(m)->through, "[2001:db8::7]:8448");
	cr_assert_null(remote_target(m)->through_authorization);
	remote_drop(m);
}

Test(remotes, other_credentials_for_a_proxy_make_all_anew)
{
	conf.forward.proxy_authorization = STR("Basic dTpw");
	adopt();
	warm(&a);
	adopt(); /* the same ones */
	cr_assert_eq(metrics_sum(S_REMOTES), 1);
	conf.forward.proxy_authorization = STR_NONE;
	adopt();
	cr_assert_eq(metrics_sum(S_REMOTES), 0);
	UNTIL(loop, lab_ended(&far));
}

Test(remotes, a_proxy_that_is_not_found_refuses)
{
	struct fact missing = { .err = ERR_REMOTE_DNS };

	cr_assert_null(remotes_get(
	    remotes, &a, (const struct destination *)(const void *)&missing, true, &why));
	cr_assert_eq(why, ERR_REMOTE_PROXY);
	cr_assert_eq(metrics_sum(S_REMOTE_FAILED_PROXY), 1);
}

/* Reasons that no peer is told become some that are. */
Test(remotes, says_why_a_destination_is_not_known)
{
	static const struct { enum err fact, told; } rows[] = {
		{ ERR_REMOTE_DNS, ERR_REMOTE_DNS }, { ERR_REMOTE_OFF, ERR_REMOTE_OFF }, { ERR_SERVER_NAME, ERR_OUT_TARGET },
		{ ERR_TIMEOUT, ERR_REMOTE_TIMEOUT }, { ERR_OVERLOAD, ERR_OVERLOAD },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fact missing = { .err = rows[i].fact };

		cr_assert_null(remotes_get(remotes, (const struct destination *)(const void *)&missing, NULL, true, &why));
		cr_assert_eq(why, rows[i].told);
	}
	cr_assert_eq(metrics_sum(S_REMOTE_FAILED_DNS), 2);
	cr_assert_eq(metrics_sum(S_REMOTE_FAILED_TIMEOUT), 1);
}

/* --- bounds --- */

Test(remotes, the_one_used_longest_ago_makes_room)
{
	struct destination c = make("c.example", at, 2), d = make("d.example", at, 2);
	struct remote *m;

	warm(&a);
	(void)know(&b);
	(void)know(&c);
	m = know(&a);
	(void)know(&d); /* b goes */
	cr_assert_eq(metrics_sum(S_REMOTES), 3);
	cr_assert_eq(know(&a), m);
	cr_assert_eq(pool_connections(remote_pool(m)), 1);
}

Test(remotes, refuses_when_all_are_in_use)
{
	struct destination c = make("c.example", at, 2), d = make("d.example", at, 2);
	struct remote *held[3] = { get(&a), get(&b), get(&c) };

	cr_assert_null(remotes_get(remotes, &d, NULL, true, &why));
	cr_assert_eq(why, ERR_REMOTE_BUSY);
	cr_assert_eq(metrics_sum(S_REMOTES_FULL), 1);
	cr_assert_eq(remote_hold(held[1]), held[1]);
	remote_drop(held[1]);
	cr_assert_null(remotes_get(remotes, &d, NULL, true, &why), "it is still held once");
	remote_drop(held[1]);
	(void)know(&d);
	remote_drop(held[0]);
	remote_drop(held[2]);
}

Test(remotes, lower_limits_hold_at_once_for_what_nobody_uses)
{
	struct remote *m = get(&a);

	warm(&b);
	conf.forward.destinations_max = 1;
	adopt();
	cr_assert_eq(metrics_sum(S_REMOTES), 1);
	UNTIL(loop, lab_ended(&far));
	cr_assert_eq(know(&a), m);
	remote_drop(m);
}

Test(remotes, idle_connections_are_bounded_in_total)
{
	struct lab_end first;

	conf.forward.idle_total_max = 1;
	adopt();
	warm(&a);
	first = far;
	far = (struct lab_end){ .fd = -1 };
	warm(&b);
	UNTIL(loop, lab_ended(&first));
	cr_assert_eq(metrics_sum(S_REMOTE_IDLE), 1);
	lab_close(&first);
}

Test(remotes, new_limits_of_time_reach_what_is_known)
{
	struct remote *m = know(&a);

	conf.forward.connect_timeout = 1234;
	adopt();
	cr_assert_eq(know(&a), m);
	cr_assert_eq(remote_target(m)->timeout, 1234);
}

/* --- trust --- */

Test(remotes, other_anchors_make_all_anew)
{
	X509_STORE *others = X509_STORE_new();
	struct remote *held = get(&b), *m;
	SSL_CTX *before = remote_target(held)->tls;

	warm(&a);
	conf.forward.anchors = others;
	adopt();
	UNTIL(loop, lab_ended(&far));
	cr_assert_eq(metrics_sum(S_REMOTES), 0);
	m = get(&b);
	cr_assert_neq(m, held);
	cr_assert_neq(remote_target(m)->tls, before);
	cr_assert_eq(remote_target(m)->tls, remote_target(know(&a))->tls, "one for all");
	remote_drop(m);
	remote_drop(held);
	X509_STORE_free(others);
}

Test(remotes, no_session_is_resumed)
{
	struct remote *m;

	warm(&a);
	lab_pass(loop, 2 * LOOP_TICK_MS); /* its tickets are read */
	m = get(&a);
	pool_release(connect_to(m), false);
	cr_assert_not(SSL_session_reused(far.ssl));
	remote_drop(m);
}

Test(remotes, without_anchors_nobody_is_trusted)
{
	conf.forward.anchors = NULL;
	adopt();
	cr_assert_null(remotes_get(remotes, &a, NULL, true, &why));
	cr_assert_eq(why, ERR_REMOTE_TLS_CHAIN);
}

/* --- what is not found --- */

Test(remotes, tells_and_counts_why_a_destination_was_not_found)
{
	struct fact missing = { .err = ERR_REMOTE_ADDRESS };

	cr_assert_null(remotes_get(
	    remotes, (const struct destination *)(const void *)&missing, NULL, true, &why));
	cr_assert_eq(why, ERR_REMOTE_ADDRESS);
	cr_assert_eq(metrics_sum(S_REMOTE_FAILED_DNS), 1);
}

Test(remotes, freed_leaves_what_is_held)
{
	struct remote *m = get(&a);
	struct upstream *up = connect_to(m);

	remotes_free(remotes);
	remotes = NULL;
	pool_release(up, true);
	remote_drop(m);
	UNTIL(loop, lab_ended(&far));
}
